"""Builds scene NUMBER and its spoilt versions as .blend files, for campaign/check-unseen.ts:

    blender -b --factory-startup -P scenes.py -- NUMBER FOLDER

The scene is `scene.blend`; each version that a cheating or careless farm might render instead is `NAME.blend`. Everything follows from the number: what is built, its
settings, and what moves.
"""
import json
import os
import random
import sys

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'packages', 'checker', 'calibration'))
from parts import camera, cube, light, material, mist, move, plane, sphere, world  # noqa: E402

NUMBER, OUT = int(sys.argv[sys.argv.index('--') + 1]), sys.argv[sys.argv.index('--') + 2]
RANDOM = random.Random(NUMBER)
uniform = RANDOM.uniform
WIDTH, HEIGHT = 256, 144
FRAMES = 6


def color(low=.05, high=.9):
    return tuple(uniform(low, high) for _ in range(3))


def texture(name, kind):
    """A small picture inside the file: tiles, stripes or blots."""
    side = 64
    image = bpy.data.images.new(name, side, side)
    one, two = color(), color()
    blots = [(uniform(0, side), uniform(0, side), uniform(4, 14)) for _ in range(9)]
    values = []
    for y in range(side):
        for x in range(side):
            first = {
                'tiles': (x // 8 + y // 8) % 2 == 0,
                'stripes': (x + 2 * y) // 9 % 2 == 0,
                'blots': any((x - bx) ** 2 + (y - by) ** 2 < r * r for bx, by, r in blots),
            }[kind]
            values += [*(one if first else two), 1]
    image.pixels = values
    image.pack()
    return image


def textured(name, kind=None, rough=.5):
    look = material(name, rough=rough)
    nodes, links = look.node_tree.nodes, look.node_tree.links
    node = nodes.new('ShaderNodeTexImage')
    node.image = texture(name, kind or RANDOM.choice(['tiles', 'stripes', 'blots']))
    coordinates = nodes.new('ShaderNodeTexCoord')
    links.new(coordinates.outputs['Generated'], node.inputs['Vector'])
    links.new(node.outputs['Color'], nodes['Principled BSDF'].inputs['Base Color'])
    return look


def monkey(location, size, look):
    bpy.ops.mesh.primitive_monkey_add(location=location, size=size, rotation=(0, 0, uniform(-.6, .6)))
    made = bpy.context.object
    made.modifiers.new('smooth', 'SUBSURF').render_levels = 1
    made.data.materials.append(look)
    return made


def torus(location, size, look):
    bpy.ops.mesh.primitive_torus_add(location=location, major_radius=size, minor_radius=size * .35, rotation=(uniform(0, 1), uniform(0, 1), 0))
    bpy.ops.object.shade_smooth()
    made = bpy.context.object
    made.data.materials.append(look)
    return made


# --- kinds of scenes: each returns the object that the versions are about --------------------------------------------------------------------------------------------

def still_life():
    world(color(.2, .5), .4)
    plane((0, 0, 0), 20, textured('table', rough=.35))
    light('AREA', (-2, -3, 4), uniform(250, 450), uniform(.5, 2), (.6, -.4, 0))
    sphere((-1.4, .4, .7), .7, material('glass', (.95, .97, 1), 0, trans=1))
    torus((1.5, .3, .6), .6, material('gold', (.9, .7, .3), .15, metal=1))
    subject = monkey((0, 0, .9), 1.5, material('clay', color(.3, .8), .5))
    lens = camera((uniform(-1, 1), -5.5, 1.8)).data
    lens.dof.use_dof, lens.dof.focus_distance, lens.dof.aperture_fstop = True, 5.5, 1.4
    return subject


def grove():
    world((.4, .6, .9), uniform(.5, .9))
    plane((0, 0, 0), 60, textured('earth', 'blots', .9))
    light('SUN', (3, -3, 6), uniform(2, 4), rotation=(uniform(.4, .9), uniform(-.5, .5), 0))
    bark, leaf = material('bark', (.2, .12, .06), .9), material('leaf', (.1, .35, .08), .8, noise=True)
    for _ in range(18):
        x, y = uniform(-6, 6), uniform(0, 9)
        cube((x, y, .5), .3, bark)
        sphere((x, y, 1.4), uniform(.5, .9), leaf)
    subject = cube((uniform(-1, 1), -1.5, .5), 1, textured('crate', 'tiles'), (0, 0, .5))
    camera((0, -7.5, 2), (0, 0, .8))
    return subject


def room():
    world((.8, .85, 1), .4)
    wall = material('wall', color(.5, .8), .8)
    quarter = 1.5708
    for place, turn in (((0, 0, 0), (0, 0, 0)), ((0, 0, 3.5), (0, 0, 0)), ((0, 4, 2), (quarter, 0, 0)), ((-4, 0, 2), (0, quarter, 0)), ((4, 0, 2), (0, quarter, 0))):
        plane(place, 9, wall, turn)
    plane((0, 3.9, 1.8), 1.8, textured('painting', 'blots'), (quarter, 0, 0))
    light('AREA', (0, -1, 3.4), uniform(120, 220), 1.2)
    cube((-1.5, 2, .5), 1, textured('box', 'stripes'))
    subject = monkey((.6, .8, .7), 1.3, material('statue', color(.3, .9), .3))
    camera((0, -4.2, 1.7), (0, 1, 1.1), 26)
    return subject


def race():
    world(color(.1, .4), .8)
    plane((0, 0, 0), 40, textured('road', 'stripes', .7))
    light('AREA', (2, -4, 6), 700, 2, (.5, .2, 0))
    for i in range(5):
        car = cube((i * 1.5 - 3.5, uniform(0, 3), .6), .9, material(f'car{i}', color(), .25, metal=i % 2), (0, 0, uniform(0, 1)))
        move(car, (uniform(1, 2.5) * (i % 2 * 2 - 1), 0, 0))
    subject = sphere((0, -1, .7), .7, textured('ball', 'tiles'))
    camera((0, -8, 2.8))
    bpy.context.scene.render.use_motion_blur = True
    return subject


def fog():
    world((.04, .05, .07), 1)
    plane((0, 0, 0), 24, textured('ground', rough=.8))
    light('SPOT', (1.5, -2, 5), uniform(1200, 2000), rotation=(.4, .2, 0))
    cube((0, 0, 4), 12, mist(uniform(.03, .08)))
    for i in range(4):
        cube((i * 1.7 - 2.5, 2.5, .8), 1.2, material(f'k{i}', color(), .6), (0, 0, i))
    subject = torus((0, 0, .9), .7, material('ring', color(.4, .9), .4))
    camera((0, -5.5, 2))
    return subject


def signs():
    world((0, 0, 0), 0)
    light('AREA', (0, -4, 3), 120, 3, (.9, 0, 0))
    for i in range(6):
        plane((uniform(-3, 3), uniform(-.5, 2), uniform(.2, 2)), uniform(.6, 1.3), material(f'neon{i}', color(), emit=uniform(.5, 3)), (1.4, 0, uniform(-.4, .4)))
    subject = plane((0, -.8, 1), 1.6, textured('poster', 'tiles'), (1.4, 0, .1))
    bpy.context.scene.render.film_transparent = True
    camera((0, -6, 1.2), (0, 0, 1))
    return subject


def night():
    world((.005, .005, .02), 1)
    plane((0, 0, 0), 40, material('wet', (.05, .05, .06), .15))
    for i in range(9):
        height = uniform(1, 3)
        house = cube((uniform(-5, 5), uniform(1, 7), height / 2), 1.2, textured(f'house{i}', 'tiles', .6))
        house.scale.z = height
    for _ in range(12):
        light('POINT', (uniform(-5, 5), uniform(-2, 5), uniform(.8, 2)), uniform(15, 60)).data.color = color(.3, 1)
    subject = sphere((0, -1.5, .7), .7, material('dome', color(.4, .9), .2, metal=1))
    camera((0, -7, 1.8))
    return subject


def crowd():
    world(color(.3, .7), .5)
    plane((0, 0, 0), 40, material('g', color(.3, .7), .8, noise=True))
    light('SUN', (2, -2, 5), 2.5, rotation=(.7, .2, 0))
    first = monkey((-3, 3, .5), .8, material('skin', (.8, .5, .4), .45, sss=.25))
    for row in range(4):
        for column in range(8):
            copy = first.copy()
            copy.location = (column * .95 - 3.4 + uniform(-.2, .2), row * 1.2 + 1.5, .5)
            copy.rotation_euler.z = uniform(-.6, .6)
            bpy.context.collection.objects.link(copy)
    subject = monkey((.3, -.8, .8), 1.5, material('leader', color(.3, .8), .4, sss=.2))
    camera((0, -6.5, 2.4))
    return subject


def flight():
    world((.5, .6, .8), 1)
    plane((0, 0, -1), 80, textured('field', 'blots', .9))
    light('SUN', (2, 2, 5), 3, rotation=(.5, .5, 0))
    for i in range(14):
        cube((uniform(-6, 6), uniform(0, 10), uniform(-.5, 2.5)), uniform(.5, 1.1), material(f'c{i}', color(), .5), (uniform(0, 1), uniform(0, 1), 0))
    subject = torus((0, -1, .8), .8, textured('wheel', 'stripes'))
    eye = camera((-1, -7, 1.5))
    move(eye, (uniform(1, 2), .6, .3))
    bpy.context.scene.render.use_motion_blur = True
    return subject


def mirrors():
    world((.1, .1, .15), 1)
    plane((0, 0, 0), 20, textured('floor', 'tiles', .1))
    plane((0, 3, 2), 8, material('mirror', (.9, .9, .9), .02, metal=1), (1.5708, 0, 0))
    light('AREA', (-2, -2, 4), 300, .5, (.4, -.4, 0))
    light('POINT', (2, 1, 3), 60).data.color = (1, .6, .3)
    for i in range(3):
        sphere((i * 1.8 - 1.8, .8, .6), .6, material(f'm{i}', color(.4, 1), .05 + .1 * i, metal=1))
    subject = cube((.2, -.9, .5), 1, material('prism', (.9, .95, 1), .02, trans=1), (.2, .3, .6))
    camera((.5, -6, 2))
    return subject


KINDS = (still_life, grove, room, race, fog, signs, night, crowd, flight, mirrors)


# --- compositors: pictures that no crop of the render can be compared with -------------------------------------------------------------------------------------------

def compositor():
    scene = bpy.context.scene
    scene.use_nodes = True
    tree = scene.node_tree
    layers, out = tree.nodes['Render Layers'], tree.nodes['Composite']
    glare = tree.nodes.new('CompositorNodeGlare')
    glare.glare_type, glare.threshold = RANDOM.choice(['FOG_GLOW', 'STREAKS', 'GHOSTS']), .6
    balance = tree.nodes.new('CompositorNodeColorBalance')
    balance.gain = tuple(uniform(.9, 1.1) for _ in range(3))
    blur = tree.nodes.new('CompositorNodeBlur')
    blur.size_x = blur.size_y = RANDOM.choice([0, 2, 4])
    for before, after in ((layers, glare), (glare, balance), (balance, blur), (blur, out)):
        links = before.outputs['Image'], after.inputs['Image']
        tree.links.new(*links)


# --- versions -------------------------------------------------------------------------------------------------------------------------------------------------

def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(OUT, f'{name}.blend'), copy=True, compress=True)


def with_changed(owner, name, value):
    """Saves a version under the field's change and takes it back."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    return lambda: setattr(owner, name, before)


def versions(subject):
    scene = bpy.context.scene
    lights = [thing for thing in bpy.data.objects if thing.type == 'LIGHT']
    lights.sort(key=lambda thing: -thing.data.energy)

    def version(name, owner, field, value):
        undo = with_changed(owner, field, value)
        save(name)
        undo()

    version('missing-object', subject, 'hide_render', True)
    version('light-off', lights[0], 'hide_render', True)
    version('light-dimmer', lights[0].data, 'energy', lights[0].data.energy * .85)
    version('one-bounce', scene.cycles, 'max_bounces', 1)
    version('clamped', scene.cycles, 'sample_clamp_indirect', .3)
    version('clay', bpy.context.view_layer, 'material_override', material('override', (.5, .5, .5), .8))
    version('other-lens', scene.camera.data, 'lens', scene.camera.data.lens * 1.01)
    version('view-transform', scene.view_settings, 'view_transform', 'Standard' if scene.view_settings.view_transform == 'Filmic' else 'Filmic')
    background = scene.world.node_tree.nodes['Background'].inputs[1]
    if background.default_value > 0:
        version('world-off', background, 'default_value', 0)
    if scene.cycles.use_adaptive_sampling:
        version('coarser-adaptive', scene.cycles, 'adaptive_threshold', .25)
    if scene.render.use_motion_blur:
        version('no-motion-blur', scene.render, 'use_motion_blur', False)
    if scene.camera.data.dof.use_dof:
        version('no-depth-of-field', scene.camera.data.dof, 'use_dof', False)
    for thing, name, by in ((scene.camera, 'camera-moved', (.06, 0, .03)), (subject, 'object-moved', (.15, 0, .05))):
        if not thing.animation_data:
            version(name, thing, 'location', [a + b for a, b in zip(thing.location, by)])
    recolored(subject)
    untextured()


def recolored(subject):
    """An older version of the file, in which the subject was a fifth darker."""
    socket = subject.data.materials[0].node_tree.nodes['Principled BSDF'].inputs['Base Color']
    if socket.is_linked:
        return
    before = list(socket.default_value)
    socket.default_value = [*(value * .8 for value in before[:3]), 1]
    save('older-material')
    socket.default_value = before


def untextured():
    """As Blender shows a picture that is not there: magenta."""
    images = [image for image in bpy.data.images if image.packed_file]
    if not images:
        return
    image = max(images, key=lambda one: one.users)
    before = list(image.pixels)
    image.pixels = [1, 0, 1, 1] * (len(before) // 4)
    image.pack()
    save('missing-texture')
    image.pixels = before
    image.pack()


def settings():
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = 'CYCLES'
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.frame_start, scene.frame_end = 1, FRAMES
    cycles.device, cycles.samples, cycles.max_bounces = 'CPU', RANDOM.choice([8, 10, 12]), RANDOM.choice([4, 8])
    cycles.use_denoising = False
    cycles.use_animated_seed = RANDOM.random() < .5
    cycles.seed = RANDOM.randrange(1000)
    cycles.use_adaptive_sampling = RANDOM.random() < .5
    cycles.adaptive_threshold, cycles.adaptive_min_samples = .04, 6
    scene.view_settings.view_transform = RANDOM.choice(['Filmic', 'Standard'])
    png = NUMBER // len(KINDS) % 2 == NUMBER % 2
    image = render.image_settings
    image.file_format = 'PNG' if png else 'OPEN_EXR'
    image.color_depth = '8' if png else '16'
    image.color_mode = 'RGBA' if render.film_transparent else 'RGB'


def main():
    os.makedirs(OUT, exist_ok=True)
    bpy.ops.object.select_all(action='SELECT')
    bpy.ops.object.delete()
    kind = KINDS[NUMBER % len(KINDS)]
    subject = kind()
    settings()
    if not bpy.context.scene.camera.animation_data:
        # Something passes through the picture in every scene.
        bpy.context.scene.frame_set(1)
        passing = sphere((uniform(-1.5, 1), -1.8, uniform(.3, 1.6)), .25, material('passing', color(.3, .9), .4))
        move(passing, (uniform(.8, 1.6), 0, uniform(-.2, .4)))
    composited = NUMBER % 3 == 0 and not bpy.context.scene.render.film_transparent
    if composited:
        compositor()
    save('scene')
    versions(subject)
    scene = bpy.context.scene
    facts = {
        'kind': kind.__name__, 'composited': composited, 'motionBlur': scene.render.use_motion_blur, 'adaptive': scene.cycles.use_adaptive_sampling,
        'samples': scene.cycles.samples, 'format': scene.render.image_settings.file_format, 'frames': FRAMES,
    }
    with open(os.path.join(OUT, 'facts.json'), 'w') as file:
        json.dump(facts, file)
    print('DONE', NUMBER, facts)


main()

"""Renders calibration pictures of one scene, for campaign/check.ts and campaign/gpu-check.ts:

    blender -b --factory-startup -Y -t 1 [FILE.blend] -P scenes.py -- SCENE FOLDER [CPU|CUDA|OPTIX|HIP|ONEAPI]

Without a file the scene is one of those built here. Per scene: 30 honest renders (3 frames x 10 seeds), 3 crops at seed 1, and defects at seed 9, each as
PNG 8-bit and EXR half. Pictures that are there already are not rendered again.
"""
import json
import os
import random
import sys
import time

import bpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from parts import camera, cube, light, material, mist, move, plane, sphere, world  # noqa: E402

NAME, OUT, DEVICE = (sys.argv[sys.argv.index('--') + 1:] + ['CPU'])[:3]
WIDTH, HEIGHT = 256, 144
# Seeded by the name: the same scene on every machine.
RANDOM = random.Random(NAME)
uniform = RANDOM.uniform


def random_color():
    return (RANDOM.random(), RANDOM.random(), RANDOM.random())


# --- scenes: each returns the object that the defects are about ------------------------------------------------------------------------------------------------

def field():
    world((.3, .5, .9), .6)
    plane((0, 0, 0), 40, material('g', (.2, .5, .1), .9, noise=True))
    light('SUN', (3, -3, 6), 3, rotation=(.6, .3, 0))
    for i in range(14):
        last = sphere((uniform(-4, 4), uniform(-2, 5), .5), uniform(.3, .7), material(f's{i}', random_color(), RANDOM.random()))
    camera((0, -8, 2.5))
    move(last, (.4, 0, .2))
    return last


def motion():
    world((.1, .1, .12), 1)
    plane((0, 0, 0), 30, grey())
    light('AREA', (2, -4, 6), 600, 2, (.5, .2, 0))
    for i in range(6):
        place = (i * 1.3 - 3, uniform(-1, 2), .8)
        last = cube(place, .9, material(f'c{i}', random_color(), .4), (0, 0, RANDOM.random()))
        move(last, (1.5 * (i % 2 * 2 - 1), 0, .3))
    camera((0, -9, 3))
    bpy.context.scene.render.use_motion_blur = True
    return last


def glassy():
    world((.02, .02, .03), 1)
    plane((0, 0, 0), 20, material('w', (.7, .6, .5), .4))
    light('AREA', (-3, -2, 5), 500, .6, (.3, -.4, 0))
    light('POINT', (2, 1, 3), 120)
    for i in range(4):
        last = sphere((i * 1.4 - 2.1, uniform(-1, 1), .7), .65, material(f'g{i}', (.9, .95, 1), .0, trans=1))
    behind = cube((0, 2, 1), 1.4, material('r', (.8, .1, .1), .3))
    camera((0, -7, 2.2))
    move(last, (.3, .2, 0))
    return behind


def volume():
    world((.05, .06, .08), 1)
    plane((0, 0, 0), 20, grey())
    light('SPOT', (1, -2, 5), 1500, rotation=(.4, .1, 0))
    ball = sphere((0, 0, .8), .8, material('s', (.8, .3, .1), .4))
    cube((0, 0, 4), 12, mist(.06))
    for i in range(5):
        cube((i * 1.6 - 3, 2.5, .7), 1.1, material(f'k{i}', (RANDOM.random(), .4, RANDOM.random()), .6), (0, 0, i))
    camera((0, -5.5, 2))
    move(ball, (.3, 0, .2))
    return ball


def bokeh():
    world((.0, .0, .01), 1)
    plane((0, 0, 0), 30, material('g', (.15, .15, .17), .25))
    light('AREA', (0, -3, 5), 150, 3)
    for i in range(40):
        place = (uniform(-6, 6), uniform(2, 14), uniform(.2, 4))
        sphere(place, .08, material(f'e{i}', random_color(), emit=uniform(5, 40)))
    ball = sphere((0, 0, .8), .8, material('s', (.7, .7, .2), .2, metal=1))
    lens = camera((0, -5, 1.5)).data
    lens.dof.use_dof, lens.dof.focus_distance, lens.dof.aperture_fstop = True, 5, .4
    move(ball, (.25, 0, .1))
    return ball


def sss():
    world((.6, .6, .65), .5)
    plane((0, 0, 0), 20, material('g', (.6, .55, .5), .6, noise=True))
    light('AREA', (3, -3, 4), 300, 1, (.6, .5, 0))
    for i in range(3):
        look = material(f's{i}', (.8, .4 + .1 * i, .3), .4, sss=.3 + .2 * i, noise=i == 1)
        last = sphere((i * 1.8 - 1.8, 0, .85), .85, look)
    camera((0, -6.5, 2))
    move(last, (.2, -.3, .1))
    bpy.context.scene.view_settings.view_transform = 'Filmic'
    return last


def interior():
    world((.8, .9, 1), 3)
    wall = material('wall', (.75, .72, .68), .8)
    quarter = 1.5708
    for place, rotation in (
        ((0, 0, 0), (0, 0, 0)),
        ((0, 0, 4), (0, 0, 0)),
        ((0, 4, 2), (quarter, 0, 0)),
        ((-4, 0, 2), (0, quarter, 0)),
        ((0, -6.5, 2), (quarter, 0, 0)),
    ):
        plane(place, 13, wall, rotation)
    for i in range(5):
        place = (uniform(-3, 2), uniform(-1, 3), .5)
        last = cube(place, uniform(.6, 1.2), material(f'c{i}', random_color(), .5), (0, 0, RANDOM.random()))
    camera((0, -5.5, 2), (0, 0, 1.3), 24)
    move(last, (.3, 0, 0))
    light('AREA', (4, 0, 2), 200, 1.5, (0, quarter, 0))
    return last


def lamps():
    world((.02, .02, .02), 1)
    plane((0, 0, 0), 16, material('fl', (.4, .25, .15), .35, noise=True))
    bpy.context.scene.render.film_transparent = True
    for _ in range(10):
        color = random_color()
        light('POINT', (uniform(-4, 4), uniform(-3, 3), uniform(1, 3)), uniform(20, 80)).data.color = color
    for i in range(9):
        place = (uniform(-3, 3), uniform(-1, 3), .6)
        last = cube(place, uniform(.5, 1.2), material(f'c{i}', random_color(), .3, metal=i % 2), (0, 0, RANDOM.random()))
    camera((0, -7, 2.4))
    move(last, (.3, .1, .1))
    return last


def grey():
    return bpy.data.materials['grey']


BUILT = {build.__name__: build for build in (field, motion, glassy, volume, bokeh, sss, interior, lamps)}


def open_scene():
    """The object that the defects are about, and a light or None."""
    if not bpy.data.filepath:
        bpy.ops.object.select_all(action='SELECT')
        bpy.ops.object.delete()
        material('grey', (.5, .5, .5), .7)
        subject = BUILT[NAME]()
    else:
        meshes = [thing for thing in bpy.data.objects if thing.type == 'MESH' and not thing.hide_render]
        subject = max(meshes, key=lambda thing: len(thing.data.polygons))
    lights = [thing for thing in bpy.data.objects if thing.type == 'LIGHT']
    return subject, lights[0] if lights else None


# --- pictures -------------------------------------------------------------------------------------------------------------------------------------------------

def use_device():
    bpy.context.scene.cycles.device = 'CPU' if DEVICE == 'CPU' else 'GPU'
    if DEVICE == 'CPU':
        return
    preferences = bpy.context.preferences.addons['cycles'].preferences
    preferences.compute_device_type = DEVICE
    preferences.get_devices()
    for device in preferences.devices:
        device.use = device.type == DEVICE


def settings():
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = 'CYCLES'
    use_device()
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    render.use_persistent_data = True
    render.use_compositing = render.use_sequencer = render.use_border = render.use_crop_to_border = False
    cycles.samples = {'interior': 48, 'glassy': 40}.get(NAME, 24)
    cycles.use_denoising = cycles.use_animated_seed = False
    cycles.use_adaptive_sampling = NAME in ('field', 'glassy', 'interior', 'robot')
    cycles.adaptive_threshold, cycles.adaptive_min_samples = .03, 8
    cycles.max_bounces = 8


def save(path):
    image = bpy.context.scene.render.image_settings
    result = bpy.data.images['Render Result']
    image.file_format, image.color_depth = 'PNG', '8'
    result.save_render(path + '.png')
    image.file_format, image.color_depth, image.exr_codec = 'OPEN_EXR', '16', 'ZIP'
    result.save_render(path + '.exr')


def shoot(label, frame, seed):
    path = f'{OUT}/{label}_f{frame}_s{seed}'
    if os.path.exists(path + '.exr'):
        return
    scene = bpy.context.scene
    scene.frame_set(frame)
    scene.cycles.seed = seed
    scene.render.image_settings.color_mode = 'RGBA' if scene.render.film_transparent else 'RGB'
    started = time.time()
    bpy.ops.render.render()
    save(path)
    row = {
        'scene': NAME,
        'label': label,
        'frame': frame,
        'seed': seed,
        'spp': scene.cycles.samples,
        'sec': round(time.time() - started, 2),
        'file': os.path.basename(path),
    }
    with open(f'{OUT}/list.jsonl', 'a') as rows:
        rows.write(json.dumps(row) + '\n')


def honest(seeds):
    for frame in (1, 2, 3):
        for seed in seeds:
            shoot('honest', frame, seed)


def crops():
    render = bpy.context.scene.render
    render.use_border = render.use_crop_to_border = True
    for x, y, width, height in ((10, 20, 64, 48), (100, 60, 64, 48), (180, 90, 64, 48)):
        render.border_min_x, render.border_max_x = x / WIDTH, (x + width) / WIDTH
        render.border_max_y, render.border_min_y = 1 - y / HEIGHT, 1 - (y + height) / HEIGHT
        shoot(f'crop-{x}-{y}-{width}-{height}', 2, 1)
    render.use_border = render.use_crop_to_border = False


def defects(subject, lamp):
    cycles = bpy.context.scene.cycles
    ordered = cycles.samples
    for percent in (75, 50):
        cycles.samples = max(1, round(ordered * percent / 100))
        shoot(f'low{percent}', 2, 9)
    cycles.samples = ordered
    bounces, cycles.max_bounces = cycles.max_bounces, 1
    shoot('bounce1', 2, 9)
    cycles.max_bounces = bounces
    old_material(subject)
    for thing, label in ((subject, 'missing'), (lamp, 'nolight')):
        if thing:
            thing.hide_render = True
            shoot(label, 2, 9)
            thing.hide_render = False


def old_material(subject):
    """As if the farm had an earlier version of the file: one material a fifth darker."""
    look = subject.data.materials[0] if subject.data.materials else None
    shaders = [node for node in look.node_tree.nodes if node.type == 'BSDF_PRINCIPLED'] if look and look.use_nodes else []
    if not shaders or shaders[0].inputs['Base Color'].is_linked:
        return
    color = shaders[0].inputs['Base Color']
    before = list(color.default_value)
    color.default_value = [*(value * .8 for value in before[:3]), 1]
    shoot('oldmat', 2, 9)
    color.default_value = before


def main():
    subject, lamp = open_scene()
    settings()
    os.makedirs(OUT, exist_ok=True)
    honest(range(1, 5))
    crops()
    defects(subject, lamp)
    honest(range(5, 11))
    print('DONE', NAME)


main()

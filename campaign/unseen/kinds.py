"""The kinds of scenes: each builds one and returns the object that its versions are about."""
import bpy

from drawn import RANDOM, color, uniform
from parts import camera, cube, light, material, mist, move, plane, sphere, world


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

"""Builds orrery.blend and its texture star-chart.png, both beside this script.

    blender -b --factory-startup -Y --python-exit-code 1 -P examples/scenes/orrery.py

A brass orrery on a painted star chart: 24 frames, 320x180, 16 samples, Cycles. Made so that few samples look clean: one soft sun, a plain gradient sky, rough
metals, two bounces. Adaptive sampling, denoising and the compositor are off and the seed is fixed, so any two renders of a frame can be compared.
"""
import math
import os
import random
import struct
import zlib

import bpy
from mathutils import Vector

HERE = os.path.dirname(os.path.abspath(__file__))
FRAMES = 24
CHART = 'star-chart.png'


# --- the texture: a star chart, drawn without any library ------------------------------------------------------------------------------------------------

def mix(a, b, t):
    return tuple(x + (y - x) * t for x, y in zip(a, b))


def chart_pixel(u, v, stars):
    """Colour (sRGB 0..1) of the chart at u, v in -1..1."""
    r, angle = math.hypot(u, v), math.atan2(v, u)
    night = mix((0.030, 0.062, 0.150), (0.075, 0.165, 0.300), max(0.0, 1 - r))
    gold = (0.930, 0.745, 0.380)
    colour = night
    for x, y, size, light in stars:
        d = math.hypot(u - x, v - y)
        if d < size:
            colour = mix(colour, (1.0, 0.96, 0.84), light * (1 - d / size))
    for ring in (0.265, 0.415, 0.565, 0.735, 0.905):
        line = max(0.0, 1 - abs(r - ring) / 0.0065)
        colour = mix(colour, gold, 0.85 * line)
    if 0.905 < r < 0.975:
        step = math.pi / 36
        off = abs((angle / step) - round(angle / step)) * step * r
        long_tick = round(angle / step) % 6 == 0
        if r > (0.915 if long_tick else 0.940):
            colour = mix(colour, gold, max(0.0, 1 - off / 0.009))
    if r > 0.975:
        colour = mix(colour, gold, min(1.0, (r - 0.975) / 0.008))
    return colour


def write_chart(path, size=512):
    rng = random.Random(7)
    stars = []
    for _ in range(150):
        a, r = rng.uniform(-math.pi, math.pi), 0.93 * math.sqrt(rng.random())
        stars.append((r * math.cos(a), r * math.sin(a), rng.choice((0.009, 0.011, 0.016)), rng.uniform(0.5, 1)))
    rows = bytearray()
    for y in range(size):
        v = 1 - 2 * (y + 0.5) / size
        near = [s for s in stars if abs(s[1] - v) < 0.02]
        rows.append(0)
        for x in range(size):
            u = 2 * (x + 0.5) / size - 1
            rows += bytes(round(255 * min(1.0, c)) for c in chart_pixel(u, v, near))

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', size, size, 8, 2, 0, 0, 0)))
        file.write(chunk(b'IDAT', zlib.compress(bytes(rows), 9)) + chunk(b'IEND', b''))


# --- materials -----------------------------------------------------------------------------------------------------------------------------------------------

def material(name, colour, roughness=0.6, metallic=0.0, specular=0.35):
    m = bpy.data.materials.new(name)
    m.use_nodes = True
    shader = m.node_tree.nodes['Principled BSDF']
    shader.inputs['Base Color'].default_value = (*colour, 1)
    shader.inputs['Roughness'].default_value = roughness
    shader.inputs['Metallic'].default_value = metallic
    shader.inputs['Specular'].default_value = specular
    return m


def ramp(tree, stops):
    node = tree.nodes.new('ShaderNodeValToRGB')
    elements = node.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(0.5)
    for element, (at, colour) in zip(elements, stops):
        element.position, element.color = at, (*colour, 1)
    return node


def textured(m, kind, stops, settings, scale=None):
    """Colours a material by a procedural texture through a colour ramp, in the object's own coordinates."""
    tree = m.node_tree
    coords = tree.nodes.new('ShaderNodeTexCoord')
    texture = tree.nodes.new(kind)
    for name, value in settings.items():
        if name in texture.inputs:
            texture.inputs[name].default_value = value
        else:
            setattr(texture, name, value)
    colours = ramp(tree, stops)
    tree.links.new(coords.outputs['Object'], texture.inputs['Vector'])
    tree.links.new(texture.outputs['Fac'], colours.inputs['Fac'])
    tree.links.new(colours.outputs['Color'], tree.nodes['Principled BSDF'].inputs['Base Color'])
    return m


def chart_material(path):
    m = material('Star chart', (1, 1, 1), roughness=0.55)
    image = m.node_tree.nodes.new('ShaderNodeTexImage')
    image.image = bpy.data.images.load(path)
    m.node_tree.links.new(image.outputs['Color'], m.node_tree.nodes['Principled BSDF'].inputs['Base Color'])
    return m


def glow(name, colour, strength):
    """Seen by the camera and by mirrors, but no lamp: the light comes from a lamp inside, which few samples resolve far better."""
    m = bpy.data.materials.new(name)
    m.use_nodes = True
    m.cycles.sample_as_light = False
    tree = m.node_tree
    tree.nodes.clear()
    layer = tree.nodes.new('ShaderNodeLayerWeight')
    layer.inputs['Blend'].default_value = 0.35
    colours = ramp(tree, [(0.0, (1.0, 0.62, 0.16)), (1.0, colour)])
    path = tree.nodes.new('ShaderNodeLightPath')
    power = tree.nodes.new('ShaderNodeMath')
    power.operation = 'MULTIPLY'
    power.inputs[1].default_value = strength
    shine = tree.nodes.new('ShaderNodeEmission')
    out = tree.nodes.new('ShaderNodeOutputMaterial')
    tree.links.new(layer.outputs['Facing'], colours.inputs['Fac'])
    tree.links.new(colours.outputs['Color'], shine.inputs['Color'])
    tree.links.new(path.outputs['Is Camera Ray'], power.inputs[0])
    tree.links.new(power.outputs['Value'], shine.inputs['Strength'])
    tree.links.new(shine.outputs['Emission'], out.inputs['Surface'])
    return m


# --- shapes --------------------------------------------------------------------------------------------------------------------------------------------------

def finish(name, m, parent=None, smooth=True):
    obj = bpy.context.object
    obj.name = name
    obj.data.materials.append(m)
    if smooth:
        for polygon in obj.data.polygons:
            polygon.use_smooth = True
        obj.data.use_auto_smooth = True
    obj.parent = parent
    return obj


def ball(name, m, radius, at, parent=None):
    bpy.ops.mesh.primitive_uv_sphere_add(segments=48, ring_count=24, radius=radius, location=at)
    return finish(name, m, parent)


def rod(name, m, radius, start, end, parent=None, sides=20):
    start, end = Vector(start), Vector(end)
    bpy.ops.mesh.primitive_cylinder_add(vertices=sides, radius=radius, depth=(end - start).length, location=(start + end) / 2)
    bpy.context.object.rotation_euler = (end - start).to_track_quat('Z', 'Y').to_euler()
    return finish(name, m, parent)


def hoop(name, m, radius, thickness, at, parent=None, flat=1.0):
    bpy.ops.mesh.primitive_torus_add(major_segments=96, minor_segments=14, major_radius=radius, minor_radius=thickness, location=at)
    bpy.context.object.scale.z = flat
    return finish(name, m, parent)


def turning(name, start, turn):
    """An empty that turns by `turn` degrees over the whole shot, at constant speed."""
    pivot = bpy.data.objects.new(name, None)
    bpy.context.collection.objects.link(pivot)
    for frame, angle in ((1, start), (FRAMES, start + turn)):
        pivot.rotation_euler.z = math.radians(angle)
        pivot.keyframe_insert('rotation_euler', index=2, frame=frame)
    linear(pivot)
    return pivot


def linear(obj):
    for curve in obj.animation_data.action.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = 'LINEAR'


# --- the shot ------------------------------------------------------------------------------------------------------------------------------------------------

def build_stage(chart):
    floor = material('Floor', (0.030, 0.052, 0.078), roughness=0.85, specular=0.0)
    bpy.ops.mesh.primitive_plane_add(size=60)
    finish('Floor', floor, smooth=False)
    brass = material('Brass', (0.86, 0.56, 0.22), roughness=0.30, metallic=1.0)
    wood = material('Walnut', (0.105, 0.042, 0.022), roughness=0.45)
    bpy.ops.mesh.primitive_cylinder_add(vertices=128, radius=3.0, depth=0.34, location=(0, 0, 0.17))
    finish('Base', wood)
    bpy.ops.mesh.primitive_circle_add(vertices=128, radius=2.9, fill_type='NGON', location=(0, 0, 0.345))
    bpy.ops.object.mode_set(mode='EDIT')
    bpy.ops.uv.unwrap()
    bpy.ops.object.mode_set(mode='OBJECT')
    disc = finish('Chart', chart, smooth=False)
    for loop, uv in zip(disc.data.loops, disc.data.uv_layers.active.data):
        at = disc.data.vertices[loop.vertex_index].co
        uv.uv = (0.5 + at.x / 5.8, 0.5 + at.y / 5.8)
    hoop('Rim', brass, 2.96, 0.075, (0, 0, 0.34))
    hoop('Foot', brass, 3.02, 0.06, (0, 0, 0.06))
    return brass


def build_sun(brass):
    rod('Column', brass, 0.075, (0, 0, 0.34), (0, 0, 1.0))
    hoop('Collar', brass, 0.16, 0.05, (0, 0, 0.39))
    sun = ball('Sun', glow('Sun', (1.0, 0.20, 0.01), 1.35), 0.43, (0, 0, 1.38))
    sun.visible_shadow = sun.visible_diffuse = False
    lamp = bpy.data.lights.new('Sun lamp', 'POINT')
    lamp.energy, lamp.color, lamp.shadow_soft_size = 95, (1.0, 0.68, 0.34), 0.22
    holder = bpy.data.objects.new('Sun lamp', lamp)
    holder.location = (0, 0, 1.38)
    bpy.context.collection.objects.link(holder)


def build_planet(brass, name, m, radius, distance, height, start, turn, extra=None):
    pivot = turning(f'{name} arm', start, turn)
    rod(f'{name} rod', brass, 0.026, (0, 0, 0.62 + 0.05 * distance), (distance, 0, 0.62 + 0.05 * distance), pivot)
    rod(f'{name} post', brass, 0.026, (distance, 0, 0.61 + 0.05 * distance), (distance, 0, height), pivot)
    planet = ball(name, m, radius, (distance, 0, height), pivot)
    if extra:
        extra(pivot, distance, height)
    return planet


def build_planets(brass):
    rock = textured(material('Ember', (1, 1, 1), roughness=0.7), 'ShaderNodeTexNoise',
                    [(0.38, (0.55, 0.10, 0.045)), (0.62, (0.90, 0.36, 0.13))], {'Scale': 5.5, 'Detail': 2.0})
    ocean = textured(material('Ocean', (1, 1, 1), roughness=0.4), 'ShaderNodeTexNoise',
                     [(0.47, (0.025, 0.20, 0.50)), (0.53, (0.16, 0.42, 0.13)), (0.66, (0.80, 0.86, 0.82))],
                     {'Scale': 2.6, 'Detail': 3.0})
    bands = textured(material('Giant', (1, 1, 1)), 'ShaderNodeTexWave',
                     [(0.0, (0.40, 0.13, 0.05)), (0.40, (0.74, 0.40, 0.17)), (0.70, (0.86, 0.66, 0.42)), (1.0, (0.48, 0.17, 0.07))],
                     {'Scale': 1.25, 'Distortion': 1.6, 'Detail': 1.0, 'bands_direction': 'Z'})
    ice = material('Ice', (0.10, 0.52, 0.60), roughness=0.35)
    violet = material('Violet', (0.30, 0.13, 0.52), roughness=0.4)
    moon = material('Moon', (0.75, 0.72, 0.68))
    rings = material('Rings', (0.80, 0.60, 0.36))

    def small_moon(pivot, distance, height):
        arm = turning('Moon arm', 40, 150)
        arm.parent, arm.location = pivot, (distance, 0, height)
        ball('Moon', moon, 0.075, (0.40, 0, 0.10), arm)

    def saturn_rings(pivot, distance, height):
        for i, radius in enumerate((0.50, 0.60)):
            ring = hoop(f'Ring {i}', rings, radius, 0.052, (distance, 0, height), pivot, flat=0.16)
            ring.rotation_euler = (math.radians(24), math.radians(-12), 0)

    build_planet(brass, 'Ember', rock, 0.15, 0.78, 1.22, 205, 110)
    build_planet(brass, 'Violet', violet, 0.19, 1.18, 1.10, 70, 80)
    build_planet(brass, 'Ocean', ocean, 0.26, 1.64, 1.22, 318, 52, small_moon)
    build_planet(brass, 'Giant', bands, 0.40, 2.16, 1.18, 178, 34)
    build_planet(brass, 'Ice', ice, 0.31, 2.62, 1.24, 18, 24, saturn_rings)


def build_light():
    world = bpy.data.worlds.new('Evening')
    bpy.context.scene.world = world
    world.use_nodes = True
    tree = world.node_tree
    coords, split = tree.nodes.new('ShaderNodeTexCoord'), tree.nodes.new('ShaderNodeSeparateXYZ')
    sky = ramp(tree, [(0.0, (0.46, 0.27, 0.18)), (0.15, (0.42, 0.30, 0.28)), (0.45, (0.17, 0.23, 0.36)), (1.0, (0.08, 0.13, 0.27))])
    tree.links.new(coords.outputs['Generated'], split.inputs['Vector'])
    tree.links.new(split.outputs['Z'], sky.inputs['Fac'])
    tree.links.new(sky.outputs['Color'], tree.nodes['Background'].inputs['Color'])
    tree.nodes['Background'].inputs['Strength'].default_value = 0.9
    sun = bpy.data.lights.new('Window', 'SUN')
    sun.energy, sun.color, sun.angle = 2.6, (1.0, 0.93, 0.84), math.radians(5)
    holder = bpy.data.objects.new('Window', sun)
    holder.rotation_euler = (math.radians(48), math.radians(8), math.radians(-38))
    bpy.context.collection.objects.link(holder)


def build_camera():
    target = bpy.data.objects.new('Target', None)
    target.location = (0, 0, 0.60)
    bpy.context.collection.objects.link(target)
    data = bpy.data.cameras.new('Camera')
    data.lens = 50
    camera = bpy.data.objects.new('Camera', data)
    bpy.context.collection.objects.link(camera)
    aim = camera.constraints.new('TRACK_TO')
    aim.target, aim.track_axis, aim.up_axis = target, 'TRACK_NEGATIVE_Z', 'UP_Y'
    for frame in (1, 7, 13, 19, FRAMES):
        t = (frame - 1) / (FRAMES - 1)
        angle, distance = math.radians(-112 + 30 * t), 10.3 - 0.7 * t
        camera.location = (distance * math.cos(angle), distance * math.sin(angle), 4.6 - 0.8 * t)
        camera.keyframe_insert('location', frame=frame)
    bpy.context.scene.camera = camera


def settings():
    scene = bpy.context.scene
    scene.name = 'Orrery'
    scene.frame_start, scene.frame_end = 1, FRAMES
    render, cycles = scene.render, scene.cycles
    render.engine = 'CYCLES'
    render.resolution_x, render.resolution_y, render.resolution_percentage = 320, 180, 100
    render.image_settings.file_format, render.image_settings.color_mode, render.image_settings.color_depth = 'PNG', 'RGB', '8'
    render.filepath = '//orrery-'
    render.dither_intensity = 0  # it would make crops differ from the whole frame by one level
    render.use_persistent_data = False
    render.use_compositing = render.use_sequencer = False
    scene.view_settings.view_transform, scene.view_settings.look = 'Filmic', 'Medium High Contrast'
    cycles.device, cycles.samples, cycles.seed = 'CPU', 16, 1
    cycles.use_adaptive_sampling = cycles.use_denoising = cycles.use_animated_seed = False
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 1, 2
    cycles.transmission_bounces = cycles.transparent_max_bounces = cycles.volume_bounces = 0
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 2.0
    cycles.use_fast_gi, cycles.fast_gi_method, cycles.ao_bounces_render = True, 'REPLACE', 1
    cycles.filter_width = 1.5


def main():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    write_chart(os.path.join(HERE, CHART))
    brass = build_stage(chart_material(os.path.join(HERE, CHART)))
    build_sun(brass)
    build_planets(brass)
    build_light()
    build_camera()
    settings()
    bpy.context.preferences.filepaths.save_version = 0
    target = os.path.join(HERE, 'orrery.blend')
    bpy.ops.wm.save_as_mainfile(filepath=target, compress=True, relative_remap=True)
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_mainfile(compress=True)


main()

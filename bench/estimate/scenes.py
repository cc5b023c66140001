"""Scenes whose frames cost differently, drawn from a seed: blender -b --factory-startup -Y -P scenes.py -- FOLDER SEED... writes FOLDER/made-SEED.blend."""
import math
import os
import random
import sys

import bpy

folder, *seeds = sys.argv[sys.argv.index('--') + 1:]
FRAMES = 100


def material(draw, kind):
    made = bpy.data.materials.new(kind)
    made.use_nodes = True
    shader = made.node_tree.nodes['Principled BSDF']
    shader.inputs['Base Color'].default_value = (draw.random(), draw.random(), draw.random(), 1)
    shader.inputs['Roughness'].default_value = draw.uniform(0.05, 0.9)
    if kind == 'glass':
        shader.inputs['Transmission'].default_value = 1
        shader.inputs['Roughness'].default_value = draw.uniform(0, 0.2)
    if kind == 'metal':
        shader.inputs['Metallic'].default_value = 1
    if kind == 'noise':
        texture = made.node_tree.nodes.new('ShaderNodeTexNoise')
        texture.inputs['Detail'].default_value = 12
        made.node_tree.links.new(texture.outputs['Color'], shader.inputs['Base Color'])
    return made


def visible(obj, first, last):
    """Rendered only from frame `first` to `last`."""
    for frame, hidden in ((first - 1, True), (first, False), (last, False), (last + 1, True)):
        if 1 <= frame <= FRAMES:
            obj.hide_render = hidden
            obj.keyframe_insert('hide_render', frame=frame)


def thing(draw, where):
    add = draw.choice((bpy.ops.mesh.primitive_uv_sphere_add, bpy.ops.mesh.primitive_cube_add, bpy.ops.mesh.primitive_torus_add, bpy.ops.mesh.primitive_monkey_add))
    add(location=where)
    obj = bpy.context.object
    obj.scale = (draw.uniform(0.3, 0.8),) * 3
    obj.data.materials.append(material(draw, draw.choice(('plain', 'glass', 'metal', 'noise'))))
    if draw.random() < 0.4:
        obj.modifiers.new('Smooth', 'SUBSURF').render_levels = draw.randint(1, 3)
    return obj


def build(seed):
    draw = random.Random(seed)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = draw.choice(((192, 108), (160, 160), (240, 135), (320, 180), (120, 200)))
    pixels = scene.render.resolution_x * scene.render.resolution_y
    scene.cycles.samples = max(4, min(64, round(draw.choice((0.15e6, 0.3e6, 0.6e6)) / pixels)))
    scene.cycles.use_adaptive_sampling = draw.random() < 0.3
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = draw.choice((4, 8, 12))
    scene.render.use_motion_blur = draw.random() < 0.2
    world = bpy.data.worlds.new('World')
    world.use_nodes = True
    scene.world = world
    if draw.random() < 0.5:
        sky = world.node_tree.nodes.new('ShaderNodeTexSky')
        world.node_tree.links.new(sky.outputs['Color'], world.node_tree.nodes['Background'].inputs['Color'])
        world.node_tree.nodes['Background'].inputs['Strength'].default_value = 0.3
    bpy.ops.mesh.primitive_plane_add(size=40)
    bpy.context.object.data.materials.append(material(draw, draw.choice(('plain', 'noise', 'metal'))))
    things = [thing(draw, (draw.uniform(-6, 6), draw.uniform(-6, 6), draw.uniform(0.3, 3))) for _ in range(draw.randint(6, 24))]
    for obj in things:
        if draw.random() < 0.5:
            for frame in (1, FRAMES):
                obj.location.x += draw.uniform(-4, 4)
                obj.rotation_euler.z += draw.uniform(0, 6)
                obj.keyframe_insert('location', frame=frame)
                obj.keyframe_insert('rotation_euler', frame=frame)
    for _ in range(draw.randint(1, 4)):
        bpy.ops.object.light_add(type=draw.choice(('AREA', 'POINT', 'SUN')), location=(draw.uniform(-8, 8), draw.uniform(-8, 8), draw.uniform(4, 9)))
        bpy.context.object.data.energy = 3 if bpy.context.object.data.type == 'SUN' else 800
    bpy.ops.object.empty_add(location=(0, 0, 1))
    target = bpy.context.object
    bpy.ops.object.camera_add()
    camera = scene.camera = bpy.context.object
    follow = camera.constraints.new('TRACK_TO')
    follow.target, follow.track_axis, follow.up_axis = target, 'TRACK_NEGATIVE_Z', 'UP_Y'
    turn = draw.uniform(0, 6.3)
    for frame in range(1, FRAMES + 1, 33):
        radius, turn = draw.uniform(4, 18), turn + draw.uniform(-1, 1)
        camera.location = (radius * math.cos(turn), radius * math.sin(turn), draw.uniform(1, 8))
        camera.keyframe_insert('location', frame=frame)
    kind = draw.choice(('steady', 'growing', 'spike', 'cut', 'deforming'))
    if kind == 'growing':  # one after the other appears
        for i, obj in enumerate(things):
            visible(obj, 1 + i * FRAMES // len(things), FRAMES)
    if kind == 'spike':  # something heavy for a few frames
        first = draw.randint(10, 70)
        length = draw.randint(6, 20)
        for _ in range(8):
            obj = thing(draw, (draw.uniform(-2, 2), draw.uniform(-2, 2), draw.uniform(1, 3)))
            obj.data.materials.clear()
            obj.data.materials.append(material(draw, 'glass'))
            visible(obj, first, first + length)
    if kind == 'cut':  # a second camera from a frame on
        bpy.ops.object.camera_add(location=(0.5, -3, 1.5), rotation=(1.3, 0, 0.2))
        for frame, bound in ((1, camera), (draw.randint(20, 80), bpy.context.object)):
            scene.timeline_markers.new(bound.name, frame=frame).camera = bound
    if kind == 'deforming':  # geometry that is made anew in every frame
        bpy.ops.mesh.primitive_grid_add(x_subdivisions=200, y_subdivisions=200, size=8, location=(0, 0, 0.4))
        bpy.context.object.modifiers.new('Wave', 'WAVE')
        bpy.context.object.data.materials.append(material(draw, 'glass'))
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, f'made-{seed}.blend'), compress=True)
    print('MADE', seed, kind, scene.render.resolution_x, scene.render.resolution_y, scene.cycles.samples, scene.cycles.use_adaptive_sampling, len(things), flush=True)


for seed in seeds:
    build(int(seed))

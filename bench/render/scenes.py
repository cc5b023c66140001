"""Scenes made from our own: `plain`, the same under an HDRI world, and `heavy` (more pixels and samples, so that rendering itself is nearly all).

blender -b --factory-startup -P scenes.py -- SOURCE FOLDER FRAMES
"""
import math
import sys

import bpy

source, folder, frames = sys.argv[sys.argv.index('--') + 1:]
frames = int(frames)
bpy.ops.wm.open_mainfile(filepath=source)
scene = bpy.context.scene
for action in bpy.data.actions:
    for curve in action.fcurves:
        for point in curve.keyframe_points:
            point.co.x = 1 + (point.co.x - 1) * (frames - 1) / 23
        curve.update()
bpy.ops.file.pack_all()
scene.frame_end, scene.render.use_persistent_data = frames, False
scene.render.resolution_x, scene.render.resolution_y, scene.cycles.samples = 160, 90, 4
bpy.ops.wm.save_as_mainfile(filepath=folder + '/plain.blend')
scene.render.resolution_x, scene.render.resolution_y, scene.cycles.samples = 480, 270, 16
bpy.ops.wm.save_as_mainfile(filepath=folder + '/heavy.blend')
scene.render.resolution_x, scene.render.resolution_y, scene.cycles.samples = 160, 90, 4
w, h = 1024, 512
sky = bpy.data.images.new('sky', w, h, float_buffer=True)
pixels = []
for y in range(h):
    up = y / h
    for x in range(w):
        sun = 40 * math.exp(-((x - 300) ** 2 + (y - 380) ** 2) / 200)
        pixels += (0.2 + 0.3 * up + sun, 0.25 + 0.35 * up + sun, 0.3 + 0.6 * up + sun, 1.0)
sky.pixels.foreach_set(pixels)
sky.filepath_raw, sky.file_format = folder + '/sky.hdr', 'HDR'
sky.save()
tree = scene.world.node_tree
node = tree.nodes.new('ShaderNodeTexEnvironment')
node.image = bpy.data.images.load(folder + '/sky.hdr')
tree.links.new(node.outputs['Color'], tree.nodes['Background'].inputs['Color'])
bpy.ops.file.pack_all()
bpy.ops.wm.save_as_mainfile(filepath=folder + '/hdri.blend')

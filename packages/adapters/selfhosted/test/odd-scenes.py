"""Builds scenes that are set up in odd ways: blender -b --factory-startup -Y -P odd-scenes.py -- FOLDER."""
import os
import sys

import bpy

folder = sys.argv[sys.argv.index('--') + 1]
os.makedirs(folder, exist_ok=True)


def fresh():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.frame_start, scene.frame_end = 1, 6
    scene.cycles.samples, scene.cycles.seed = 1, 5
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.light_add(type='SUN', rotation=(0.5, 0.4, 0))
    bpy.ops.object.camera_add(location=(4, -4, 3), rotation=(1.1, 0, 0.785))
    scene.camera = bpy.context.object
    return scene


def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, name), compress=True)


# Names that a shell, a log or a file system would choke on.
scene = fresh()
scene.name, scene.camera.name, scene.view_layers[0].name = 'Scène "x"\n\\ $HOME', "Cam\n'era", 'Läyer, | Sample 9/9'
save('ünï "q" $x\n雪.blend')

# What is written where: an absolute path, placeholders, stamps; every fourth frame, from 0.
scene = fresh()
scene.render.filepath, scene.render.use_overwrite, scene.render.use_placeholder = '/etc/passwd', False, True
scene.render.use_stamp = scene.render.use_stamp_note = True
scene.render.stamp_note_text = 'a note for nobody'
scene.frame_start, scene.frame_end, scene.frame_step = 0, 9, 4
save('output.blend')

# Two layers of which only the open one would be rendered, lossy, in stereo.
scene = fresh()
scene.view_layers.new('Second')
bpy.context.window.view_layer = scene.view_layers[0]
render = scene.render
render.use_single_layer = render.use_multiview = True
render.image_settings.file_format, render.image_settings.exr_codec = 'OPEN_EXR_MULTILAYER', 'DWAA'
render.image_settings.views_format = 'MULTIVIEW'
save('layers.blend')

# A movie of a part of the picture, through a compositor that shows nothing.
scene = fresh()
scene.render.image_settings.file_format = 'FFMPEG'
scene.render.use_border = scene.render.use_crop_to_border = True
scene.render.border_max_x = 0.5
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 101, 77, 33
scene.use_nodes = True
scene.node_tree.nodes.clear()
save('movie.blend')

scene = fresh()
scene.view_layers[0].use = False
save('no-layer.blend')

scene = fresh()
scene.render.resolution_percentage = 10
save('dot.blend')

"""Builds a scene for tests: blender -b --factory-startup -Y -P tiny-scene.py -- FOLDER. Also leaves a library with a texture of its own, and scenes that are odd."""
import os
import sys

import bpy

folder = sys.argv[sys.argv.index('--') + 1]


def save(name, relative_remap=True):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(folder, name), compress=True, relative_remap=relative_remap)


def paint(path, color):
    image = bpy.data.images.new(os.path.basename(path), 4, 4)
    image.pixels = list(color) * 16
    image.filepath_raw, image.file_format = path, 'PNG'
    image.save()
    bpy.data.images.remove(image)


def textured(obj, path):
    material = bpy.data.materials.new(obj.name)
    material.use_nodes = True
    node = material.node_tree.nodes.new('ShaderNodeTexImage')
    node.image = bpy.data.images.load(path)
    material.node_tree.links.new(node.outputs['Color'], material.node_tree.nodes['Principled BSDF'].inputs['Emission'])
    obj.data.materials.append(material)


def fresh():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.frame_start, scene.frame_end = 1, 6
    scene.cycles.samples, scene.cycles.seed = 2, 5
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 1
    scene.render.dither_intensity = 0  # dithering depends on the place in the file: a crop would differ by one level
    scene.render.image_settings.color_mode = 'RGB'
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    cube.keyframe_insert('rotation_euler', frame=1)
    cube.rotation_euler.z = 1
    cube.keyframe_insert('rotation_euler', frame=6)
    bpy.ops.object.light_add(type='SUN', rotation=(0.5, 0.4, 0))
    bpy.ops.object.camera_add(location=(4, -4, 3), rotation=(1.1, 0, 0.785))
    scene.camera = bpy.context.object
    return scene, cube


os.makedirs(os.path.join(folder, 'outside'), exist_ok=True)
paint(os.path.join(folder, 'tex.png'), (1, 0, 0, 1))
paint(os.path.join(folder, 'outside', 'far.png'), (0, 1, 0, 1))

scene, cube = fresh()
save('plain.blend')

scene, cube = fresh()
scene.camera = None
save('no-camera.blend')

# Two objects that are there for some frames, one that keyframes leave as it is, and a second camera from frame 5 on.
scene, cube = fresh()
for first, last in ((2, 3), (3, 6)):
    bpy.ops.mesh.primitive_cube_add()
    for frame, hidden in ((first - 1, True), (first, False), (last, False), (last + 1, True)):
        bpy.context.object.hide_render = hidden
        bpy.context.object.keyframe_insert('hide_render', frame=frame)
for frame in (1, 4):
    cube.keyframe_insert('hide_render', frame=frame)
first_camera = scene.camera
bpy.ops.object.camera_add(location=(0, -6, 1), rotation=(1.4, 0, 0))
for frame, camera in ((1, first_camera), (5, bpy.context.object)):
    scene.timeline_markers.new(camera.name, frame=frame).camera = camera
save('switching.blend')

# Moves from frame -6 to 6 and stands still at neither 0 nor 1.
scene, cube = fresh()
for frame, turn in ((-6, -3), (6, 3)):
    cube.rotation_euler.z = turn
    cube.keyframe_insert('rotation_euler', frame=frame)
save('below-zero.blend')

# Two scenes that share their objects; the file was saved with the other one open.
# A pose moves the mesh: Blender poses armatures by the animation of the window's scene only.
scene, cube = fresh()
bpy.ops.object.armature_add()
rig = bpy.context.object
for frame, turn in ((1, 0), (6, 1.2)):
    rig.pose.bones[0].rotation_mode = 'XYZ'
    rig.pose.bones[0].rotation_euler.z = turn
    rig.pose.bones[0].keyframe_insert('rotation_euler', frame=frame)
group = cube.vertex_groups.new(name=rig.pose.bones[0].name)
group.add([0, 1, 2, 3], 1, 'ADD')
cube.modifiers.new('Rig', 'ARMATURE').object = rig
save('one-scene.blend')
other = scene.copy()
other.name = 'Other'
bpy.context.window.scene = other
save('two-scenes.blend')

# A scene in its own folder: a texture by relative path outside of it, and an object from a library whose texture lies beside the library.
scene, cube = fresh()
bpy.ops.mesh.primitive_uv_sphere_add(segments=8, ring_count=6, location=(0, 0, 2))
ball = bpy.context.object
ball.name = 'Ball'
textured(ball, os.path.join(folder, 'outside', 'far.png'))
save('outside/library.blend')
bpy.ops.file.make_paths_relative()
bpy.ops.wm.save_mainfile(compress=True)

os.makedirs(os.path.join(folder, 'shot'), exist_ok=True)
scene, cube = fresh()
textured(cube, os.path.join(folder, 'tex.png'))
save('shot/linked.blend')
with bpy.data.libraries.load(os.path.join(folder, 'outside', 'library.blend'), link=True, relative=True) as (there, here):
    here.objects = ['Ball']
scene.collection.objects.link(here.objects[0])
bpy.ops.file.make_paths_relative()
bpy.ops.wm.save_mainfile(compress=True)

# Tiles of a UDIM texture outside the scene's folder: the plane's left half lies on tile 1001 (red), its right half on 1002 (green).
os.makedirs(os.path.join(folder, 'tiles'), exist_ok=True)
paint(os.path.join(folder, 'tiles', 'skin.1001.png'), (1, 0, 0, 1))
paint(os.path.join(folder, 'tiles', 'skin.1002.png'), (0, 1, 0, 1))
scene, cube = fresh()
for other in (cube, bpy.data.objects['Sun']):  # the textures shine by themselves
    bpy.data.objects.remove(other)
bpy.ops.mesh.primitive_plane_add(size=4)
plane = bpy.context.object
for loop in plane.data.uv_layers[0].data:
    loop.uv.x *= 2
textured(plane, os.path.join(folder, 'tiles', 'skin.1001.png'))
image = plane.active_material.node_tree.nodes['Image Texture'].image
image.source, image.filepath = 'TILED', os.path.join(folder, 'tiles', 'skin.<UDIM>.png')
image.tiles.new(1002)
scene.camera.location, scene.camera.rotation_euler = (0, 0, 6), (0, 0, 0)
save('shot/udim.blend')
bpy.ops.file.make_paths_relative()
bpy.ops.wm.save_mainfile(compress=True)

# Saved on Windows: a texture on a drive, one relative with backslashes, one on a drive that nobody knows here.
os.makedirs(os.path.join(folder, 'windows', 'maps'), exist_ok=True)
paint(os.path.join(folder, 'windows', 'maps', 'red.png'), (1, 0, 0, 1))
scene, cube = fresh()
textured(cube, os.path.join(folder, 'windows', 'maps', 'red.png'))
cube.active_material.node_tree.nodes['Image Texture'].image.filepath = 'D:\\Jobs\\Spring\\maps\\red.png'
for name, path in (('share', 'Z:\\Library\\far.png'), ('slash', '//..\\tex.png')):
    node = cube.active_material.node_tree.nodes.new('ShaderNodeTexImage')
    node.image = bpy.data.images.new(name, 4, 4)
    node.image.source, node.image.filepath = 'FILE', path
save('windows/windows.blend', relative_remap=False)

# A compositor that reaches over pixels, more with every frame.
scene, cube = fresh()
scene.use_nodes = True
tree = scene.node_tree
blur = tree.nodes.new('CompositorNodeBlur')
blur.size_x = blur.size_y = 5
for frame, size in ((1, 0.2), (6, 1.0)):
    blur.inputs['Size'].default_value = size
    blur.inputs['Size'].keyframe_insert('default_value', frame=frame)
tree.links.new(tree.nodes['Render Layers'].outputs['Image'], blur.inputs['Image'])
tree.links.new(blur.outputs['Image'], tree.nodes['Composite'].inputs['Image'])
save('blurred.blend')

# Everything that a scene can do to its host without being a program: code in drivers and texts, files beside the ordered one.
canary = os.path.join(folder, 'canary')
scene, cube = fresh()
text = bpy.data.texts.new('evil.py')
text.write(f"open({canary + '-text'!r}, 'w').write('x')")
text.use_module = True
curve = cube.driver_add('location', 0)
curve.driver.type = 'SCRIPTED'
curve.driver.expression = f"(open({canary + '-driver'!r}, 'w').write('x'), 0)[1]"
scene.use_nodes = True
writer = scene.node_tree.nodes.new('CompositorNodeOutputFile')
writer.base_path = canary + '-output'
scene.node_tree.links.new(scene.node_tree.nodes['Render Layers'].outputs['Image'], writer.inputs[0])
# Switching the node off does not hold where a curve, a driver or a strip of another action switches it on again.
nodes = scene.node_tree.nodes
for way in ('curve', 'driver', 'strip'):
    other = nodes.new('CompositorNodeOutputFile')
    other.name, other.base_path = way, f'{canary}-{way}'
    scene.node_tree.links.new(nodes['Render Layers'].outputs['Image'], other.inputs[0])
nodes['curve'].keyframe_insert('mute', frame=1)
nodes['driver'].driver_add('mute').driver.expression = '0'
animation = scene.node_tree.animation_data
curve_action, animation.action = animation.action, bpy.data.actions.new('Strip')
nodes['strip'].keyframe_insert('mute', frame=1)
track = animation.nla_tracks.new()
track.strips.new('Strip', 1, animation.action)
animation.action = curve_action
# Freestyle runs a text while it renders, also where Blender was told to run none.
text = bpy.data.texts.new('lines.py')
text.write(f"open({canary + '-lines'!r}, 'w').write('x')")
scene.render.use_freestyle = True
lines = scene.view_layers[0].freestyle_settings
lines.mode = 'SCRIPT'
lines.modules.new().script = text
save('hostile.blend')

# Settings that the order decides, animated by the file.
scene, cube = fresh()
scene.cycles.samples, scene.cycles.shading_system = 7, True
for name in ('samples', 'shading_system'):
    scene.cycles.keyframe_insert(name, frame=1)
scene.cycles.driver_add('seed').driver.expression = 'frame'
scene.cycles.use_layer_samples = 'USE'
scene.view_layers[0].samples = 5
save('animated-settings.blend')

# Code that never ends, wherever a scene can hold code.
scene, cube = fresh()
text = bpy.data.texts.new('endless.py')
text.write('while True: pass')
text.use_module = True
curve = cube.driver_add('location', 1)
curve.driver.type = 'SCRIPTED'
curve.driver.expression = 'len([0 for _ in iter(int, 1)])'
save('endless.blend')

# A texture of 40 GiB, generated when it is first used.
scene, cube = fresh()
giant = bpy.data.images.new('giant', 16, 16, float_buffer=True)
material = bpy.data.materials.new('giant')
material.use_nodes = True
node = material.node_tree.nodes.new('ShaderNodeTexImage')
node.image = giant
material.node_tree.links.new(node.outputs['Color'], material.node_tree.nodes['Principled BSDF'].inputs['Base Color'])
cube.data.materials.append(material)
giant.generated_width = giant.generated_height = 51200
save('giant.blend')

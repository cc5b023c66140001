"""Builds scenes whose files are traps: blender -b --factory-startup -Y -P asset-scenes.py -- FOLDER. Scenes lie in FOLDER/shot, most of their files outside of it."""
import os
import struct
import sys

import bpy

folder = sys.argv[sys.argv.index('--') + 1]
shot, outside = os.path.join(folder, 'shot'), os.path.join(folder, 'outside')
os.makedirs(shot, exist_ok=True)
os.makedirs(outside, exist_ok=True)


def fresh():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.frame_start, scene.frame_end = 1, 6
    scene.cycles.samples, scene.cycles.seed = 2, 5
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.render.dither_intensity = 0
    scene.render.image_settings.color_mode = 'RGB'
    bpy.ops.object.light_add(type='SUN', rotation=(0.5, 0.4, 0))
    bpy.ops.object.camera_add(location=(0, 0, 9))
    scene.camera = bpy.context.object
    return scene


def save(name):
    """Twice: paths can be relative to a file only where it lies."""
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(shot, name), compress=True)
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_mainfile(compress=True)


def paint(path, color):
    image = bpy.data.images.new(os.path.basename(path), 4, 4)
    image.pixels = list(color) * 16
    image.filepath_raw, image.file_format = path, 'PNG'
    image.save()
    bpy.data.images.remove(image)


def plane(image, location=(0, 0, 0), size=2):
    bpy.ops.mesh.primitive_plane_add(size=size, location=location)
    obj = bpy.context.object
    material = bpy.data.materials.new('Picture')
    material.use_nodes = True
    node = material.node_tree.nodes.new('ShaderNodeTexImage')
    node.image = image
    shader = material.node_tree.nodes['Principled BSDF']
    shader.inputs['Base Color'].default_value = (0, 0, 0, 1)  # it shines by itself
    material.node_tree.links.new(node.outputs['Color'], shader.inputs['Emission'])
    obj.data.materials.append(material)
    return obj, node


def font_file():
    for base in (bpy.utils.resource_path('LOCAL'), bpy.utils.resource_path('SYSTEM'), '/usr/share/fonts', '/usr/share/blender'):
        for at, _, names in os.walk(base):
            for name in sorted(names):
                if name.lower().endswith('.ttf'):
                    return os.path.join(at, name)
    return None


# A picture that needs a tiled texture, a mesh cache and a font, all outside.
scene = fresh()
for name, color in (('skin.u1_v1.png', (1, 0, 0, 1)), ('skin.u2_v1.png', (0, 1, 0, 1))):
    paint(os.path.join(outside, name), color)
tiled = bpy.data.images.load(os.path.join(outside, 'skin.u1_v1.png'))
tiled.source, tiled.filepath = 'TILED', os.path.join(outside, 'skin.<UVTILE>.png')
tiled.tiles.new(1002)
obj, _ = plane(tiled, (0, 2, 0))
for loop in obj.data.uv_layers[0].data:
    loop.uv.x *= 2
bpy.ops.mesh.primitive_cube_add(location=(-2, -1, 0), size=1)
cube = bpy.context.object
points = os.path.join(outside, 'cube.pc2')
with open(points, 'wb') as file:
    file.write(struct.pack('<12siiffi', b'POINTCACHE2', 1, len(cube.data.vertices), 1, 1, 6))
    for frame in range(6):  # it grows
        for vertex in cube.data.vertices:
            file.write(struct.pack('<3f', *(c * (1 + 0.3 * frame) for c in vertex.co)))
cache = cube.modifiers.new('Points', 'MESH_CACHE')
cache.cache_format, cache.filepath = 'PC2', points
source = font_file()
if source:
    with open(source, 'rb') as there, open(os.path.join(outside, 'letters.ttf'), 'wb') as here:
        here.write(there.read())
    bpy.ops.object.text_add(location=(0, -2, 0))
    bpy.context.object.data.font = bpy.data.fonts.load(os.path.join(outside, 'letters.ttf'))
scene.frame_set(1)
save('outside.blend')

# Numbered pictures with two gaps, one of which the scene's frames meet.
scene = fresh()
for number in range(1, 11):
    if number not in (4, 9):
        paint(os.path.join(outside, f'clip.{number:04}.png'), (number / 10, 0, 0, 1))
clip = bpy.data.images.load(os.path.join(outside, 'clip.0001.png'))
clip.source = 'SEQUENCE'
obj, node = plane(clip)
node.image_user.frame_duration, node.image_user.frame_start = 10, 1
# A smoke that was simulated for frames 1 to 5, without the third.
for number in (1, 2, 4, 5):
    with open(os.path.join(outside, f'smoke_{number:03}.vdb'), 'wb') as file:
        file.write(b'not read by the inspection')
volume = bpy.data.volumes.new('Smoke')
volume.filepath, volume.is_sequence = os.path.join(outside, 'smoke_001.vdb'), True
volume.frame_start, volume.frame_duration, volume.frame_offset, volume.sequence_mode = 1, 5, 0, 'EXTEND'
scene.collection.objects.link(bpy.data.objects.new('Smoke', volume))
# A character whose Alembic cache was never delivered.
bpy.ops.cachefile.open(filepath=os.path.join(outside, 'walk.abc'))
bpy.ops.mesh.primitive_cube_add()
bpy.context.object.modifiers.new('Walk', 'MESH_SEQUENCE_CACHE').cache_file = bpy.data.cache_files[0]
save('gaps.blend')

# A lamp by a measured profile, in place; sound that is lost; what an add-on left.
scene = fresh()
scene['walk_cycles'] = {'speed': 2}
lamp = bpy.data.lights['Sun']
lamp.use_nodes = True
profile = lamp.node_tree.nodes.new('ShaderNodeTexIES')
profile.mode, profile.filepath = 'EXTERNAL', '//lamp.ies'
with open(os.path.join(shot, 'lamp.ies'), 'w') as file:
    file.write('IESNA:LM-63-2002\n')
with open(os.path.join(outside, 'song.wav'), 'wb') as file:
    file.write(b'RIFF')
speaker = bpy.data.speakers.new('Speaker')
speaker.sound = bpy.data.sounds.load(os.path.join(outside, 'song.wav'))
scene.collection.objects.link(bpy.data.objects.new('Speaker', speaker))
save('lamp.blend')
os.remove(os.path.join(outside, 'song.wav'))

# Everything packed into the .blend, and gone from the disk.
scene = fresh()
paint(os.path.join(outside, 'packed.png'), (0, 0, 1, 1))
plane(bpy.data.images.load(os.path.join(outside, 'packed.png')))
save('library.blend')
bpy.ops.file.pack_all()
bpy.ops.wm.save_mainfile(compress=True)
os.replace(os.path.join(shot, 'library.blend'), os.path.join(outside, 'packed-library.blend'))
scene = fresh()
plane(bpy.data.images.load(os.path.join(outside, 'packed.png')))
with bpy.data.libraries.load(os.path.join(outside, 'packed-library.blend'), link=True) as (there, here):
    here.meshes = there.meshes
for mesh in bpy.data.meshes:
    if mesh.library:
        scene.collection.objects.link(bpy.data.objects.new('Linked', mesh))
save('packed.blend')
bpy.ops.file.pack_all()
bpy.ops.file.pack_libraries()
bpy.ops.wm.save_mainfile(compress=True)
for name in ('packed.png', 'packed-library.blend'):
    os.remove(os.path.join(outside, name))

# An object that its library no longer has.
for names in (('Ball', 'Box'), ('Box',)):
    fresh()
    for name in names:
        bpy.ops.mesh.primitive_cube_add()
        bpy.context.object.name = name
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(outside, f'props-{len(names)}.blend'), compress=True)
os.rename(os.path.join(outside, 'props-2.blend'), os.path.join(outside, 'props.blend'))
scene = fresh()
with bpy.data.libraries.load(os.path.join(outside, 'props.blend'), link=True) as (there, here):
    here.objects = ['Ball', 'Box']
for obj in here.objects:
    scene.collection.objects.link(obj)
save('lost-object.blend')
os.replace(os.path.join(outside, 'props-1.blend'), os.path.join(outside, 'props.blend'))

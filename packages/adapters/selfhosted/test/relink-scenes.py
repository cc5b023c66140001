"""Builds scenes whose simulations, lamps and strips lie elsewhere: blender -b --factory-startup -Y -P relink-scenes.py -- FOLDER. Scenes in FOLDER/shot, all else in FOLDER/outside."""
import os
import struct
import sys

import bpy

folder = sys.argv[sys.argv.index('--') + 1]
shot, outside = os.path.join(folder, 'shot'), os.path.join(folder, 'outside')
for name in (shot, outside):
    os.makedirs(name, exist_ok=True)


def fresh(name):
    """Saved first: caches lie beside the file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = 'CYCLES'
    scene.render.resolution_x, scene.render.resolution_y = 64, 48
    scene.frame_start, scene.frame_end = 1, 6
    scene.cycles.samples, scene.cycles.seed = 2, 5
    scene.cycles.use_adaptive_sampling = scene.cycles.use_denoising = False
    scene.render.dither_intensity = 0
    scene.render.image_settings.color_mode = 'RGB'
    bpy.ops.object.camera_add(location=(0, -9, 6), rotation=(0.98, 0, 0))
    scene.camera = bpy.context.object
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(shot, name), compress=True)
    return scene


def save():
    bpy.ops.file.make_paths_relative()
    bpy.context.scene.frame_set(1)
    bpy.ops.wm.save_mainfile(compress=True)


def place(*names):
    path = os.path.join(outside, *names)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def falling_cloth(scene, location, cache_name):
    """Baked to disk, beside the file."""
    bpy.ops.mesh.primitive_grid_add(x_subdivisions=4, y_subdivisions=4, size=2.5, location=location)
    cloth = bpy.context.object
    cache = cloth.modifiers.new('Cloth', 'CLOTH').point_cache
    cache.frame_start, cache.frame_end, cache.name = 1, 6, cache_name
    cache.use_disk_cache = True
    scene.gravity = (0, 0, -60)
    bpy.context.view_layer.update()
    with bpy.context.temp_override(scene=scene, active_object=cloth, point_cache=cache):
        bpy.ops.ptcache.bake(bake=True)
    return cloth, cache


# --- a cloth under a name that not every system can store, and one in a library --------------------------------------------------------------------------------
falling_cloth(fresh('odd?.blend'), (0, 0, 1), 'odd')
save()
scene = fresh('library.blend')
falling_cloth(scene, (3, -3, 3), 'linked')[0].name = 'Linked'
save()
os.makedirs(os.path.join(outside, 'props'))
for name in ('library.blend', 'blendcache_library'):
    os.rename(os.path.join(shot, name), os.path.join(outside, 'props', name))

# --- a scene of simulations and lamps -------------------------------------------------------------------------------------------------------------------------
scene = fresh('simulated.blend')
bpy.ops.object.light_add(type='SUN', rotation=(0.5, 0.4, 0))
with bpy.data.libraries.load(place('props', 'library.blend'), link=True) as (there, here):
    here.objects = ['Linked']
scene.collection.objects.link(here.objects[0])

bpy.ops.object.light_add(type='POINT', location=(0, 0, 3))
lamp = bpy.context.object.data
lamp.energy, lamp.use_nodes = 2000, True
tree = lamp.node_tree
profile = tree.nodes.new('ShaderNodeTexIES')
profile.mode, profile.filepath = 'EXTERNAL', place('lamps', 'narrow.ies')
tree.links.new(profile.outputs['Fac'], tree.nodes['Emission'].inputs['Strength'])
with open(profile.filepath, 'w') as file:  # bright straight down, dark from 30 degrees on
    file.write('IESNA:LM-63-2002\nTILT=NONE\n1 1000 1 4 1 1 2 0 0 0\n1 1 10\n0 20 30 180\n0\n900 500 0 0\n')
bpy.ops.mesh.primitive_plane_add(size=14, location=(0, 0, -1))

# Its cache is taken from a folder elsewhere.
cloth, cache = falling_cloth(scene, (-3, 0, 3), 'falls')
os.rename(os.path.join(shot, 'blendcache_simulated'), place('cloth'))
cache.use_external, cache.filepath = True, place('cloth')

# Smoke.
bpy.ops.mesh.primitive_cube_add(size=3, location=(0, 3, 1))
box = bpy.context.object
domain = box.modifiers.new('Fluid', 'FLUID')
domain.fluid_type = 'DOMAIN'
domain = domain.domain_settings
domain.domain_type, domain.resolution_max, domain.use_adaptive_domain = 'GAS', 12, False
domain.cache_type, domain.cache_frame_start, domain.cache_frame_end, domain.cache_directory = 'ALL', 1, 4, place('smoke')
bpy.ops.mesh.primitive_ico_sphere_add(radius=0.8, location=(0, 3, 1))
source = bpy.context.object.modifiers.new('Fluid', 'FLUID')
source.fluid_type = 'FLOW'
source.flow_settings.flow_type, source.flow_settings.flow_behavior, source.flow_settings.density = 'SMOKE', 'INFLOW', 1
bpy.context.object.hide_render = True
material = bpy.data.materials.new('Smoke')
material.use_nodes = True
material.node_tree.nodes.clear()
shader, out = material.node_tree.nodes.new('ShaderNodeVolumePrincipled'), material.node_tree.nodes.new('ShaderNodeOutputMaterial')
shader.inputs['Density'].default_value = 8
material.node_tree.links.new(shader.outputs['Volume'], out.inputs['Volume'])
box.data.materials.append(material)
bpy.context.view_layer.objects.active = box
with bpy.context.temp_override(scene=scene, active_object=box, object=box):
    bpy.ops.fluid.bake_all()

# Sculpted detail in a file of its own: that the corners are sharp is a displacement of the smooth surface.
bpy.ops.mesh.primitive_cube_add(size=1.5, location=(2.5, -3, 0.5))
bpy.context.object.modifiers.new('Multires', 'MULTIRES')
for _ in range(2):
    bpy.ops.object.multires_subdivide(modifier='Multires', mode='SIMPLE')
bpy.ops.object.multires_external_save(filepath=place('detail.btx'), modifier='Multires')
save()

# --- a film of strips -----------------------------------------------------------------------------------------------------------------------------------------
scene = fresh('film.blend')


def paint(path, color):
    image = bpy.data.images.new('Paint', 64, 48)
    image.pixels = list(color) * 64 * 48
    image.filepath_raw, image.file_format = path, 'PNG'
    image.save()
    bpy.data.images.remove(image)


for name, color in (('red.png', (1, 0, 0, 1)), ('green.png', (0, 1, 0, 1)), ('a:b.png', (0, 0, 1, 1))):
    paint(place('plates', name), color)
paint(os.path.join(shot, 'white.png'), (1, 1, 1, 1))
render = scene.render
render.image_settings.file_format, render.filepath = 'FFMPEG', place('movie.avi')
render.ffmpeg.format, render.ffmpeg.codec = 'AVI', 'MPEG4'
strips = scene.sequence_editor_create().sequences
strips.new_image('Paint', os.path.join(shot, 'white.png'), 1, 1)
scene.frame_end = 1
bpy.ops.render.render(animation=True)
strips.remove(strips[0])
scene.frame_end = 6
movies = sorted(name for name in os.listdir(outside) if name.startswith('movie'))
os.rename(os.path.join(outside, movies[0]), place('film', 'movie.avi'))
# Frames 1 to 3 are three pictures of one folder, 4 the movie, 5 and 6 a picture beside the scene and one from elsewhere.
plates = strips.new_image('Plates', place('plates', 'red.png'), 1, 1)
plates.elements.append('green.png')
plates.elements.append('a:b.png')
strips.new_movie('Movie', place('film', 'movie.avi'), 2, 4).frame_final_end = 5
mixed = strips.new_image('Mixed', os.path.join(shot, 'white.png'), 3, 5)
mixed.elements.append('../outside/plates/green.png')
render.image_settings.file_format = 'PNG'
save()

# --- what the pictures should be, and what they are without one of the things that lie elsewhere ----------------------------------------------------------------


def shoot(name, frame, picture):
    bpy.ops.wm.open_mainfile(filepath=os.path.join(shot, f'{name}.blend'))
    bpy.context.scene.frame_set(frame)
    bpy.context.scene.render.filepath = os.path.join(folder, 'expected', f'{picture}.png')
    bpy.ops.render.render(write_still=True)


for frame in range(1, 7):
    shoot('film', frame, f'film-{frame}')
shoot('simulated', 4, 'simulated')
for name in ('cloth', 'props/blendcache_library', 'smoke', 'lamps', 'detail.btx'):
    path = os.path.join(outside, name)
    os.rename(path, path + '-gone')
    shoot('simulated', 4, f'without-{os.path.basename(name)}')
    os.rename(path + '-gone', path)

"""What the open file orders and needs, as plain data. Imported by worker.py; runs inside Blender."""
import glob
import os
import re

import bpy

# Compositor nodes that look at one pixel at a time: a crop of the composite is the composite of the crop.
POINTWISE = {
    'ALPHAOVER', 'BRIGHTCONTRAST', 'COLORBALANCE', 'COLORCORRECTION', 'COMBINE_COLOR', 'COMBINE_XYZ', 'COMPOSITE', 'CURVE_RGB', 'EXPOSURE', 'FRAME', 'GAMMA',
    'HUECORRECT', 'HUE_SAT', 'INVERT', 'MAP_RANGE', 'MAP_VALUE', 'MATH', 'MIX_RGB', 'POSTERIZE', 'PREMULKEY', 'REROUTE', 'RGB', 'RGBTOBW', 'R_LAYERS', 'SEPARATE_COLOR',
    'SEPARATE_XYZ', 'SETALPHA', 'SWITCH', 'TONEMAP_RD', 'VALTORGB', 'VALUE', 'VIEWER', 'OUTPUT_FILE', 'CONVERT_COLORSPACE', 'COMBRGBA', 'SEPRGBA', 'GROUP_INPUT', 'GROUP_OUTPUT',
}


# --- files ----------------------------------------------------------------------------------------------------------------------------------------------------

def files_at(path, kind, many):
    """Files that a path stands for: itself, the tiles of a UDIM, the numbered files of a sequence, everything in a folder."""
    if '<UDIM>' in path:
        return sorted(p for p in glob.glob(glob.escape(path).replace('<UDIM>', '[0-9][0-9][0-9][0-9]')))
    if kind == 'cache-folder':
        return sorted(os.path.join(base, name) for base, _, names in os.walk(path) for name in names)
    if many:
        head, name = os.path.split(path)
        match = re.search(r'(\d+)(\D*)$', name)
        if match and os.path.isdir(head):
            shape = re.compile(re.escape(name[:match.start(1)]) + r'\d+' + re.escape(match.group(2)) + '$')
            return sorted(os.path.join(head, other) for other in os.listdir(head) if shape.match(other))
    return [path] if os.path.isfile(path) else []


def entry(kind, block, path, library, many=False):
    absolute = os.path.normpath(bpy.path.abspath(path, library=library))
    found = files_at(absolute, kind, many)
    return {
        'kind': kind, 'owner': block.name, 'stored': path, 'library': library.name if library else '', 'absolute': absolute,
        'files': [{'path': name, 'bytes': os.path.getsize(name)} for name in found],
    }


def strips(scene):
    editor = scene.sequence_editor
    for strip in editor.sequences_all if editor else ():
        if strip.type == 'IMAGE':
            for element in strip.elements:
                yield strip, os.path.join(strip.directory, element.filename)
        elif strip.type in {'MOVIE'}:
            yield strip, strip.filepath


def external():
    for library in bpy.data.libraries:
        yield entry('library', library, library.filepath, library.parent)
    for image in bpy.data.images:
        if image.source in {'FILE', 'SEQUENCE', 'MOVIE', 'TILED'} and image.filepath and image.packed_file is None:
            yield entry('image', image, image.filepath, image.library, image.source == 'SEQUENCE')
        if image.source == 'TILED' and '<UDIM>' in image.filepath and image.packed_file is None:
            # Tiles that the image has are missed when their file is; files of other tiles are sent all the same.
            for tile in image.tiles:
                one = entry('image', image, image.filepath.replace('<UDIM>', str(tile.number)), image.library)
                if not one['files']:
                    yield one
    for font in bpy.data.fonts:
        if font.filepath and font.filepath != '<builtin>' and font.packed_file is None:
            yield entry('font', font, font.filepath, font.library)
    for sound in bpy.data.sounds:
        if sound.filepath and sound.packed_file is None:
            yield entry('sound', sound, sound.filepath, sound.library)
    for kind, blocks in (('movieclip', bpy.data.movieclips), ('cache', bpy.data.cache_files), ('volume', bpy.data.volumes)):
        for block in blocks:
            many = getattr(block, 'is_sequence', False) or getattr(block, 'source', '') == 'SEQUENCE'
            if block.filepath and getattr(block, 'packed_file', None) is None:
                yield entry(kind, block, block.filepath, block.library, many)
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'MESH_CACHE' and modifier.filepath:
                yield entry('meshcache', obj, modifier.filepath, obj.library)
            if modifier.type == 'FLUID' and modifier.fluid_type == 'DOMAIN':
                yield entry('cache-folder', obj, modifier.domain_settings.cache_directory, obj.library)
    for scene in bpy.data.scenes:
        for strip, path in strips(scene):
            yield entry('strip', strip, path, scene.library)
    if any(cache.use_disk_cache for _, _, cache in point_caches()):
        stem = os.path.splitext(os.path.basename(bpy.data.filepath))[0]
        yield entry('cache-folder', bpy.context.scene, f'//blendcache_{stem}', None)


# --- what could surprise a farm --------------------------------------------------------------------------------------------------------------------------------

def point_caches():
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            cache = getattr(modifier, 'point_cache', None)
            if cache is not None:
                yield obj.name, modifier.type, cache
        for system in obj.particle_systems:
            yield obj.name, 'PARTICLES', system.point_cache


def simulations():
    return [{'object': name, 'type': kind, 'baked': cache.is_baked} for name, kind, cache in point_caches()]


def python_drivers():
    count = 0
    for name in dir(bpy.data):
        blocks = getattr(bpy.data, name)
        if not isinstance(blocks, bpy.types.bpy_prop_collection):
            continue
        for block in blocks:
            animation = getattr(block, 'animation_data', None)
            for curve in animation.drivers if animation else ():
                if curve.driver.type == 'SCRIPTED' and not curve.driver.is_simple_expression:
                    count += 1
    return count


def compositor(scene):
    """Whether a compositor shapes the picture, and the nodes in it that reach over pixels."""
    if not (scene.use_nodes and scene.render.use_compositing and scene.node_tree):
        return {'used': False, 'wide': [], 'fileOutputs': 0}
    wide, outputs, seen = set(), 0, set()

    def walk(tree):
        nonlocal outputs
        if tree is None or tree.name in seen:
            return
        seen.add(tree.name)
        for node in tree.nodes:
            if node.type == 'OUTPUT_FILE':
                outputs += 1  # load() has muted them
            if node.mute:
                continue
            if node.type == 'GROUP':
                walk(node.node_tree)
            elif node.type not in POINTWISE:
                wide.add(node.type)

    walk(scene.node_tree)
    return {'used': True, 'wide': sorted(wide), 'fileOutputs': outputs}


def layers(scene):
    return [
        {
            'name': layer.name, 'use': layer.use, 'aovs': [aov.name for aov in layer.aovs],
            'passes': [name[len('use_pass_'):] for name in dir(layer) if name.startswith('use_pass_') and name != 'use_pass_cryptomatte_accurate' and getattr(layer, name)],
        }
        for layer in scene.view_layers
    ]


def scene_facts(scene):
    render, image = scene.render, scene.render.image_settings
    facts = {
        'name': scene.name, 'engine': render.engine, 'frameStart': scene.frame_start, 'frameEnd': scene.frame_end, 'frameStep': scene.frame_step,
        'fps': render.fps / render.fps_base, 'width': render.resolution_x, 'height': render.resolution_y, 'percentage': render.resolution_percentage,
        'border': render.use_border, 'format': image.file_format, 'colorMode': image.color_mode, 'colorDepth': image.color_depth, 'movie': render.is_movie_format,
        'output': render.filepath, 'motionBlur': render.use_motion_blur, 'simplify': render.use_simplify, 'multiview': render.use_multiview,
        'camera': scene.camera.name if scene.camera else None, 'cameras': sorted(o.name for o in scene.objects if o.type == 'CAMERA'),
        'markers': [{'frame': m.frame, 'camera': m.camera.name} for m in scene.timeline_markers if m.camera],
        'layers': layers(scene), 'compositor': compositor(scene), 'viewTransform': scene.view_settings.view_transform,
        'sequencer': bool(render.use_sequencer and scene.sequence_editor and scene.sequence_editor.sequences_all),
        'eeveeSamples': scene.eevee.taa_render_samples,
    }
    if render.engine == 'CYCLES':
        names = ('samples', 'use_adaptive_sampling', 'time_limit', 'seed', 'use_animated_seed', 'use_denoising', 'denoiser', 'shading_system', 'sample_offset')
        facts['cycles'] = {name: getattr(scene.cycles, name) for name in names if hasattr(scene.cycles, name)}
    return facts


# --- size -----------------------------------------------------------------------------------------------------------------------------------------------------

MOST_INSTANCES = 200_000  # counting goes on no further than this


def complexity():
    graph = bpy.context.evaluated_depsgraph_get()
    instances = triangles = unique = 0
    seen = set()
    for instance in graph.object_instances:
        instances += 1
        if instances > MOST_INSTANCES:
            break
        obj = instance.object
        if obj.type != 'MESH' or obj.data is None:
            continue
        # A polygon of n corners makes n - 2 triangles.
        count = len(obj.data.loops) - 2 * len(obj.data.polygons)
        triangles += count
        key = obj.data.as_pointer()
        if key not in seen:
            seen.add(key)
            unique += count
    texture_bytes = sum(
        image.size[0] * image.size[1] * image.channels * (4 if image.is_float else 1)
        for image in bpy.data.images if image.source in {'FILE', 'TILED', 'GENERATED', 'SEQUENCE'}
    )
    return {'instances': instances, 'triangles': triangles, 'uniqueTriangles': unique, 'textureBytes': texture_bytes, 'objects': len(bpy.data.objects)}


def report(_request):
    cycles_build = __import__('_cycles')
    return {
        'savedWith': '.'.join(str(n) for n in bpy.data.version), 'active': bpy.context.scene.name,
        'scenes': [scene_facts(scene) for scene in bpy.data.scenes], 'external': list(external()), 'simulations': simulations(),
        'autorunTexts': [text.name for text in bpy.data.texts if text.use_module], 'pythonDrivers': python_drivers(), 'complexity': complexity(),
        'denoiserBuilt': bool(getattr(cycles_build, 'with_openimagedenoise', False)),
    }

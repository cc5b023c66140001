"""Every file that the open scene needs, as plain data. Imported by scene_report.py; runs inside Blender."""
import glob
import os
import re

import bpy

# Names of tiled textures, with what stands for a tile in a file's name.
TILES = {'<UDIM>': '[0-9][0-9][0-9][0-9]', '<UVTILE>': 'u[0-9]*_v[0-9]*'}


def tile_name(pattern, number):
    """1001 is the first tile of ten in a row: u1_v1."""
    return str(number) if pattern == '<UDIM>' else f'u{(number - 1001) % 10 + 1}_v{(number - 1001) // 10 + 1}'


def tile_pattern(path):
    return next((pattern for pattern in TILES if pattern in path), None)


def files_at(path, kind, many):
    """Files that a path stands for: itself, the tiles of a texture, the numbered files of a sequence, everything in a folder."""
    pattern = tile_pattern(path)
    if pattern:
        return sorted(glob.glob(glob.escape(path).replace(glob.escape(pattern), TILES[pattern])))
    if kind in {'cache-folder', 'disk-cache'}:
        return sorted(os.path.join(base, name) for base, _, names in os.walk(path) for name in names)
    if many and (numbered := split_number(path)):
        head, before, _, after = numbered
        shape = re.compile(re.escape(before) + r'\d+' + re.escape(after) + '$')
        return sorted(os.path.join(head, other) for other in os.listdir(head) if shape.match(other)) if os.path.isdir(head) else []
    return [path] if os.path.isfile(path) else []


def split_number(path):
    """Folder, name before the last number, the number, name after it; None without a number."""
    head, name = os.path.split(path)
    match = re.search(r'(\d+)(\D*)$', name)
    return match and (head, name[:match.start(1)], match.group(1), match.group(2))


def entry(kind, block, path, library, many=False, **more):
    absolute = os.path.normpath(bpy.path.abspath(path, library=library))
    found = files_at(absolute, kind, many)
    return {
        'kind': kind, 'owner': block.name, 'stored': path, 'library': library.name if library else '', 'absolute': absolute,
        'files': [{'path': name, 'bytes': os.path.getsize(name)} for name in found], **more,
    }


# --- sequences ------------------------------------------------------------------------------------------------------------------------------------------------

def scene_frames():
    return sorted({frame for scene in bpy.data.scenes for frame in range(scene.frame_start, scene.frame_end + 1, scene.frame_step)})


def image_frame(user, frame):
    """Number of the file that Blender reads at a frame of the scene (BKE_image_user_frame_get)."""
    length = max(1, user.frame_duration)
    at = frame - user.frame_start + 1
    if user.use_cyclic:
        at = at % length or length
    return min(max(at, 0), length) + user.frame_offset


def volume_frame(volume, frame):
    """Number of the file that Blender reads at a frame of the scene, None where there is none (volume_sequence_frame)."""
    length, at = volume.frame_duration, frame - volume.frame_start + 1
    if length == 0:
        return frame
    if volume.sequence_mode == 'CLIP':
        if not 1 <= at <= length:
            return None
    elif volume.sequence_mode == 'EXTEND':
        at = min(max(at, 1), length)
    elif volume.sequence_mode == 'REPEAT':
        at = (at - 1) % length + 1
    else:  # PING_PONG
        at = (at - 1) % max(1, 2 * length - 2)
        at = (at if at < length else 2 * length - 2 - at) + 1
    return at + volume.frame_offset


def node_trees():
    yield from bpy.data.node_groups
    for blocks in (bpy.data.materials, bpy.data.worlds, bpy.data.lights, bpy.data.textures, bpy.data.linestyles, bpy.data.scenes):
        for block in blocks:
            if getattr(block, 'node_tree', None):
                yield block.node_tree


def image_users():
    """Pairs of an image and what says which of its frames are shown."""
    for tree in node_trees():
        for node in tree.nodes:
            if getattr(node, 'image', None) and not node.mute:
                yield node.image, getattr(node, 'image_user', node if hasattr(node, 'frame_duration') else None)
    for texture in bpy.data.textures:
        if getattr(texture, 'image', None):
            yield texture.image, texture.image_user


def holes(kind, block, numbers):
    """Entries for the files of a sequence that frames of the scene will read and that are not there."""
    numbered = split_number(block.filepath)
    if not numbered:
        return
    _, before, digits, after = numbered
    folder = block.filepath[:len(block.filepath) - len(before + digits + after)]
    for number in sorted(numbers):
        one = entry(kind, block, f'{folder}{before}{number:0{len(digits)}d}{after}', block.library)
        if not one['files']:
            yield one


def begun(block):
    """Whether some of a sequence is there, or may be found under another path: else its one path says enough."""
    return bool(entry('', block, block.filepath, block.library, True)['files']) or '\\' in block.filepath or block.filepath[1:2] == ':'


def sequence_holes():
    frames = scene_frames()
    for image in bpy.data.images:
        if image.source == 'SEQUENCE' and image.filepath and image.packed_file is None and begun(image):
            shown = [user for one, user in image_users() if one == image and user is not None]
            yield from holes('image', image, {image_frame(user, frame) for user in shown for frame in frames})
    for volume in bpy.data.volumes:
        if volume.is_sequence and volume.filepath and volume.packed_file is None and begun(volume):
            yield from holes('volume', volume, {volume_frame(volume, frame) for frame in frames} - {None})


# --- what is not in the file itself ---------------------------------------------------------------------------------------------------------------------------

def images():
    for image in bpy.data.images:
        if image.source not in {'FILE', 'SEQUENCE', 'MOVIE', 'TILED'} or not image.filepath or image.packed_file is not None:
            continue
        yield entry('image', image, image.filepath, image.library, image.source == 'SEQUENCE')
        pattern = tile_pattern(image.filepath)
        if image.source == 'TILED' and pattern:
            # Tiles that the image has are missed when their file is; files of other tiles are sent all the same.
            for tile in image.tiles:
                one = entry('image', image, image.filepath.replace(pattern, tile_name(pattern, tile.number)), image.library)
                if not one['files']:
                    yield one


def linked_data():
    """What is linked from a library that no longer has it: Blender renders without it and says nothing."""
    for library in bpy.data.libraries:
        path = bpy.path.abspath(library.filepath, library=library.parent)
        if library.packed_file or not os.path.isfile(path):
            continue
        try:
            with bpy.data.libraries.load(path, link=True) as (there, _):
                names = {kind: set(getattr(there, kind)) for kind in dir(there)}
        except OSError:
            continue  # loading it has failed as well, and was said
        for kind, known in names.items():
            for block in getattr(bpy.data, kind, ()):
                if block.library == library and block.name not in known:
                    yield {
                        'kind': 'linked-data', 'owner': block.name, 'stored': f'{library.filepath}: {kind}/{block.name}', 'library': library.name,
                        'absolute': os.path.normpath(path), 'files': [],
                    }


def strips(scene):
    editor = scene.sequence_editor
    for strip in editor.sequences_all if editor else ():
        if strip.type == 'IMAGE':
            for element in strip.elements:
                yield strip, os.path.join(strip.directory, element.filename)
        elif strip.type == 'MOVIE':
            yield strip, strip.filepath


def point_caches():
    """Simulations of points: who owns one, its kind, its cache."""
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            cache = getattr(modifier, 'point_cache', None)
            if cache is not None:
                yield obj, modifier.type, cache
            canvas = getattr(modifier, 'canvas_settings', None)
            for surface in canvas.canvas_surfaces if canvas else ():
                yield obj, modifier.type, surface.point_cache
        for system in obj.particle_systems:
            yield obj, 'PARTICLES', system.point_cache
    for scene in bpy.data.scenes:
        if scene.rigidbody_world:
            yield scene, 'RIGID_BODY', scene.rigidbody_world.point_cache


def disk_caches():
    """Caches in the folder that Blender names after the .blend beside which it lies."""
    baked = {}
    for owner, _, cache in point_caches():
        if cache.use_disk_cache and not cache.use_external:
            library = owner.library if cache.use_library_path else None
            baked[library] = baked.get(library, False) or cache.is_baked
    for library, needed in baked.items():
        file = bpy.path.abspath(library.filepath, library=library.parent) if library else bpy.data.filepath
        stem = os.path.splitext(os.path.basename(file))[0]
        yield entry('disk-cache', library or bpy.context.scene, f'//blendcache_{stem}', library, needed=needed)


def simulation_folders():
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'FLUID' and modifier.fluid_type == 'DOMAIN':
                domain = modifier.domain_settings
                yield entry('cache-folder', obj, domain.cache_directory, obj.library, needed=domain.has_cache_baked_any)
            if modifier.type == 'OCEAN' and modifier.is_cached:
                yield entry('cache-folder', obj, modifier.filepath, obj.library, needed=True)
    for owner, _, cache in point_caches():
        if cache.use_external and cache.filepath:
            yield entry('cache-folder', owner, cache.filepath, owner.library, needed=True)
    yield from disk_caches()


def caches():
    for kind, blocks in (('movieclip', bpy.data.movieclips), ('cache', bpy.data.cache_files), ('volume', bpy.data.volumes)):
        for block in blocks:
            many = getattr(block, 'is_sequence', False) or getattr(block, 'source', '') == 'SEQUENCE'
            if block.filepath and getattr(block, 'packed_file', None) is None:
                yield entry(kind, block, block.filepath, block.library, many)
    for cache in bpy.data.cache_files:
        for layer in getattr(cache, 'layers', ()):
            if not layer.hide_layer:
                yield entry('cache-layer', cache, layer.filepath, cache.library)
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'MESH_CACHE' and modifier.filepath:
                yield entry('meshcache', obj, modifier.filepath, obj.library)
            if modifier.type == 'MULTIRES' and modifier.is_external:
                yield entry('multires', obj, modifier.filepath, obj.library)


def external():
    for library in bpy.data.libraries:
        if library.packed_file is None:
            yield entry('library', library, library.filepath, library.parent)
    yield from images()
    yield from sequence_holes()
    yield from linked_data()
    for font in bpy.data.fonts:
        if font.filepath and font.filepath != '<builtin>' and font.packed_file is None:
            yield entry('font', font, font.filepath, font.library)
    for sound in bpy.data.sounds:
        if sound.filepath and sound.packed_file is None:
            yield entry('sound', sound, sound.filepath, sound.library)
    for tree in node_trees():
        for node in tree.nodes:
            if node.type == 'TEX_IES' and node.mode == 'EXTERNAL' and node.filepath:
                yield entry('light-profile', tree, node.filepath, tree.library)
    yield from caches()
    yield from simulation_folders()
    for scene in bpy.data.scenes:
        for strip, path in strips(scene):
            yield entry('strip', strip, path, scene.library)

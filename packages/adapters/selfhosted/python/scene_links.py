"""Points the open scene at the files of its bundle. Imported by scene_file.py; runs inside Blender."""
import hashlib
import os

import bpy

from scene_files import node_trees, point_caches
from scene_setup import put


def link_key(library, stored):
    """sha256 of the library's name and the path as stored, so that the bundle does not repeat the author's folders."""
    name = library.name if library else ''
    return hashlib.sha256(f'{name}\0{stored}'.encode('utf-8', 'surrogateescape')).hexdigest()


def paths():
    """Everything with one path that a render reads, besides libraries: who has it, in which property, in which library."""
    for kind in ('images', 'fonts', 'sounds', 'movieclips', 'cache_files', 'volumes'):
        for block in getattr(bpy.data, kind):
            if not getattr(block, 'packed_file', None):
                yield block, 'filepath', block.library
    for cache in bpy.data.cache_files:
        for layer in getattr(cache, 'layers', ()):
            yield layer, 'filepath', cache.library
    for tree in node_trees():
        for node in tree.nodes:
            if node.type == 'TEX_IES':
                yield node, 'filepath', tree.library
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'MESH_CACHE' or modifier.type == 'OCEAN' or modifier.type == 'MULTIRES' and modifier.is_external:
                yield modifier, 'filepath', obj.library
            elif modifier.type == 'FLUID' and modifier.fluid_type == 'DOMAIN':
                yield modifier.domain_settings, 'cache_directory', obj.library
    for owner, _, cache in point_caches():
        if cache.use_external:
            yield cache, 'filepath', owner.library
    for scene, strip in sequences():
        if strip.type == 'MOVIE':
            yield strip, 'filepath', scene.library


def sequences():
    for scene in bpy.data.scenes:
        for strip in scene.sequence_editor.sequences_all if scene.sequence_editor else ():
            yield scene, strip


def relink_pictures(strip, library, folder, links):
    """A strip of pictures has one folder for all. Where its pictures lie in several, their names say where below the scene's."""
    stored = [os.path.join(strip.directory, element.filename) for element in strip.elements]
    targets = [links.get(link_key(library, path)) for path in stored]
    if not any(targets):
        return
    files = [os.path.join(folder, target) if target else bpy.path.abspath(path) for path, target in zip(stored, targets)]
    folders = {os.path.dirname(file) for file in files}
    base = folders.pop() if len(folders) == 1 else folder
    put(strip, 'directory', os.path.join(base, ''))
    for element, file in zip(strip.elements, files):
        put(element, 'filename', os.path.relpath(file, base))


def relink_libraries(folder, links):
    """Whether there were any to point elsewhere: reading one brings more blocks, and may replace the others."""
    found = [(one.name, links.get(link_key(one.parent, one.filepath))) for one in bpy.data.libraries if one.filepath and not one.packed_file]
    found = [(name, target) for name, target in found if target]
    for name, target in found:
        library = bpy.data.libraries.get(name)
        if library:
            library.filepath = os.path.join(folder, target)
            library.reload()
    return bool(found)


def relink(folder, links):
    """Points everything at the files of the bundle. `links`: link_key -> path below `folder`."""
    for _ in range(8):  # libraries may link libraries
        for owner, name, library in paths():
            stored = getattr(owner, name)
            target = stored and links.get(link_key(library, stored))
            if target:
                setattr(owner, name, os.path.join(folder, target))
                if isinstance(owner, bpy.types.Image):
                    owner.reload()
        for scene, strip in sequences():
            if strip.type == 'IMAGE':
                relink_pictures(strip, scene.library, folder, links)
        if not relink_libraries(folder, links):
            return

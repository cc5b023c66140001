"""Opens a scene, points it at the files of its bundle, and takes from it what would write elsewhere. Imported by worker.py; runs inside Blender."""
import hashlib
import os

import bpy

from scene_setup import Refused, forget


def linked_files():
    """Everything with a path that a render reads."""
    for kind in ('libraries', 'images', 'fonts', 'sounds', 'movieclips', 'cache_files', 'volumes'):
        for block in getattr(bpy.data, kind):
            yield kind, block
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'MESH_CACHE':
                yield 'modifiers', modifier


def link_key(kind, block):
    """sha256 of the library's name and the path as stored, so that the bundle does not repeat the author's folders."""
    library = block.parent if kind == 'libraries' else block.id_data.library if kind == 'modifiers' else block.library
    return hashlib.sha256(f'{library.name if library else ""}\0{block.filepath}'.encode('utf-8', 'surrogateescape')).hexdigest()


def relink(folder, links):
    """Points blocks at the files of the bundle; whether a library was among them, since reading it brings more blocks."""
    found = [(kind, block, links.get(link_key(kind, block))) for kind, block in linked_files() if block.filepath]
    found = [(kind, block, target) for kind, block, target in found if target and not getattr(block, 'packed_file', None)]
    for kind, block, target in found:
        if kind != 'libraries':
            block.filepath = os.path.join(folder, target)
            if kind == 'images':
                block.reload()
    for name, target in [(block.name, target) for kind, block, target in found if kind == 'libraries']:
        library = bpy.data.libraries.get(name)  # reading one library may replace the others
        if library:
            library.filepath = os.path.join(folder, target)
            library.reload()
    return any(kind == 'libraries' for kind, _, _ in found)


def file_output_nodes(tree, seen):
    if tree is None or tree.name in seen:
        return
    seen.add(tree.name)
    for node in tree.nodes:
        if node.type == 'OUTPUT_FILE':
            yield node
        elif node.type == 'GROUP':
            yield from file_output_nodes(node.node_tree, seen)


def load(request):
    forget()
    try:
        bpy.ops.wm.open_mainfile(filepath=request['file'], load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise Refused('unreadable', f'Blender cannot open the scene: {error}') from error
    links = request.get('links') or {}
    folder, depth = os.path.dirname(request['file']), 0
    while links and relink(folder, links) and depth < 8:  # libraries may link libraries
        depth += 1
    for scene in bpy.data.scenes:
        # Files written beside the ordered picture would land outside the task's folder.
        for node in file_output_nodes(scene.node_tree, set()):
            node.mute = True
    return {'scenes': [scene.name for scene in bpy.data.scenes]}

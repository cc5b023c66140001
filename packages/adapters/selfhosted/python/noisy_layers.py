"""The render layers before denoising and compositing: written beside a frame, and composited again from such a file. Imported by worker.py; runs inside Blender.

In check class `sidecar` a crop of the finished picture says little, since denoisers and compositors reach over pixels. The layers that went into them can be
tested crop by crop, and the rest is computed again from them.
"""
import contextlib

import bpy

# What a layer's passes are called in the compositor's Render Layers node, where that differs from the file.
FILE_NAMES = {'Image': 'Combined'}


def keep_noisy_passes(scene):
    """Cycles denoises the layer itself: the undenoised picture and what guided the denoiser become passes beside it."""
    for layer in scene.view_layers:
        if layer.use and not layer.cycles.denoising_store_passes:
            layer.cycles.denoising_store_passes = True


def write_layers(scene, path):
    """Writes all passes of all layers of the last render as one multilayer EXR of 32-bit floats."""
    settings = scene.render.image_settings
    names = ('file_format', 'color_mode', 'color_depth', 'exr_codec')
    kept = [(name, getattr(settings, name)) for name in names]
    try:
        for name, value in zip(names, ('OPEN_EXR_MULTILAYER', 'RGBA', '32', 'ZIP')):
            setattr(settings, name, value)
        bpy.data.images['Render Result'].save_render(path, scene=scene)
    finally:
        for name, value in kept:  # the format first: it decides which depths there are
            setattr(settings, name, value)


@contextlib.contextmanager
def layers_from(scene, path):
    """The compositor reads the layers from a file instead of rendering them; afterwards the tree is as it was. @raises LookupError"""
    tree = scene.node_tree if scene.use_nodes and scene.render.use_compositing else None
    if tree is None:
        raise LookupError(f'scene {scene.name!r} has no compositor')
    rendered = [node for node in tree.nodes if node.type == 'R_LAYERS' and not node.mute]
    image = bpy.data.images.load(path)
    added, links = [], []
    try:
        for node in rendered:
            if node.scene not in (None, scene):
                raise LookupError(f'its compositor takes layers of another scene, {node.scene.name!r}')
            reader = tree.nodes.new('CompositorNodeImage')
            added.append(reader)
            reader.image = image
            try:
                reader.layer = node.layer
            except TypeError as error:
                raise LookupError(f'the file has no layer {node.layer!r}') from error
            node.mute = True
            for link in [link for link in tree.links if link.from_node == node]:
                name = FILE_NAMES.get(link.from_socket.name, link.from_socket.name)
                source = reader.outputs.get(name)
                if source is None:
                    raise LookupError(f'layer {node.layer!r} of the file has no pass {name!r}')
                links.append((link.from_socket, link.to_socket))
                tree.links.new(source, link.to_socket)
        yield
    finally:
        for node in added:
            tree.nodes.remove(node)
        for node in rendered:
            node.mute = False
        for source, target in links:
            tree.links.new(source, target)
        bpy.data.images.remove(image)

"""Takes from the open scene what would run code, write elsewhere, or overrule an order. Imported by scene_file.py; runs inside Blender."""
import re

import bpy

# Settings that an order decides (scene_setup.py) and that files can animate: a curve or driver would be evaluated after the order was applied.
ORDERED = re.compile(
    r'(cycles\.(device|shading_system|samples|sample_offset|seed|use_animated_seed|use_adaptive_sampling|use_denoising|time_limit|use_layer_samples)'
    r'|render\.(use_stamp\w*|metadata_input|use_overwrite|use_multiview|use_persistent_data)'
    r'|view_layers\[.*\]\.(use|samples))$'
)
SWITCHES = re.compile(r'nodes\[.*\]\.mute$')

taken = {}
"""Scene -> paths of its settings that were animated, as the file was opened."""


def curves(block):
    """All curves and drivers that move properties of a block."""
    animation = block.animation_data
    if animation is None:
        return
    yield from animation.drivers
    actions = {animation.action}
    strips = [strip for track in animation.nla_tracks for strip in track.strips]
    while strips:
        strip = strips.pop()
        strips += getattr(strip, 'strips', ())
        actions.add(strip.action)
    for action in actions - {None}:
        yield from action.fcurves


def hold_still(block, pattern):
    """Stops what moves properties of that name; their paths."""
    found = [curve for curve in curves(block) if not curve.mute and pattern.match(curve.data_path)]
    for curve in found:
        curve.mute = True
    return sorted({curve.data_path for curve in found})


def silence_outputs(tree, seen):
    """Files written beside the ordered picture would land outside the task's folder."""
    if tree is None or tree.name in seen:
        return
    seen.add(tree.name)
    hold_still(tree, SWITCHES)
    for node in tree.nodes:
        if node.type == 'OUTPUT_FILE':
            node.mute = True
        elif node.type == 'GROUP':
            silence_outputs(node.node_tree, seen)


def silence_freestyle(scene):
    """In its scripting mode Freestyle runs texts of the scene while it renders, whether scripts are allowed or not (Blender 3.4.1)."""
    for layer in scene.view_layers:
        modules = layer.freestyle_settings.modules
        while len(modules):
            modules.remove(modules[0])


def guard():
    taken.clear()
    for scene in bpy.data.scenes:
        taken[scene.name] = hold_still(scene, ORDERED)
        silence_outputs(scene.node_tree, set())
        silence_freestyle(scene)

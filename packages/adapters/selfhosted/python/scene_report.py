"""What the open file orders and needs, as plain data. Imported by worker.py; runs inside Blender."""
import math
import os
import sys

import bpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from scene_files import external, node_trees, point_caches  # noqa: E402
from scene_guard import taken  # noqa: E402

# Compositor nodes that look at one pixel at a time: a crop of the composite is the composite of the crop.
POINTWISE = {
    'ALPHAOVER', 'BRIGHTCONTRAST', 'COLORBALANCE', 'COLORCORRECTION', 'COMBINE_COLOR', 'COMBINE_XYZ', 'COMPOSITE', 'CURVE_RGB', 'EXPOSURE', 'FRAME', 'GAMMA',
    'HUECORRECT', 'HUE_SAT', 'INVERT', 'MAP_RANGE', 'MAP_VALUE', 'MATH', 'MIX_RGB', 'POSTERIZE', 'PREMULKEY', 'REROUTE', 'RGB', 'RGBTOBW', 'R_LAYERS', 'SEPARATE_COLOR',
    'SEPARATE_XYZ', 'SETALPHA', 'SWITCH', 'TONEMAP_RD', 'VALTORGB', 'VALUE', 'VIEWER', 'OUTPUT_FILE', 'CONVERT_COLORSPACE', 'COMBRGBA', 'SEPRGBA', 'GROUP_INPUT', 'GROUP_OUTPUT',
}


# --- what could surprise a farm --------------------------------------------------------------------------------------------------------------------------------

def simulations():
    found = [{'object': obj.name, 'type': kind, 'baked': cache.is_baked or cache.use_external} for obj, kind, cache in point_caches()]
    for obj in bpy.data.objects:
        for modifier in obj.modifiers:
            if modifier.type == 'FLUID' and modifier.fluid_type == 'DOMAIN':
                found.append({'object': obj.name, 'type': 'FLUID', 'baked': modifier.domain_settings.has_cache_baked_any})
    return found


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


# Property groups that Blender and what it ships put on scenes.
OWN_GROUPS = {'cycles', 'cycles_curves', '_RNA_UI'}


def add_ons():
    """What is left of add-ons in a file that was opened without them."""
    found = set()
    for scene in bpy.data.scenes:
        found |= {key for key in scene.keys() if key not in OWN_GROUPS and hasattr(scene[key], 'keys') and not hasattr(bpy.types.Scene, key)}
        if not scene.render.engine:
            found.add('a render engine')
    for tree in node_trees():
        found |= {f'nodes of {tree.name}' for node in tree.nodes if node.bl_idname in {'', 'NodeUndefined'}}
    return sorted(found)


def compositor(scene):
    """Whether a compositor shapes the picture, and the nodes in it that reach over pixels."""
    if not (scene.use_nodes and scene.render.use_compositing and scene.node_tree):
        return {'used': False, 'wide': [], 'fileOutputs': 0, 'output': True}
    wide, outputs, seen = set(), 0, set()

    def walk(tree):
        nonlocal outputs
        if tree is None or tree.name in seen:
            return
        seen.add(tree.name)
        for node in tree.nodes:
            if node.type == 'OUTPUT_FILE':
                outputs += 1  # guard() has muted them
            if node.mute:
                continue
            if node.type == 'GROUP':
                walk(node.node_tree)
            elif node.type not in POINTWISE:
                wide.add(node.type)

    walk(scene.node_tree)
    shown = any(node.type == 'COMPOSITE' and not node.mute and node.inputs[0].is_linked for node in scene.node_tree.nodes)
    return {'used': True, 'wide': sorted(wide), 'fileOutputs': outputs, 'output': shown}


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
        'output': render.filepath, 'motionBlur': render.use_motion_blur, 'simplify': render.use_simplify, 'multiview': render.use_multiview, 'singleLayer': render.use_single_layer,
        'camera': scene.camera.name if scene.camera else None, 'cameras': sorted(o.name for o in scene.objects if o.type == 'CAMERA'),
        'markers': [{'frame': m.frame, 'camera': m.camera.name} for m in scene.timeline_markers if m.camera],
        'layers': layers(scene), 'compositor': compositor(scene), 'viewTransform': scene.view_settings.view_transform,
        'sequencer': bool(render.use_sequencer and scene.sequence_editor and scene.sequence_editor.sequences_all),
        'eeveeSamples': scene.eevee.taa_render_samples, 'animatedSettings': taken.get(scene.name, []),
        'switched': switched(scene),
        'freestyleScripts': [layer.name for layer in scene.view_layers if render.use_freestyle and layer.use_freestyle and layer.freestyle_settings.mode == 'SCRIPT'],
    }
    if render.engine == 'CYCLES':
        names = ('samples', 'use_adaptive_sampling', 'time_limit', 'seed', 'use_animated_seed', 'use_denoising', 'denoiser', 'shading_system', 'sample_offset')
        facts['cycles'] = {name: getattr(scene.cycles, name) for name in names if hasattr(scene.cycles, name)}
        if scene.cycles.use_layer_samples != 'IGNORE':
            facts['layerSamples'] = [layer.name for layer in scene.view_layers if layer.use and layer.samples > 0]
    return facts


# --- what is switched along the timeline -----------------------------------------------------------------------------------------------------------------------

MOST_EVALUATIONS = 200_000  # a file that switches more than this is not looked through


def switched(scene):
    """From which frames on how many of the objects that keyframes switch on and off are rendered. Animated switches are on from 1 (ANIMSYS_FLOAT_AS_BOOL in Blender's source)."""
    curves = [
        curve for obj in scene.objects if obj.animation_data and obj.animation_data.action
        for curve in obj.animation_data.action.fcurves if curve.data_path == 'hide_render' and len(curve.keyframe_points) > 1
    ]
    frames = sorted({math.ceil(point.co[0]) for curve in curves for point in curve.keyframe_points})
    if not frames or len(curves) * len(frames) > MOST_EVALUATIONS:
        return []
    found = []
    for frame in [frames[0] - 1, *frames]:
        shown = sum(curve.evaluate(frame) < 1 for curve in curves)
        if not found or found[-1]['shown'] != shown:
            found.append({'frame': frame, 'shown': shown})
    return found if len(found) > 1 else []


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
        'savedWith': '.'.join(str(n) for n in bpy.data.version[:2]), 'active': bpy.context.scene.name,
        'scenes': [scene_facts(scene) for scene in bpy.data.scenes], 'external': list(external()), 'simulations': simulations(),
        'autorunTexts': [text.name for text in bpy.data.texts if text.use_module], 'pythonDrivers': python_drivers(), 'addOns': add_ons(), 'complexity': complexity(),
        'denoiserBuilt': bool(getattr(cycles_build, 'with_openimagedenoise', False)),
    }

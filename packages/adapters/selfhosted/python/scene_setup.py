"""What an order wants of the open scene: everything but frame and file. Imported by worker.py; runs inside Blender."""
import bpy

from noisy_layers import keep_noisy_passes


class Refused(Exception):
    """The scene or the request cannot be rendered; trying again would not help."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def put(owner, name, value):
    """Sets a property only when it differs, since every set marks data as changed, and checks that it took."""
    if getattr(owner, name) == value:
        return
    try:
        setattr(owner, name, value)
    except (TypeError, AttributeError, ValueError) as error:
        raise Refused('setting', f'{name} cannot be {value!r}: {error}') from error
    if getattr(owner, name) != value:
        raise Refused('setting', f'{name} is {getattr(owner, name)!r} after it was set to {value!r}')


def member(collection, name, kind):
    found = collection.get(name)
    if found is None:
        raise Refused(f'no-{kind}', f'the file has no {kind} named {name!r}; it has {sorted(x.name for x in collection)[:20]}')
    return found


def require_camera(scene, frame):
    """Blender switches to the camera of the last marker that is due; without markers the scene's camera counts."""
    bound = [marker for marker in scene.timeline_markers if marker.camera is not None]
    due = [marker for marker in bound if marker.frame <= frame]
    camera = max(due, key=lambda m: m.frame).camera if due else min(bound, key=lambda m: m.frame).camera if bound else scene.camera
    if camera is None or camera.type != 'CAMERA':
        raise Refused('no-camera', f'scene {scene.name!r} has no camera at frame {frame}: set one in the scene properties')


def choose_layers(scene, names):
    put(scene.render, 'use_single_layer', False)  # it would render the layer that happens to be open
    if not names:
        return
    for name in names:
        member(scene.view_layers, name, 'view-layer')
    for layer in scene.view_layers:
        put(layer, 'use', layer.name in names)


def choose_window(render, order):
    """Only the region is rendered and written. A quarter pixel is added because Blender truncates border x size to whole pixels."""
    put(render, 'resolution_x', order['width'])
    put(render, 'resolution_y', order['height'])
    put(render, 'resolution_percentage', order['pct'])
    region = order.get('region')
    put(render, 'use_border', region is not None)
    put(render, 'use_crop_to_border', region is not None)
    if region is None:
        return
    width, height = order['width'] * order['pct'] // 100, order['height'] * order['pct'] // 100
    bottom = height - region['y'] - region['height']
    render.border_max_x, render.border_max_y = 1, 1
    render.border_min_x, render.border_min_y = (region['x'] + 0.25) / width, (bottom + 0.25) / height
    render.border_max_x = min(1.0, (region['x'] + region['width'] + 0.25) / width)
    render.border_max_y = min(1.0, (bottom + region['height'] + 0.25) / height)


def choose_engine(scene, order):
    put(scene.render, 'engine', order['engine'])
    if order['engine'] == 'CYCLES':
        cycles = scene.cycles
        put(cycles, 'device', order['device'])
        put(cycles, 'samples', order['samples'])
        put(cycles, 'sample_offset', order['sampleOffset'])
        put(cycles, 'seed', order['seed'])
        put(cycles, 'use_animated_seed', order['animatedSeed'])
        put(cycles, 'use_adaptive_sampling', order['adaptive'])
        put(cycles, 'use_denoising', order['denoise'])
        put(cycles, 'time_limit', 0)
        put(cycles, 'use_layer_samples', 'IGNORE')
        put(cycles, 'shading_system', False)  # OSL runs code of the scene
    elif order['engine'].startswith('BLENDER_EEVEE'):
        put(scene.eevee, 'taa_render_samples', order['samples'])


def choose_file(render, order):
    settings = render.image_settings
    put(settings, 'file_format', order['format'])
    put(settings, 'color_mode', order['colorMode'])
    put(settings, 'color_depth', str(order['bitDepth']))
    for name in dir(render):
        if name.startswith('use_stamp'):  # they would write the path of the .blend, the host's name and the date into the file
            put(render, name, False)
    put(render, 'use_overwrite', True)
    put(render, 'use_placeholder', False)
    put(render, 'use_file_extension', False)
    put(render, 'use_multiview', False)


configured = None


def configure(order):
    """Applies everything of an order but frame and file. Nothing else changes the settings in between, since scenes run no code: done once for a run of frames."""
    global configured
    wanted = {name: value for name, value in order.items() if name not in ('id', 'op', 'frame', 'out', 'layersOut', 'layersIn')}
    scene = member(bpy.data.scenes, order['scene'], 'scene')
    if wanted == configured:
        return scene
    configured = None
    # Blender animates only the window's scene: another one would be rendered as it stood when the file was saved.
    put(bpy.context.window_manager.windows[0], 'scene', scene)
    choose_engine(scene, order)
    choose_layers(scene, order['viewLayers'])
    choose_window(scene.render, order)
    choose_file(scene.render, order)
    # With motion blur, what is kept goes stale: where an object or camera comes to rest, Blender 3.4.1 renders the frame before once more.
    put(scene.render, 'use_persistent_data', not scene.render.use_motion_blur)
    if order['noisyPasses']:
        keep_noisy_passes(scene)
    if order['camera']:
        for marker in scene.timeline_markers:
            put(marker, 'camera', None)
        put(scene, 'camera', member(scene.objects, order['camera'], 'camera'))
    configured = wanted
    return scene


def forget():
    """Another scene is open, or something else changed the settings: the next order is applied whole."""
    global configured
    configured = None

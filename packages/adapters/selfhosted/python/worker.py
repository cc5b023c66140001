"""A warm Blender that renders what its host asks for.

Started as `blender -b --factory-startup -Y -t N --python-exit-code 42 -P worker.py -- REPLY_FD PARENT_PID MEMORY_MIB address-space|data`. Requests are JSON lines on stdin, replies are JSON lines
on an own descriptor: nothing that a scene prints can pass for a reply. Every request has an `id` that its reply repeats. `-Y` and use_scripts=False keep code in
scenes from running.
"""
import ctypes
import hashlib
import json
import os
import resource
import signal
import sys
import time

import bpy

sys.dont_write_bytecode = True  # the folder may be read-only
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from noisy_layers import keep_noisy_passes, layers_from, write_layers  # noqa: E402

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Refused(Exception):
    """The scene or the request cannot be rendered; trying again would not help."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def die_with(parent):
    """The kernel kills this process when its parent dies. PARENT_PID 0: a sandbox does that already."""
    if sys.platform != 'linux' or parent == 0:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)


def limit(memory_mib, counted):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the scene
    if memory_mib:
        kind = resource.RLIMIT_DATA if counted == 'data' else resource.RLIMIT_AS
        resource.setrlimit(kind, (memory_mib * 2**20, memory_mib * 2**20))


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


# --- loading --------------------------------------------------------------------------------------------------------------------------------------------------

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
    global configured
    configured = None
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


# --- rendering ------------------------------------------------------------------------------------------------------------------------------------------------

def require_camera(scene, frame):
    """Blender switches to the camera of the last marker that is due; without markers the scene's camera counts."""
    bound = [marker for marker in scene.timeline_markers if marker.camera is not None]
    due = [marker for marker in bound if marker.frame <= frame]
    camera = max(due, key=lambda m: m.frame).camera if due else min(bound, key=lambda m: m.frame).camera if bound else scene.camera
    if camera is None or camera.type != 'CAMERA':
        raise Refused('no-camera', f'scene {scene.name!r} has no camera at frame {frame}: set one in the scene properties')


def choose_layers(scene, names):
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


def render_operator(**arguments):
    """`bpy.ops.render.render` without what its Python wrapper adds: it evaluates the whole scene for a viewport before and after, which costs as much as syncing a
    heavy frame. `blender -a` does not do that either."""
    try:
        from _bpy import ops
    except ImportError:
        return bpy.ops.render.render(**arguments)
    if bpy.app.version >= (4, 0, 0):
        return ops.call('render.render', arguments)
    return ops.call('render.render', None, arguments)


def composite(scene, order):
    """Only the compositor runs, over the layers of a file."""
    if order['denoise']:
        raise Refused('layers', 'Cycles denoises this scene while it renders, which is not done again from a file')
    try:
        with layers_from(scene, order['layersIn']):
            render_operator(write_still=True, scene=scene.name)
    except LookupError as error:
        raise Refused('layers', str(error)) from error


def render(order):
    scene = configure(order)
    if scene.frame_current != order['frame']:
        # Not frame_set(): that would evaluate the whole scene once more for a viewport that does not exist.
        scene.frame_current = order['frame']
    require_camera(scene, order['frame'])
    scene.render.filepath = order['out']
    before, start = time.process_time(), time.monotonic()
    try:
        if order.get('layersIn'):
            composite(scene, order)
        else:
            render_operator(write_still=True, scene=scene.name)
            if order.get('layersOut'):
                write_layers(scene, order['layersOut'])
    except RuntimeError as error:
        raise Refused('render', str(error).strip()) from error
    return {'wallMs': (time.monotonic() - start) * 1000, 'cpuMs': (time.process_time() - before) * 1000}


# --- devices --------------------------------------------------------------------------------------------------------------------------------------------------

def cycles_preferences():
    addon = bpy.context.preferences.addons.get('cycles')
    return addon.preferences if addon else None


def devices(_request):
    """Compute devices that Cycles of this build can use, by kind."""
    preferences, found = cycles_preferences(), []
    for kind in ('OPTIX', 'CUDA', 'HIP', 'ONEAPI', 'METAL', 'CPU'):
        try:
            listed = preferences.get_devices_for_type(kind) if preferences else []
        except (ValueError, TypeError, AttributeError):  # a kind that this build does not know
            continue
        found += [{'kind': kind, 'id': device.id, 'name': device.name} for device in listed if device.type == kind]
    return {'devices': found}


def use_device(request):
    """Enables exactly one GPU. Without this Cycles renders on the CPU and says nothing."""
    preferences = cycles_preferences()
    if preferences is None:
        raise Refused('device', 'this Blender has no Cycles')
    put(preferences, 'compute_device_type', request['kind'])
    preferences.get_devices()
    for device in preferences.devices:
        device.use = device.id == request['device']
    if not any(device.use for device in preferences.devices):
        raise Refused('device', f'{request["kind"]} device {request["device"]!r} is not there')
    return {}


def report(request):
    from scene_report import report as run

    return run(request)


def calibrate(request):
    global configured
    from calibration import run

    configured = None
    return run(request, render_operator)


OPERATIONS = {'load': load, 'report': report, 'render': render, 'devices': devices, 'use-device': use_device, 'calibrate': calibrate}


def usage():
    with open('/proc/self/statm') as file:
        pages = int(file.read().split()[1])
    return {
        'rssMiB': pages * os.sysconf('SC_PAGESIZE') / 2**20,
        'peakMiB': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main():
    *numbers, counted = sys.argv[sys.argv.index('--') + 1:][:4]
    reply_fd, parent, memory_mib = (int(word) for word in numbers)
    die_with(parent)
    limit(memory_mib, counted)
    replies = os.fdopen(reply_fd, 'w', buffering=1, encoding='utf-8')

    def say(**message):
        replies.write(json.dumps(message) + '\n')

    say(id=0, ok=True, blender=bpy.app.version_string, denoiser=bool(getattr(__import__('_cycles'), 'with_openimagedenoise', False)))
    for line in os.fdopen(0, 'r', encoding='utf-8'):
        request = json.loads(line)
        try:
            say(id=request['id'], ok=True, **OPERATIONS[request['op']](request), **usage())
        except Refused as error:
            say(id=request['id'], ok=False, code=error.code, message=str(error))
        except Exception as error:  # an unforeseen state of Blender: the host restarts the worker
            say(id=request['id'], ok=False, code='error', message=f'{type(error).__name__}: {error}')


main()

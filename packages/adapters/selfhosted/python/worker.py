"""A warm Blender that renders what its host asks for.

Started as `blender -b --factory-startup -Y -t N --python-exit-code 42 -P worker.py -- REPLY_FD PARENT_PID MEMORY_MIB address-space|data`. Requests are JSON lines on stdin, replies are JSON lines
on an own descriptor: nothing that a scene prints can pass for a reply. Every request has an `id` that its reply repeats. `-Y` and use_scripts=False keep code in
scenes from running.
"""
import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time

import bpy

sys.dont_write_bytecode = True  # the folder may be read-only
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from noisy_layers import layers_from, write_layers  # noqa: E402
from scene_file import load  # noqa: E402
from scene_setup import Refused, configure, forget, put, require_camera  # noqa: E402

PR_SET_PDEATHSIG = 1  # linux/prctl.h


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


# --- rendering ------------------------------------------------------------------------------------------------------------------------------------------------

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


SHORT_S = 1
short_frames = False


@contextlib.contextmanager
def log_where_worth_reading():
    """Blender logs some fifty lines a frame, each flushed, and each wakes the host, which makes a progress bar of them. After a frame of less than SHORT_S nobody watches the next one's, so they go
    nowhere. What Blender says on stderr is always heard, and a try that failed is made again in a new process, which is not silent."""
    if not short_frames:
        yield
        return
    log, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(log, 1)
        os.close(log)
        os.close(nowhere)


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
    global short_frames
    scene = configure(order)
    if scene.frame_current != order['frame']:
        # Not frame_set(): that would evaluate the whole scene once more for a viewport that does not exist. Without the preference (main) frames below 0 become 0.
        put(scene, 'frame_current', order['frame'])
    require_camera(scene, order['frame'])
    scene.render.filepath = order['out']
    before, start = time.process_time(), time.monotonic()
    try:
        with log_where_worth_reading():
            if order.get('layersIn'):
                composite(scene, order)
            else:
                render_operator(write_still=True, scene=scene.name)
                if order.get('layersOut'):
                    write_layers(scene, order['layersOut'])
    except RuntimeError as error:
        raise Refused('render', str(error).strip()) from error
    wall_s = time.monotonic() - start
    short_frames = wall_s < SHORT_S
    return {'wallMs': wall_s * 1000, 'cpuMs': (time.process_time() - before) * 1000}


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
    from calibration import run

    forget()
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

    bpy.context.preferences.edit.use_negative_frames = True
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

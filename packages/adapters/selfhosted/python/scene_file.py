"""Opens a scene, takes from it what a farm must not do, and points it at the files of its bundle. Imported by worker.py; runs inside Blender."""
import os

import bpy

from scene_guard import guard
from scene_links import relink
from scene_setup import Refused, forget


def load(request):
    forget()
    try:
        bpy.ops.wm.open_mainfile(filepath=request['file'], load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise Refused('unreadable', f'Blender cannot open the scene: {error}') from error
    if request.get('links'):
        relink(os.path.dirname(request['file']), request['links'])
    guard()
    return {'scenes': [scene.name for scene in bpy.data.scenes]}

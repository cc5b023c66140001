"""Pictor in Blender: sends the open scene to the render network and shows how it goes.

Install: Edit > Preferences > Add-ons > Install, choose this file, then set the command in its preferences. The add-on runs `pictor render --json` and reads its events: it knows nothing about farms,
money or checkers. What is open is saved to a copy; the file on disk and unsaved changes stay as they are.
"""
import json
import os
import queue
import shlex
import signal
import subprocess
import tempfile
import threading

import bpy

bl_info = {
    'name': 'Pictor',
    'author': 'Pictor',
    'version': (1, 0, 0),
    'blender': (3, 4, 0),
    'location': 'Properties > Render > Pictor',
    'description': 'Render the open scene on the Pictor network',
    'category': 'Render',
}


class Job:
    """One `pictor render` under way. Its events come through a queue: Blender's data may be touched by the main thread only."""

    def __init__(self, command, scene_file, frames, settings, out):
        self.line = 'starting'
        self.fraction = 0.0
        self.delivered = []
        self.ended = False
        self.error = ''
        self.words = []
        self.scene_file = scene_file
        self.events = queue.Queue()
        arguments = ['render', scene_file, '--json', '--frames', frames, '--deadline', settings.deadline, '--budget', f'{settings.budget:.2f}', '--out', out]
        # A group of its own: Ctrl-C in Blender's terminal is Blender's.
        self.process = subprocess.Popen(
            [*command, *arguments], cwd=out, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8', errors='replace', start_new_session=True,
        )
        for stream, take in ((self.process.stdout, self.take_event), (self.process.stderr, self.take_word)):
            threading.Thread(target=self.read, args=(stream, take), daemon=True).start()

    @staticmethod
    def read(stream, take):
        for line in stream:
            take(line)

    def take_event(self, line):
        try:
            event = json.loads(line)
        except ValueError:
            return
        if isinstance(event, dict):
            self.events.put(event)

    def take_word(self, line):
        self.words = [*self.words[-4:], line.strip()]

    def update(self):
        """Takes what came since the last call. True while the job goes on."""
        code = self.process.poll()
        while True:
            try:
                self.note(self.events.get_nowait())
            except queue.Empty:
                break
        if code is None:
            return True
        self.ended = True
        if code != 0 and not self.error:
            self.error = ' '.join(word for word in self.words if word) or f'pictor ended with {code}'
        self.line = self.error or f'done: {len(self.delivered)} frames'
        return False

    def note(self, event):
        kind = event.get('type')
        if kind == 'plan-progress':
            self.line = f"planning: {event.get('step', '')}"
        elif kind == 'money-locked':
            self.line = 'money is locked, farms start'
        elif kind == 'progress':
            total = event.get('framesTotal') or 1
            self.fraction = event.get('framesDone', 0) / total
            self.line = f"{event.get('framesDone', 0)} of {total} frames"
        elif kind == 'frame-delivered':
            self.delivered.append(event.get('path', ''))
        elif kind == 'farm-quarantined':
            self.line = f"{event.get('farm')} delivered a bad frame and gets no more"
        elif kind == 'error':
            self.error = event.get('message', 'pictor failed')

    def cancel(self):
        """Like Ctrl-C: the command detaches. Farms elsewhere go on, farms of this machine rest; `pictor render --attach` takes the job up again."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def close(self):
        if os.path.exists(self.scene_file):
            os.remove(self.scene_file)


job = None


def frames_of(scene):
    step = f':{scene.frame_step}' if scene.frame_step > 1 else ''
    return f'{scene.frame_start}-{scene.frame_end}{step}'


def saved_copy(folder):
    """The scene as it is open now. Beside the file, so that relative paths hold; where there is none, in the output folder with all paths made absolute."""
    here = os.path.dirname(bpy.data.filepath)
    handle, path = tempfile.mkstemp(prefix='.pictor-', suffix='.blend', dir=here if here and os.access(here, os.W_OK) else folder)
    os.close(handle)
    os.remove(path)  # Blender would keep what is there as a backup
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True, relative_remap=not here, check_existing=False)
    return path


class PICTOR_settings(bpy.types.PropertyGroup):
    deadline: bpy.props.StringProperty(name='Deadline', default='2h', description='Such as 45m, 2h or "friday 18:00"')
    budget: bpy.props.FloatProperty(name='Budget (USD)', default=10.0, min=0.01, precision=2, description='The most to spend')
    out: bpy.props.StringProperty(name='Output', default='//pictor', subtype='DIR_PATH', description='Folder for frames and receipt')


class PICTOR_preferences(bpy.types.AddonPreferences):
    bl_idname = __name__
    command: bpy.props.StringProperty(name='Command', default='pictor', description='How the Pictor command is started here')

    def draw(self, _context):
        self.layout.prop(self, 'command')


def command_of(context):
    addon = context.preferences.addons.get(__name__)
    return shlex.split(addon.preferences.command if addon else os.environ.get('PICTOR_COMMAND', 'pictor'))


class PICTOR_OT_render(bpy.types.Operator):
    bl_idname = 'pictor.render'
    bl_label = 'Render on Pictor'
    bl_description = 'Send the scene as it is open now to the render network'

    _timer = None

    @classmethod
    def poll(cls, _context):
        return job is None or job.ended

    def begin(self, context):
        global job
        settings = context.scene.pictor
        out = bpy.path.abspath(settings.out)
        if out.startswith('//'):  # a scene that was never saved has no folder
            raise ValueError('save the scene, or choose an output folder that is no relative path')
        os.makedirs(out, exist_ok=True)
        scene_file = saved_copy(out)
        try:
            job = Job(command_of(context), scene_file, frames_of(context.scene), settings, out)
        except OSError:
            os.remove(scene_file)
            raise

    def execute(self, context):
        """Without a window: waits for the end."""
        try:
            self.begin(context)
        except (OSError, RuntimeError, ValueError) as error:
            self.report({'ERROR'}, str(error))
            return {'CANCELLED'}
        said = ''
        while job.update():
            if job.line != said:
                said = job.line
                print(f'Pictor: {said}', flush=True)
            try:
                job.process.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
        return self.finish(context)

    def invoke(self, context, _event):
        if bpy.app.background:
            return self.execute(context)
        try:
            self.begin(context)
        except (OSError, RuntimeError, ValueError) as error:
            self.report({'ERROR'}, str(error))
            return {'CANCELLED'}
        context.window_manager.progress_begin(0, 1)
        self._timer = context.window_manager.event_timer_add(0.5, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {'RUNNING_MODAL'}

    def modal(self, context, event):
        if event.type != 'TIMER':
            return {'PASS_THROUGH'}
        going = job.update()
        context.window_manager.progress_update(job.fraction)
        for area in context.screen.areas if context.screen else ():
            if area.type == 'PROPERTIES':
                area.tag_redraw()
        if going:
            return {'PASS_THROUGH'}
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        return self.finish(context)

    def finish(self, _context):
        job.update()
        job.close()
        self.report({'ERROR'} if job.error else {'INFO'}, f'Pictor: {job.line}')
        return {'CANCELLED'} if job.error else {'FINISHED'}


class PICTOR_OT_stop(bpy.types.Operator):
    bl_idname = 'pictor.stop'
    bl_label = 'Detach'
    bl_description = 'Stop following; what farms do goes on and can be taken up again with pictor render --attach'

    @classmethod
    def poll(cls, _context):
        return job is not None and not job.ended

    def execute(self, _context):
        job.cancel()
        return {'FINISHED'}


class PICTOR_PT_panel(bpy.types.Panel):
    bl_label = 'Pictor'
    bl_idname = 'PICTOR_PT_panel'
    bl_space_type = 'PROPERTIES'
    bl_region_type = 'WINDOW'
    bl_context = 'render'

    def draw(self, context):
        layout, settings = self.layout, context.scene.pictor
        layout.use_property_split = True
        for name in ('deadline', 'budget', 'out'):
            layout.prop(settings, name)
        layout.operator('pictor.render', icon='RENDER_ANIMATION', text=f'Render {frames_of(context.scene)} on Pictor')
        if job is None:
            return
        box = layout.box()
        box.label(text=job.line, icon='ERROR' if job.error else 'INFO')
        if not job.ended:
            box.label(text=f'{round(100 * job.fraction)} %')
            box.operator('pictor.stop', icon='CANCEL')


classes = (PICTOR_settings, PICTOR_preferences, PICTOR_OT_render, PICTOR_OT_stop, PICTOR_PT_panel)


def register():
    for cls in classes:
        bpy.utils.register_class(cls)
    bpy.types.Scene.pictor = bpy.props.PointerProperty(type=PICTOR_settings)


def unregister():
    if job is not None and not job.ended:
        job.cancel()
    del bpy.types.Scene.pictor
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)


if __name__ == '__main__':
    register()

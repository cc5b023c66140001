"""Versions of a scene that a cheating or careless farm might render instead."""
import os

import bpy

from drawn import OUT
from parts import material


def save(name):
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(OUT, f'{name}.blend'), copy=True, compress=True)


def versions(subject):
    scene = bpy.context.scene
    lights = [thing for thing in bpy.data.objects if thing.type == 'LIGHT']
    lights.sort(key=lambda thing: -thing.data.energy)

    def version(name, owner, field, value):
        before = getattr(owner, field)
        if hasattr(before, 'copy'):
            before = before.copy()  # a vector is a view of the owner's own
        setattr(owner, field, value)
        save(name)
        setattr(owner, field, before)

    version('missing-object', subject, 'hide_render', True)
    version('light-off', lights[0], 'hide_render', True)
    version('light-dimmer', lights[0].data, 'energy', lights[0].data.energy * .85)
    version('one-bounce', scene.cycles, 'max_bounces', 1)
    version('clamped', scene.cycles, 'sample_clamp_indirect', .3)
    version('clay', bpy.context.view_layer, 'material_override', material('override', (.5, .5, .5), .8))
    version('other-lens', scene.camera.data, 'lens', scene.camera.data.lens * 1.01)
    version('view-transform', scene.view_settings, 'view_transform', 'Standard' if scene.view_settings.view_transform == 'Filmic' else 'Filmic')
    background = scene.world.node_tree.nodes['Background'].inputs[1]
    if background.default_value > 0:
        version('world-off', background, 'default_value', 0)
    if scene.cycles.use_adaptive_sampling:
        version('coarser-adaptive', scene.cycles, 'adaptive_threshold', .25)
    if scene.render.use_motion_blur:
        version('no-motion-blur', scene.render, 'use_motion_blur', False)
    if scene.camera.data.dof.use_dof:
        version('no-depth-of-field', scene.camera.data.dof, 'use_dof', False)
    for thing, name, by in ((scene.camera, 'camera-moved', (.06, 0, .03)), (subject, 'object-moved', (.15, 0, .05))):
        if not thing.animation_data:
            version(name, thing, 'location', [a + b for a, b in zip(thing.location, by)])
    recolored(subject)
    untextured()


def recolored(subject):
    """An older version of the file, in which the subject was a fifth darker."""
    socket = subject.data.materials[0].node_tree.nodes['Principled BSDF'].inputs['Base Color']
    if socket.is_linked:
        return
    before = list(socket.default_value)
    socket.default_value = [*(value * .8 for value in before[:3]), 1]
    save('older-material')
    socket.default_value = before


def untextured():
    """As Blender shows a picture that is not there: magenta."""
    images = [image for image in bpy.data.images if image.packed_file]
    if not images:
        return
    image = max(images, key=lambda one: one.users)
    before = list(image.pixels)
    image.pixels = [1, 0, 1, 1] * (len(before) // 4)
    image.pack()
    save('missing-texture')
    image.pixels = before
    image.pack()

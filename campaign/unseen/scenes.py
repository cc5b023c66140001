"""Builds scene NUMBER and its spoilt versions as .blend files, for campaign/check-unseen.ts:

    blender -b --factory-startup -P scenes.py -- NUMBER FOLDER

The scene is `scene.blend`; each version that a cheating or careless farm might render instead is `NAME.blend`. Everything follows from the number: what is built, its
settings, and what moves.
"""
import json
import os
import sys

import bpy

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from drawn import NUMBER, OUT, RANDOM, color, uniform  # noqa: E402
from kinds import KINDS  # noqa: E402
from parts import material, move, sphere  # noqa: E402
from versions import save, versions  # noqa: E402

WIDTH, HEIGHT = 256, 144
FRAMES = 6


def compositor():
    """Pictures that no crop of the render can be compared with."""
    scene = bpy.context.scene
    scene.use_nodes = True
    tree = scene.node_tree
    layers, out = tree.nodes['Render Layers'], tree.nodes['Composite']
    glare = tree.nodes.new('CompositorNodeGlare')
    glare.glare_type, glare.threshold = RANDOM.choice(['FOG_GLOW', 'STREAKS', 'GHOSTS']), .6
    balance = tree.nodes.new('CompositorNodeColorBalance')
    balance.gain = tuple(uniform(.9, 1.1) for _ in range(3))
    blur = tree.nodes.new('CompositorNodeBlur')
    blur.size_x = blur.size_y = RANDOM.choice([0, 2, 4])
    for before, after in ((layers, glare), (glare, balance), (balance, blur), (blur, out)):
        links = before.outputs['Image'], after.inputs['Image']
        tree.links.new(*links)


def settings():
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = 'CYCLES'
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.frame_start, scene.frame_end = 1, FRAMES
    cycles.device, cycles.samples, cycles.max_bounces = 'CPU', RANDOM.choice([8, 10, 12]), RANDOM.choice([4, 8])
    cycles.use_denoising = False
    cycles.use_animated_seed = RANDOM.random() < .5
    cycles.seed = RANDOM.randrange(1000)
    cycles.use_adaptive_sampling = RANDOM.random() < .5
    cycles.adaptive_threshold, cycles.adaptive_min_samples = .04, 6
    scene.view_settings.view_transform = RANDOM.choice(['Filmic', 'Standard'])
    png = NUMBER // len(KINDS) % 2 == NUMBER % 2
    image = render.image_settings
    image.file_format = 'PNG' if png else 'OPEN_EXR'
    image.color_depth = '8' if png else '16'
    image.color_mode = 'RGBA' if render.film_transparent else 'RGB'


def main():
    os.makedirs(OUT, exist_ok=True)
    bpy.ops.object.select_all(action='SELECT')
    bpy.ops.object.delete()
    kind = KINDS[NUMBER % len(KINDS)]
    subject = kind()
    settings()
    if not bpy.context.scene.camera.animation_data:
        # Something passes through the picture in every scene.
        bpy.context.scene.frame_set(1)
        passing = sphere((uniform(-1.5, 1), -1.8, uniform(.3, 1.6)), .25, material('passing', color(.3, .9), .4))
        move(passing, (uniform(.8, 1.6), 0, uniform(-.2, .4)))
    composited = NUMBER % 3 == 0 and not bpy.context.scene.render.film_transparent
    if composited:
        compositor()
    save('scene')
    versions(subject)
    scene = bpy.context.scene
    facts = {
        'kind': kind.__name__, 'composited': composited, 'motionBlur': scene.render.use_motion_blur, 'adaptive': scene.cycles.use_adaptive_sampling,
        'samples': scene.cycles.samples, 'format': scene.render.image_settings.file_format, 'frames': FRAMES,
    }
    with open(os.path.join(OUT, 'facts.json'), 'w') as file:
        json.dump(facts, file)
    print('DONE', NUMBER, facts)


main()

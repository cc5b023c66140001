"""Parts of test scenes, for scripts that Blender runs: materials, solids, lights, a camera with its aim."""
import bpy


def material(name, color=(.8, .8, .8), rough=.5, metal=0, trans=0, emit=0, sss=0, noise=False):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = nodes['Principled BSDF']
    shader.inputs['Base Color'].default_value = (*color, 1)
    shader.inputs['Roughness'].default_value = rough
    shader.inputs['Metallic'].default_value = metal
    shader.inputs['Transmission'].default_value = trans
    shader.inputs['Subsurface'].default_value = sss
    if emit:
        shader.inputs['Emission'].default_value = (*color, 1)
        shader.inputs['Emission Strength'].default_value = emit
    if noise:
        texture = nodes.new('ShaderNodeTexNoise')
        texture.inputs['Scale'].default_value = 6
        ramp = nodes.new('ShaderNodeValToRGB')
        ramp.color_ramp.elements[0].color = (*[value * .3 for value in color], 1)
        ramp.color_ramp.elements[1].color = (*color, 1)
        links.new(texture.outputs['Fac'], ramp.inputs['Fac'])
        links.new(ramp.outputs['Color'], shader.inputs['Base Color'])
    return made


def mist(density):
    made = bpy.data.materials.new('v')
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    scatter = tree.nodes.new('ShaderNodeVolumeScatter')
    scatter.inputs['Density'].default_value = density
    output = tree.nodes.new('ShaderNodeOutputMaterial')
    tree.links.new(scatter.outputs[0], output.inputs['Volume'])
    return made


def wearing(look):
    made = bpy.context.object
    made.data.materials.append(look)
    return made


def sphere(location, radius, look):
    bpy.ops.mesh.primitive_uv_sphere_add(location=location, radius=radius, segments=48, ring_count=24)
    bpy.ops.object.shade_smooth()
    return wearing(look)


def cube(location, size, look, rotation=(0, 0, 0)):
    bpy.ops.mesh.primitive_cube_add(location=location, size=size, rotation=rotation)
    return wearing(look)


def plane(location, size, look, rotation=(0, 0, 0)):
    bpy.ops.mesh.primitive_plane_add(location=location, size=size, rotation=rotation)
    return wearing(look)


def light(kind, location, energy, size=1, rotation=(0, 0, 0)):
    bpy.ops.object.light_add(type=kind, location=location, rotation=rotation)
    made = bpy.context.object
    made.data.energy = energy
    if kind == 'AREA':
        made.data.size = size
    return made


def camera(location, target=(0, 0, .7), lens=40):
    bpy.ops.object.camera_add(location=location)
    made = bpy.context.object
    made.data.lens = lens
    aim = bpy.data.objects.new('t', None)
    aim.location = target
    bpy.context.collection.objects.link(aim)
    track = made.constraints.new('TRACK_TO')
    track.target, track.track_axis, track.up_axis = aim, 'TRACK_NEGATIVE_Z', 'UP_Y'
    bpy.context.scene.camera = made
    return made


def move(thing, by):
    """From its place at frame 1 to `by` further at frame 4."""
    start = thing.location.copy()
    thing.keyframe_insert('location', frame=1)
    thing.location = [a + b for a, b in zip(start, by)]
    thing.keyframe_insert('location', frame=4)
    thing.location = start


def world(color, strength):
    sky = bpy.context.scene.world
    sky.use_nodes = True
    background = sky.node_tree.nodes['Background']
    background.inputs[0].default_value = (*color, 1)
    background.inputs[1].default_value = strength

# Renders calibration pictures of one scene for campaign/check.ts:
#   blender -b --factory-startup -Y -t 1 [FILE.blend] -P scenes.py -- SCENE FOLDER [CPU|CUDA|OPTIX|HIP|ONEAPI]
# Without a file the scene is built here. Per scene: 30 honest renders (3 frames x 10 seeds), 3 crops at seed 1, and defects at seed 9. PNG 8-bit and EXR half of each.
import bpy, sys, math, random, os, json, time
name, out, device = (sys.argv[sys.argv.index('--')+1:]+['CPU'])[:3]
D=bpy.data; C=bpy.context
def mat(n, color=(.8,.8,.8), rough=.5, metal=0, trans=0, emit=0, sss=0, noise=False):
    m=D.materials.new(n); m.use_nodes=True; b=m.node_tree.nodes['Principled BSDF']
    b.inputs['Base Color'].default_value=(*color,1); b.inputs['Roughness'].default_value=rough
    b.inputs['Metallic'].default_value=metal; b.inputs['Transmission'].default_value=trans; b.inputs['Subsurface'].default_value=sss
    if emit: b.inputs['Emission'].default_value=(*color,1); b.inputs['Emission Strength'].default_value=emit
    if noise:
        t=m.node_tree.nodes.new('ShaderNodeTexNoise'); t.inputs['Scale'].default_value=6; r=m.node_tree.nodes.new('ShaderNodeValToRGB')
        r.color_ramp.elements[0].color=(*[c*.3 for c in color],1); r.color_ramp.elements[1].color=(*color,1)
        m.node_tree.links.new(t.outputs['Fac'],r.inputs['Fac']); m.node_tree.links.new(r.outputs['Color'],b.inputs['Base Color'])
    return m
def sphere(loc,r,m):
    bpy.ops.mesh.primitive_uv_sphere_add(location=loc,radius=r,segments=48,ring_count=24); o=C.object; bpy.ops.object.shade_smooth(); o.data.materials.append(m); return o
def cube(loc,s,m,rot=(0,0,0)):
    bpy.ops.mesh.primitive_cube_add(location=loc,size=s,rotation=rot); o=C.object; o.data.materials.append(m); return o
def plane(loc,s,m,rot=(0,0,0)):
    bpy.ops.mesh.primitive_plane_add(location=loc,size=s,rotation=rot); o=C.object; o.data.materials.append(m); return o
def light(kind,loc,e,size=1,rot=(0,0,0)):
    bpy.ops.object.light_add(type=kind,location=loc,rotation=rot); o=C.object; o.data.energy=e
    if kind=='AREA': o.data.size=size
    return o
def cam(loc,target=(0,0,.7),lens=40):
    bpy.ops.object.camera_add(location=loc); o=C.object; o.data.lens=lens
    e=D.objects.new('t',None); e.location=target; C.collection.objects.link(e)
    c=o.constraints.new('TRACK_TO'); c.target=e; c.track_axis='TRACK_NEGATIVE_Z'; c.up_axis='UP_Y'; C.scene.camera=o; return o
def anim(o,d,f0=1,f1=4):
    p=o.location.copy(); o.keyframe_insert('location',frame=f0); o.location=[a+b for a,b in zip(p,d)]; o.keyframe_insert('location',frame=f1); o.location=p
rnd=random.Random(name)
if not bpy.data.filepath:
    bpy.ops.object.select_all(action='SELECT'); bpy.ops.object.delete()
    s=C.scene; w=s.world; bg=w.node_tree.nodes['Background'] if w.use_nodes else None
    if not bg: w.use_nodes=True; bg=w.node_tree.nodes['Background']
    def world(c,e): bg.inputs[0].default_value=(*c,1); bg.inputs[1].default_value=e
    grey=mat('grey',(.5,.5,.5),.7)
    if name=='field':
        world((.3,.5,.9),.6); plane((0,0,0),40,mat('g',(.2,.5,.1),.9,noise=True)); l=light('SUN',(3,-3,6),3,rot=(.6,.3,0))
        for i in range(14): o=sphere((rnd.uniform(-4,4),rnd.uniform(-2,5),.5),rnd.uniform(.3,.7),mat('s%d'%i,(rnd.random(),rnd.random(),rnd.random()),rnd.random()))
        tgt=o; cam((0,-8,2.5)); anim(o,(.4,0,.2))
    elif name=='motion':
        world((.1,.1,.12),1); plane((0,0,0),30,grey); light('AREA',(2,-4,6),600,2,(.5,.2,0))
        for i in range(6): o=cube((i*1.3-3,rnd.uniform(-1,2),.8),.9,mat('c%d'%i,(rnd.random(),rnd.random(),rnd.random()),.4),(0,0,rnd.random())); anim(o,(1.5*(i%2*2-1),0,.3))
        tgt=o; cam((0,-9,3)); s.render.use_motion_blur=True
    elif name=='glassy':
        world((.02,.02,.03),1); plane((0,0,0),20,mat('w',(.7,.6,.5),.4)); light('AREA',(-3,-2,5),500,.6,(.3,-.4,0)); light('POINT',(2,1,3),120)
        for i in range(4): o=sphere((i*1.4-2.1,rnd.uniform(-1,1),.7),.65,mat('g%d'%i,(.9,.95,1),.0,trans=1))
        tgt=cube((0,2,1),1.4,mat('r',(.8,.1,.1),.3)); cam((0,-7,2.2)); anim(o,(.3,.2,0))
    elif name=='volume':
        world((.05,.06,.08),1); plane((0,0,0),20,grey); light('SPOT',(1,-2,5),1500,rot=(.4,.1,0))
        tgt=o=sphere((0,0,.8),.8,mat('s',(.8,.3,.1),.4)); m=D.materials.new('v'); m.use_nodes=True; n=m.node_tree; n.nodes.clear(); v=n.nodes.new('ShaderNodeVolumeScatter'); v.inputs['Density'].default_value=.06; u=n.nodes.new('ShaderNodeOutputMaterial'); n.links.new(v.outputs[0],u.inputs['Volume']); cube((0,0,4),12,m)
        for i in range(5): cube((i*1.6-3,2.5,.7),1.1,mat('k%d'%i,(rnd.random(),.4,rnd.random()),.6),(0,0,i))
        cam((0,-5.5,2)); anim(o,(.3,0,.2))
    elif name=='bokeh':
        world((.0,.0,.01),1); plane((0,0,0),30,mat('g',(.15,.15,.17),.25)); light('AREA',(0,-3,5),150,3)
        for i in range(40): sphere((rnd.uniform(-6,6),rnd.uniform(2,14),rnd.uniform(.2,4)),.08,mat('e%d'%i,(rnd.random(),rnd.random(),rnd.random()),emit=rnd.uniform(5,40)))
        tgt=o=sphere((0,0,.8),.8,mat('s',(.7,.7,.2),.2,metal=1)); c=cam((0,-5,1.5)); c.data.dof.use_dof=True; c.data.dof.focus_distance=5; c.data.dof.aperture_fstop=.4; anim(o,(.25,0,.1))
    elif name=='sss':
        world((.6,.6,.65),.5); plane((0,0,0),20,mat('g',(.6,.55,.5),.6,noise=True)); light('AREA',(3,-3,4),300,1,(.6,.5,0))
        for i in range(3): o=sphere((i*1.8-1.8,0,.85),.85,mat('s%d'%i,(.8,.4+.1*i,.3),.4,sss=.3+.2*i,noise=i==1))
        tgt=o; cam((0,-6.5,2)); anim(o,(.2,-.3,.1)); s.view_settings.view_transform='Filmic'
    elif name=='interior':
        world((.8,.9,1),3); g=mat('wall',(.75,.72,.68),.8)
        for loc,rot in (((0,0,0),(0,0,0)),((0,0,4),(0,0,0)),((0,4,2),(1.5708,0,0)),((-4,0,2),(0,1.5708,0)),((0,-6.5,2),(1.5708,0,0))): plane(loc,13,g,rot)
        for i in range(5): o=cube((rnd.uniform(-3,2),rnd.uniform(-1,3),.5),rnd.uniform(.6,1.2),mat('c%d'%i,(rnd.random(),rnd.random(),rnd.random()),.5),(0,0,rnd.random()))
        tgt=o; cam((0,-5.5,2),(0,0,1.3),24); anim(o,(.3,0,0)); light('AREA',(4,0,2),200,1.5,(0,1.5708,0))
    elif name=='lamps':
        world((.02,.02,.02),1); plane((0,0,0),16,mat('fl',(.4,.25,.15),.35,noise=True)); s.render.film_transparent=True
        for i in range(10): light('POINT',(rnd.uniform(-4,4),rnd.uniform(-3,3),rnd.uniform(1,3)),rnd.uniform(20,80)).data.color=(rnd.random(),rnd.random(),rnd.random())
        for i in range(9): o=cube((rnd.uniform(-3,3),rnd.uniform(-1,3),.6),rnd.uniform(.5,1.2),mat('c%d'%i,(rnd.random(),rnd.random(),rnd.random()),.3,metal=i%2),(0,0,rnd.random()))
        tgt=o; cam((0,-7,2.4)); anim(o,(.3,.1,.1))
    light0=[o for o in D.objects if o.type=='LIGHT'][0]
else:
    s=C.scene; tgt=max((o for o in D.objects if o.type=='MESH' and not o.hide_render),key=lambda o:len(o.data.polygons)); ls=[o for o in D.objects if o.type=='LIGHT']; light0=ls[0] if ls else None
s=C.scene; r=s.render; r.engine='CYCLES'; s.cycles.device='CPU' if device=='CPU' else 'GPU'; r.resolution_x=256; r.resolution_y=144; r.resolution_percentage=100
SPP={'interior':48,'glassy':40}.get(name,24)
s.cycles.samples=SPP; s.cycles.use_denoising=False; s.cycles.use_adaptive_sampling=name in('field','glassy','interior','robot'); s.cycles.adaptive_threshold=.03; s.cycles.adaptive_min_samples=8
s.cycles.max_bounces=8; s.cycles.use_animated_seed=False; r.use_persistent_data=True; r.use_compositing=False; r.use_sequencer=False; r.use_border=False; r.use_crop_to_border=False
if device!='CPU':
    p=C.preferences.addons['cycles'].preferences; p.compute_device_type=device; p.get_devices()
    for d in p.devices: d.use=d.type==device
os.makedirs(out,exist_ok=True); manifest=open(out+'/list.jsonl','a')
def shoot(label,frame,seed,**k):
    f='%s/%s_f%d_s%d'%(out,label,frame,seed)
    if os.path.exists(f+'.exr'): return
    s.frame_set(frame); s.cycles.seed=seed; r.image_settings.file_format='OPEN_EXR'; r.image_settings.color_mode='RGBA' if r.film_transparent else 'RGB'; r.image_settings.color_depth='16'; r.image_settings.exr_codec='ZIP'; r.filepath=f+'.exr'
    t=time.time(); bpy.ops.render.render(); im=D.images['Render Result']; 
    i=r.image_settings; i.file_format='PNG'; i.color_depth='8'; im.save_render(f+'.png')
    i.file_format='OPEN_EXR'; i.color_depth='16'; im.save_render(f+'.exr')
    manifest.write(json.dumps(dict(scene=name,label=label,frame=frame,seed=seed,spp=s.cycles.samples,sec=round(time.time()-t,2),file=os.path.basename(f)))+'\n'); manifest.flush()
def crops(frame,seed,rects):
    r.use_border=True; r.use_crop_to_border=True
    for n,(x,y,w,h) in enumerate(rects):
        r.border_min_x=x/256; r.border_max_x=(x+w)/256; r.border_max_y=1-y/144; r.border_min_y=1-(y+h)/144
        shoot('crop-%d-%d-%d-%d'%(x,y,w,h),frame,seed)
    r.use_border=False; r.use_crop_to_border=False
for frame in(1,2,3):
    for seed in range(1,5): shoot('honest',frame,seed)
crops(2,1,[(10,20,64,48),(100,60,64,48),(180,90,64,48)])
for p in(75,50): s.cycles.samples=max(1,round(SPP*p/100)); shoot('low%d'%p,2,9)
s.cycles.samples=SPP
mb=s.cycles.max_bounces; s.cycles.max_bounces=1; shoot('bounce1',2,9); s.cycles.max_bounces=mb
if tgt.data.materials and tgt.data.materials[0] and tgt.data.materials[0].use_nodes:
    b=[n for n in tgt.data.materials[0].node_tree.nodes if n.type=='BSDF_PRINCIPLED']
    if b and not b[0].inputs['Base Color'].is_linked:
        q=b[0].inputs['Base Color']; old=list(q.default_value); q.default_value=[old[0]*.8,old[1]*.8,old[2]*.8,1]; shoot('oldmat',2,9); q.default_value=old
tgt.hide_render=True; shoot('missing',2,9); tgt.hide_render=False
if light0: light0.hide_render=True; shoot('nolight',2,9); light0.hide_render=False
for frame in(1,2,3):
    for seed in range(5,11): shoot('honest',frame,seed)
print('DONE',name)

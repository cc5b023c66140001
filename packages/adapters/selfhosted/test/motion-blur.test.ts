import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { decodeImage, pixelHash } from '@pictor/image'
import { afterAll, expect, test } from 'vitest'
import { selfHosted } from '../src/index.ts'
import { bundleOf, bytesOf, finish, hasBlender, TINY, taskMaker, tempFolder } from './support.ts'

const folder = tempFolder()
afterAll(() => folder.remove())

/** A cube that flies until frame 2 and then rests: frame 3 has no blur, unless something is kept from frame 2. */
const SCENE = `
import bpy
s=bpy.context.scene; s.render.engine='CYCLES'; s.render.use_motion_blur=True; s.render.dither_intensity=0; s.cycles.use_denoising=s.cycles.use_adaptive_sampling=False
c=bpy.data.objects['Cube']; c.keyframe_insert('location',frame=1); c.location.x+=3; c.keyframe_insert('location',frame=2)
`

test.skipIf(!hasBlender)('a frame after the motion has ended is the same in a run of frames as by itself', async () => {
  const save = `bpy.ops.wm.save_as_mainfile(filepath=${JSON.stringify(join(folder.path, 'flight.blend'))})`
  execFileSync('blender', ['-b', '--factory-startup', '--python-exit-code', '9', '--python-expr', `${SCENE}\n${save}`])
  const { files, bundle } = await bundleOf(folder.path, 'flight.blend')
  const hashes = []
  for (const [id, frames] of [
    ['run', [2, 3]],
    ['alone', [3]],
  ] as const) {
    const farm = selfHosted({ id, workDir: join(folder.path, id), threadsPerSlot: 1 })
    const make = await taskMaker(farm, files, bundle)
    const ref = await farm.submit(make({ spec: { ...TINY, motionBlur: true }, work: { kind: 'frames', frames } }), { key: id })
    const events = await finish(farm, ref)
    hashes.push(
      ...(await Promise.all(frames.map(async (frame) => pixelHash(decodeImage(await bytesOf(farm, events, ref, frame)))))),
    )
    await farm.close?.()
  }
  expect(hashes[1]).toBe(hashes[2])
  expect(hashes[0]).not.toBe(hashes[1])
})

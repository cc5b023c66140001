import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import { blendInspector, selfHosted } from '../src/index.ts'
import { bytesOf, finish, hasBlender, tempFolder } from './support.ts'

const ctx = { key: 'relink' }
const temp = tempFolder()
afterAll(temp.remove)

/** Scenes whose simulations, lamps and strips lie outside their folder, rendered where none of it is. */
describe.skipIf(!hasBlender)('a farm far away points scenes at their files', () => {
  const inspector = blendInspector()
  const artifacts = folderArtifacts(join(temp.path, 'artifacts'))
  const inspect = (name: string) => inspector.inspect(join(temp.path, 'shot', name), {}, ctx)
  const pixels = (bytes: Uint8Array) => decodeImage(bytes).parts[0]!.planes.map((plane) => plane.data)
  const expected = (name: string) => pixels(readFileSync(join(temp.path, 'expected', `${name}.png`)))

  beforeAll(() => {
    const script = new URL('relink-scenes.py', import.meta.url).pathname
    const args = ['-b', '--factory-startup', '-Y', '-t', '1', '--python-exit-code', '9', '-P', script, '--', temp.path]
    execFileSync('blender', args, { stdio: 'pipe' })
  })

  async function render(name: string, frames: readonly number[]) {
    const found = await inspect(name)
    expect(found.external.filter((one) => one.missing)).toEqual([])
    const bundle = await inspector.bundle(found, artifacts, ctx)
    const farm = selfHosted({ id: 'far', workDir: join(temp.path, `farm-${name}`), threadsPerSlot: 1 })
    renameSync(join(temp.path, 'outside'), join(temp.path, 'gone'))
    try {
      const stage = await farm.stage(bundle, artifacts, ctx)
      const task = { contract: 1, run: 'r', id: 1, attempt: 1, purpose: 'render', bundle, stage, spec: found.spec } as const
      const ref = await farm.submit({ ...task, work: { kind: 'frames', frames } }, ctx)
      const events = await finish(farm, ref)
      return await Promise.all(frames.map(async (frame) => pixels(await bytesOf(farm, events, ref, frame))))
    } finally {
      renameSync(join(temp.path, 'gone'), join(temp.path, 'outside'))
      await farm.close?.()
    }
  }

  it('smoke, a cloth, a linked cloth, a light profile, sculpted detail', async () => {
    const [picture] = await render('simulated.blend', [4])
    expect(picture).toEqual(expected('simulated'))
    const losses = readdirSync(join(temp.path, 'expected')).filter((name) => name.startsWith('without-'))
    expect(losses).toHaveLength(5)
    // Each of them shows: without it the picture is another one.
    for (const name of losses) expect(picture).not.toEqual(expected(name.replace('.png', '')))
  })

  it('strips: pictures of one folder and of several, one with an odd name, a movie', async () => {
    const frames = [1, 2, 3, 4, 5, 6]
    const pictures = await render('film.blend', frames)
    for (const [i, frame] of frames.entries()) expect(pictures[i], `frame ${frame}`).toEqual(expected(`film-${frame}`))
  })

  it('but not at a cache that Blender finds by a name that not every system can store', async () => {
    await expect(inspector.bundle(await inspect('odd?.blend'), artifacts, ctx)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/disk-cache.*save the \.blend under such a name/) as string,
    })
  })
})

import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseFrames, type Farm } from '@pictor/core/contract'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import { blendInspector, selfHosted } from '../src/index.ts'
import { bytesOf, finish, hasBlender, tempFolder } from './support.ts'

const ctx = { key: 'odd' }
const temp = tempFolder()
afterAll(temp.remove)

/** Each is rendered as a wrangler would expect, or refused with what to do, and what is not as the file says is told before. */
describe.skipIf(!hasBlender)('scenes that are set up in odd ways', () => {
  const inspector = blendInspector()
  const artifacts = folderArtifacts(join(temp.path, 'artifacts'))
  let farm: Farm
  const inspect = (name: string) => inspector.inspect(join(temp.path, 'scenes', name), {}, ctx)

  beforeAll(() => {
    const script = new URL('odd-scenes.py', import.meta.url).pathname
    const args = ['-b', '--factory-startup', '-Y', '--python-exit-code', '9', '-P', script, '--', join(temp.path, 'scenes')]
    execFileSync('blender', args, { stdio: 'pipe' })
    farm = selfHosted({ id: 'odd', workDir: join(temp.path, 'farm'), threadsPerSlot: 1 })
  })
  afterAll(() => farm?.close?.())

  async function render(name: string, id: number) {
    const found = await inspect(name)
    const bundle = await inspector.bundle(found, artifacts, ctx)
    const stage = await farm.stage(bundle, artifacts, ctx)
    const frames = parseFrames(found.frames).slice(0, 2)
    const task = { contract: 1, run: 'r', id, attempt: 1, purpose: 'render', bundle, stage, spec: found.spec } as const
    const ref = await farm.submit({ ...task, work: { kind: 'frames', frames } }, { key: name })
    const events = await finish(farm, ref)
    const pictures = await Promise.all(frames.map((frame) => bytesOf(farm, events, ref, frame)))
    return { found, frames, pictures, codes: found.warnings.map((one) => one.code) }
  }

  it('names with quotes, newlines and what other systems cannot store', async () => {
    const { found, pictures } = await render('ünï "q" $x\n雪.blend', 1)
    expect(found.spec).toMatchObject({ scene: 'Scène "x"\n\\ $HOME', camera: "Cam\n'era", viewLayers: ['Läyer, | Sample 9/9'] })
    expect(decodeImage(pictures[0]!)).toMatchObject({ width: 32, height: 24 })
  })

  it('an absolute output path with placeholders, stamps, and every fourth frame from 0', async () => {
    const { found, frames, pictures } = await render('output.blend', 2)
    expect([found.frames, frames]).toEqual(['0-9:4', [0, 4]])
    for (const picture of pictures) {
      expect(decodeImage(picture).width).toBe(32)
      for (const word of ['a note for nobody', temp.path]) expect(picture.includes(word)).toBe(false)
    }
  })

  it('all layers that are on, in a lossy multilayer file, one view of two', async () => {
    const { found, pictures, codes } = await render('layers.blend', 3)
    expect(codes).toEqual(expect.arrayContaining(['single-layer', 'stereo-ignored']))
    expect(found.spec.viewLayers).toEqual(['ViewLayer', 'Second'])
    const names = decodeImage(pictures[0]!).parts.flatMap((part) => part.planes.map((plane) => plane.name))
    expect(names).toEqual(expect.arrayContaining(['ViewLayer.Combined.R', 'Second.Combined.R']))
    expect(names.filter((name) => /left|right/.test(name))).toEqual([])
  })

  it('a movie of a part of the picture becomes whole frames, and a compositor that shows nothing is told', async () => {
    const { found, pictures, codes } = await render('movie.blend', 4)
    expect(codes).toEqual(expect.arrayContaining(['movie-format', 'border-ignored', 'composite-missing']))
    expect(found.spec.output).toMatchObject({ format: 'PNG', width: 33, height: 25 })
    expect(decodeImage(pictures[0]!)).toMatchObject({ format: 'png', width: 33, height: 25 })
  })

  it.each([
    ['no-layer.blend', /no view layer that is used for rendering/],
    ['dot.blend', /pictures of 3x2 pixels/],
  ])('%s is refused before anything is rendered', async (name, message) => {
    expect(readdirSync(join(temp.path, 'scenes'))).toContain(name)
    await expect(inspect(name)).rejects.toMatchObject({
      code: 'scene-invalid',
      message: expect.stringMatching(message) as string,
    })
  })
})

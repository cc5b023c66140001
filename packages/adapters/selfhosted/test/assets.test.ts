import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Inspection } from '@pictor/core/contract'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import { blendInspector, selfHosted } from '../src/index.ts'
import { bytesOf, finish, hasBlender, tempFolder } from './support.ts'

const ctx = { key: 'assets' }
const temp = tempFolder()
afterAll(temp.remove)

/** Files that a scene needs, each in the way in which scenes lose them. */
describe.skipIf(!hasBlender)('files that scenes need', () => {
  const inspector = blendInspector()
  const artifacts = folderArtifacts(join(temp.path, 'artifacts'))
  const shot = (name: string): string => join(temp.path, 'shot', name)
  const inspect = (name: string) => inspector.inspect(shot(name), {}, ctx)
  const missingOf = ({ external }: Inspection): string[] => external.filter((one) => one.missing).map((one) => one.path)

  beforeAll(() => {
    const script = new URL('asset-scenes.py', import.meta.url).pathname
    execFileSync('blender', ['-b', '--factory-startup', '-Y', '--python-exit-code', '9', '-P', script, '--', temp.path], {
      stdio: 'pipe',
    })
  })

  it('are sent from outside its folder, and a farm far away renders the same picture (UVTILE texture, mesh cache, font)', async () => {
    const found = await inspect('outside.blend')
    expect(found.external.filter((one) => one.missing)).toEqual([])
    const kinds = found.external.map((one) => one.kind)
    expect(kinds).toEqual(expect.arrayContaining(['image', 'meshcache']))
    if (!kinds.includes('font')) console.log('no .ttf was found on this machine: the font is not tested')
    const bundle = await inspector.bundle(found, artifacts, ctx)
    const names = bundle.files.map((file) => file.path.replace(/.*\//, ''))
    expect(names).toEqual(expect.arrayContaining(['skin.u1_v1.png', 'skin.u2_v1.png', 'cube.pc2']))

    const args = [
      '-b',
      '--factory-startup',
      '-Y',
      shot('outside.blend'),
      '-o',
      join(temp.path, 'here_####'),
      '-t',
      '1',
      '-f',
      '6',
    ]
    execFileSync('blender', args, { stdio: 'pipe' })
    const expected = decodeImage(readFileSync(join(temp.path, 'here_0006.png'))).parts[0]!.planes
    const [red, green] = expected
    expect(red!.data.filter((r, i) => r > 0.5 && green!.data[i]! < r * 0.6).length).toBeGreaterThan(20)
    expect(red!.data.filter((r, i) => r < green!.data[i]! * 0.6).length).toBeGreaterThan(20)

    const farm = selfHosted({ id: 'far', workDir: join(temp.path, 'farm'), threadsPerSlot: 1 })
    try {
      const stage = await farm.stage(bundle, artifacts, ctx)
      renameSync(join(temp.path, 'outside'), join(temp.path, 'gone'))
      const task = { contract: 1, run: 'r', id: 1, attempt: 1, purpose: 'render', bundle, stage, spec: found.spec } as const
      const ref = await farm.submit({ ...task, work: { kind: 'frames', frames: [6] } }, ctx)
      const { planes } = decodeImage(await bytesOf(farm, await finish(farm, ref), ref, 6)).parts[0]!
      planes.forEach((plane, i) => expect(plane.data).toEqual(expected[i]!.data))
    } finally {
      renameSync(join(temp.path, 'gone'), join(temp.path, 'outside'))
      await farm.close?.()
    }
  })

  it('are missed in the middle of a sequence, where frames of the scene meet the gap, and when they were never delivered', async () => {
    const found = await inspect('gaps.blend')
    const missing = ['//../outside/clip.0004.png', '//../outside/smoke_003.vdb', '//../outside/walk.abc']
    expect(missingOf(found)).toEqual(missing)
    await expect(inspector.bundle(found, artifacts, ctx)).rejects.toMatchObject({
      code: 'asset-missing',
      details: { files: missing },
    })
  })

  it('are missed when a library no longer has what is linked from it', async () => {
    const lost = missingOf(await inspect('lost-object.blend'))
    expect(lost.filter((path) => path.includes('objects/'))).toEqual(['//../outside/props.blend: objects/Ball'])
  })

  it('are not missed when they are packed, or when no frame needs them', async () => {
    expect((await inspect('packed.blend')).external).toEqual([])
    const lamp = await inspect('lamp.blend')
    expect(lamp.external.map((one) => [one.kind, one.path, one.missing])).toEqual([
      ['sound', '//../outside/song.wav', false],
      ['light-profile', '//lamp.ies', false],
    ])
    expect(lamp.warnings.map((one) => one.code)).toEqual(expect.arrayContaining(['sound-missing', 'add-ons']))
    expect(lamp.warnings.find((one) => one.code === 'add-ons')!.message).toContain('walk_cycles')
    const bundle = await inspector.bundle(lamp, artifacts, ctx)
    expect(bundle.files.map((file) => file.path)).toEqual(['lamp.blend', 'lamp.ies'])
  })
})

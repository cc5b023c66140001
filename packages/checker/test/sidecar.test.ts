import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfHosted } from '@pictor/adapter-selfhosted'
import { folderArtifacts } from '@pictor/core'
import type { Checker, Farm, FarmEvent, Output, RenderSpec } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { decodeImage, encodePng } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker } from '../src/index.ts'
import { layersNamedBy } from '../src/node/layers.ts'
import { checkLease, makeJob, SPEC, type TestJob } from './job.ts'

const blender = spawnSync('blender', ['--version']).error === undefined
if (!blender) console.log('sidecar.test.ts is skipped: Blender is not installed')

const [WIDTH, HEIGHT] = [96, 64]
const FRAME = 3
/** A cube before a plane, blurred over pixels by the compositor: a crop of the finished picture would differ everywhere. */
const SCENE = `
import bpy
s=bpy.context.scene; r=s.render; r.engine='CYCLES'; s.cycles.use_denoising=s.cycles.use_adaptive_sampling=False
r.resolution_x,r.resolution_y,r.resolution_percentage=${WIDTH},${HEIGHT},100
bpy.ops.mesh.primitive_plane_add(size=60,location=(0,0,-1))
s.use_nodes=True; t=s.node_tree; b=t.nodes.new('CompositorNodeBlur'); b.size_x=b.size_y=6
t.links.new(t.nodes['Render Layers'].outputs['Image'],b.inputs['Image']); t.links.new(b.outputs['Image'],t.nodes['Composite'].inputs['Image'])
`
const spec: RenderSpec = {
  ...SPEC,
  seed: 0,
  checkClass: 'sidecar',
  output: { format: 'PNG', width: WIDTH, height: HEIGHT, colorMode: 'RGB', bitDepth: 8 },
}

describe.skipIf(!blender)('frames that a compositor blurs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sidecar-'))
  const files = folderArtifacts(join(folder, 'files'))
  let renderer: Farm
  let scene: Uint8Array
  let honest: Uint8Array
  let short: Uint8Array
  const open: Checker[] = []

  beforeAll(async () => {
    const path = join(folder, 'blurred.blend')
    const save = `bpy.ops.wm.save_as_mainfile(filepath=${JSON.stringify(path)})`
    const made = spawnSync('blender', [
      '-b',
      '--factory-startup',
      '--python-exit-code',
      '9',
      '--python-expr',
      `${SCENE}\n${save}`,
    ])
    expect(made.status).toBe(0)
    scene = readFileSync(path)
    renderer = selfHosted({ id: 'renderer', workDir: join(folder, 'renderer'), threadsPerSlot: 1 })
    const job = await makeJob([], { spec, files, scene })
    honest = await rendered(job, spec, 'honest')
    short = await rendered(job, { ...spec, samples: 2 }, 'short')
  })
  afterAll(async () => {
    for (const checker of open) await checker.close?.()
    await renderer.close?.()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Renders the frame on a farm, with its layers, which go among the files; returns the picture. */
  async function rendered({ job }: TestJob, ordered: RenderSpec, key: string): Promise<Uint8Array> {
    const stage = await renderer.stage(job.bundle, files, { key: 'stage' })
    const task = { contract: 1, run: 'run', id: 1, attempt: 1, purpose: 'render', bundle: job.bundle, stage } as const
    const work = { kind: 'frames', frames: [FRAME] } as const
    const ref = await renderer.submit({ ...task, id: key.length, spec: ordered, work }, { key })
    const events: FarmEvent[] = []
    for (let cursor: string | undefined; ;) {
      const page = await renderer.poll({ scope: [ref], ...(cursor === undefined ? {} : { cursor }) }, { key: 'poll' })
      events.push(...page.events)
      cursor = page.cursor
      const last = events.findLast((event) => event.type === 'state')
      if (last?.type === 'state' && ['succeeded', 'failed'].includes(last.state)) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const outputs = events.flatMap((event) => (event.type === 'output' ? [event.output] : []))
    let picture: Uint8Array | undefined
    for (const output of outputs) {
      const bytes = await bytesOf(output)
      await files.put(bytes)
      if (output.layer === '') picture = bytes
    }
    return picture!
  }
  async function bytesOf(output: Output): Promise<Uint8Array> {
    const body = await renderer.open(output, { offset: 0 }, { key: 'open' })
    if (!('stream' in body)) throw new Error(body.unavailable)
    const chunks: Uint8Array[] = []
    for await (const chunk of body.stream) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  async function check(picture: Uint8Array) {
    const signer = privateKeySigner(drawnKey())
    const checker = createChecker({
      signer,
      secret: drawnKey(),
      renderer,
      sampling: { full: 0 },
      crop: { width: 64, height: 48 },
    })
    open.push(checker)
    const job = await makeJob([signer], { spec, files, scene })
    const { software } = await renderer.describe({ key: 'describe' })
    const lease = job.lease(1, [FRAME], { checkClass: 'sidecar' })
    const { votes, reports } = await checkLease(checker, job, lease, new Map([[FRAME, picture]]), software)
    return { vote: votes[0]!, codes: reports[0]!.findings.map((found) => found.code) }
  }

  test('are accepted when a crop of their layers agrees and the picture follows from them', async () => {
    const { vote, codes } = await check(honest)
    expect([vote.verdict, vote.checked, codes]).toEqual(['accept', true, ['crop-agrees', 'composite-agrees']])
  })

  test('are refused by their layers when those have a quarter of the samples, though the blurred picture follows from them', async () => {
    const { vote, codes } = await check(short)
    expect(vote.verdict).toBe('refuse')
    expect(codes).not.toContain('composite-differs')
  })

  test('are refused when the picture was changed after it was composited, though its layers are honest', async () => {
    const { planes } = decodeImage(honest).parts[0]!
    const pixels = new Uint8Array(WIDTH * HEIGHT * 3)
    for (let i = 0; i < WIDTH * HEIGHT; i++)
      for (let c = 0; c < 3; c++) pixels[3 * i + c] = Math.round(planes[c]!.data[i]! * 255 * (i % WIDTH < 20 ? 0.9 : 1))
    const { vote, codes } = await check(
      encodePng(WIDTH, HEIGHT, 3, pixels, { text: { 'pictor.layers': layersNamedBy(honest)! } }),
    )
    expect([vote.verdict, codes[0]]).toEqual(['refuse', 'composite-differs'])
  })

  test('are refused when they name layers that are no picture', async () => {
    const { hash } = await files.put(new TextEncoder().encode('no layers'))
    const pixels = new Uint8Array(WIDTH * HEIGHT * 3).map((_, i) => i)
    const { vote, codes } = await check(encodePng(WIDTH, HEIGHT, 3, pixels, { text: { 'pictor.layers': hash } }))
    expect([vote.verdict, codes]).toEqual(['refuse', expect.arrayContaining(['layers-broken']) as unknown])
  })

  test('are compared as a whole when their farm delivers no layers', async () => {
    const at = Buffer.from(honest).indexOf('tEXtpictor.layers')
    const length = Buffer.from(honest).readUInt32BE(at - 4)
    const bare = Buffer.concat([honest.subarray(0, at - 4), honest.subarray(at + 8 + length)])
    expect(layersNamedBy(bare)).toBeUndefined()
    const { vote, codes } = await check(bare)
    expect([vote.verdict, codes]).toEqual(['accept', ['frame-agrees', 'no-layers']])
  })
})

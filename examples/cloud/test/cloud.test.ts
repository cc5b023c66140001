import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { createChecker } from '@pictor/checker'
import type { Farm } from '@pictor/core'
import { privateKeySigner, verifyReceipt } from '@pictor/core/proof'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { serveCloud, type Cloud } from '../src/server.ts'

const blender = spawnSync('blender', ['--version']).status === 0
if (!blender) console.log('the cloud renders nothing: Blender is not installed (apt-get install blender)')

const tokens = { acme: 'acme-secret', zeta: 'zeta-secret' }
const keys = Object.fromEntries(
  ['farm', 'renderer', 'acme', 'zeta', 'check-acme', 'check-zeta'].map((name) => [name, drawnKey()]),
)
const signer = (name: string) => privateKeySigner(keys[name]!)

let folder: string
let farm: Farm
let renderer: Farm
let cloud: Cloud
let scene: Uint8Array

const open = () =>
  serveCloud({
    tokens,
    folder: join(folder, 'tenants'),
    // One pool of hosts for all; keys, money, checkers and files of each tenant are its own.
    network: (tenant, home) => ({
      inspector: blendInspector(),
      farms: () => [farm],
      checkers: [
        createChecker({ id: `check-${tenant}`, signer: signer(`check-${tenant}`), renderer, store: join(home, 'checker.db') }),
      ],
      signer: signer(tenant),
    }),
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pictor-cloud-'))
  farm = selfHosted({
    id: 'pool',
    workDir: join(folder, 'pool'),
    signer: signer('farm'),
    price: { perHostHour: 400_000n },
    slots: 1,
  })
  renderer = selfHosted({ id: 'checks', workDir: join(folder, 'checks'), signer: signer('renderer'), price: { perHostHour: 0n } })
  // Before the server starts: while this process stands still for longer than a connection is kept open, both ends of one would find it closed.
  if (blender) scene = makeScene()
  cloud = await open()
})
afterAll(async () => {
  await cloud?.close()
  for (const one of [farm, renderer]) await one?.close?.()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

interface Answer {
  readonly status: number
  readonly json: Record<string, unknown> & {
    readonly run?: string
    readonly error?: { readonly code: string; readonly path?: string }
  }
}

async function call(token: string | undefined, method: string, path: string, body?: unknown): Promise<Answer> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const sent = body === undefined ? {} : { body: body instanceof Uint8Array ? body : JSON.stringify(body) }
  const response = await fetch(cloud.url + path, { method, headers, ...sent } as RequestInit)
  return { status: response.status, json: (await response.json()) as Answer['json'] }
}

describe('the HTTP host', () => {
  it('knows nobody without a token, and names what is wrong', async () => {
    expect(await call(undefined, 'GET', '/jobs')).toMatchObject({ status: 401 })
    expect(await call('acme-secre', 'GET', '/jobs')).toMatchObject({ status: 401 })
    expect(await call(tokens.acme, 'GET', '/jobs')).toEqual({ status: 200, json: { jobs: [] } })
    const run = `0x${'ab'.repeat(32)}`
    for (const [method, path, body, status, code] of [
      ['PUT', '/scenes/..%2F..%2Fevil.blend', new Uint8Array(3), 400, 'invalid-input'],
      ['PUT', '/scenes/a.exe', new Uint8Array(3), 400, 'invalid-input'],
      ['POST', '/plans', { scene: 'absent.blend', budget: '5' }, 404, 'scene-missing'],
      ['POST', '/plans', { scene: '../keys.blend', budget: '5' }, 400, 'invalid-input'],
      ['POST', '/plans', { scene: 'a.blend', budget: 5 }, 400, 'invalid-input'],
      ['POST', '/plans', [], 400, 'invalid-input'],
      ['POST', '/plans', { text: 'x'.repeat(70_000) }, 400, 'invalid-input'],
      ['POST', '/jobs', { plan: run }, 404, 'not-found'],
      ['POST', '/jobs', { plan: '../../x' }, 404, 'not-found'],
      ['GET', `/jobs/${run}`, undefined, 404, 'not-found'],
      ['GET', '/jobs/%E0%A4%A', undefined, 404, 'not-found'],
      ['DELETE', '/jobs', undefined, 404, 'not-found'],
    ] as const) {
      const answer = await call(tokens.acme, method, path, body)
      expect([answer.status, answer.json.error?.code], `${method} ${path}`).toEqual([status, code])
    }
  })
})

/** Server-sent events of a job after an id, until `enough`. */
async function events(token: string, run: string, after: string | undefined, enough: (type: string) => boolean) {
  const headers = { authorization: `Bearer ${token}`, ...(after === undefined ? {} : { 'last-event-id': after }) }
  const control = new AbortController()
  const response = await fetch(`${cloud.url}/jobs/${run}/events`, { headers, signal: control.signal })
  const seen: { id: string; type: string }[] = []
  let rest = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) seen.push({ id: /^id: (.*)$/m.exec(block)![1]!, type: /^event: (.*)$/m.exec(block)![1]! })
    if (seen.some(({ type }) => enough(type))) break
  }
  control.abort()
  return seen
}

describe.skipIf(!blender)('two tenants on one pool of Blender hosts', () => {
  it('plan, submit, follow and fetch their own jobs, also over a restart, and see nothing of each other', async () => {
    for (const token of Object.values(tokens)) expect((await call(token, 'PUT', '/scenes/shot.blend', scene)).status).toBe(201)
    const order = { scene: 'shot.blend', frames: '1-4', deadline: '1h', budget: '5' }
    const plan = await call(tokens.acme, 'POST', '/plans', order)
    expect(plan).toMatchObject({ status: 201, json: { frameCount: 4, cost: { currency: 'USD' } } })
    const run = plan.json.run!
    const [first, again] = [
      await call(tokens.acme, 'POST', '/jobs', { plan: run }),
      await call(tokens.acme, 'POST', '/jobs', { plan: run }),
    ]
    expect([first.status, again.status, first.json.run, again.json.run]).toEqual([201, 201, run, run])
    expect((await call(tokens.acme, 'GET', '/jobs')).json.jobs).toHaveLength(1)

    const other = await call(tokens.zeta, 'POST', '/plans', { ...order, frames: '2-3' })
    expect((await call(tokens.zeta, 'POST', '/jobs', { plan: other.json.run })).status).toBe(201)
    for (const path of ['', '/events', '/frames', '/receipt'])
      expect((await call(tokens.zeta, 'GET', `/jobs/${run}${path}`)).status).toBe(404)
    expect((await call(tokens.zeta, 'POST', `/jobs/${run}/cancel`)).status).toBe(404)
    expect((await call(tokens.zeta, 'POST', '/jobs', { plan: run })).status).toBe(404)

    const before = await events(tokens.acme, run, undefined, (type) => type === 'task-start')
    expect(before[0]!.type).toBe('job-start')
    await cloud.close()
    cloud = await open()
    const after = await events(tokens.acme, run, before.at(-1)!.id, (type) => type === 'job-end')
    expect(after.at(-1)!.type).toBe('job-end')
    expect(after.some(({ type }) => type === 'job-start')).toBe(false)
    expect(after.filter(({ type }) => type === 'frame-delivered')).toHaveLength(4)
    await events(tokens.zeta, other.json.run!, undefined, (type) => type === 'job-end')

    for (const [token, id, count] of [
      [tokens.acme, run, 4],
      [tokens.zeta, other.json.run!, 2],
    ] as const) {
      const state = await call(token, 'GET', `/jobs/${id}`)
      expect(state.json).toMatchObject({ phase: 'ended', outcome: 'done', framesDelivered: count })
      const { frames } = (await call(token, 'GET', `/jobs/${id}/frames`)).json as unknown as { frames: string[] }
      expect(frames).toHaveLength(count)
      const headers = { authorization: `Bearer ${token}` }
      const picture = new Uint8Array(
        await (await fetch(`${cloud.url}/jobs/${id}/frames/${frames[0]}`, { headers })).arrayBuffer(),
      )
      expect([...picture.subarray(1, 4)]).toEqual([...Buffer.from('PNG')])
      expect((await call(token, 'GET', `/jobs/${id}/frames/..%2F..%2Fkeys.json`)).status).toBe(404)
      const receipt = await (await fetch(`${cloud.url}/jobs/${id}/receipt`, { headers })).text()
      expect(verifyReceipt(receipt).answer).toBe('consistent, not anchored')
    }
  }, 300_000)
})

/** A turning cube at 64 x 36, made with Blender. */
function makeScene(): Uint8Array {
  const path = join(folder, 'made.blend')
  const script = [
    'import bpy',
    's = bpy.context.scene',
    "s.render.engine = 'CYCLES'",
    's.render.resolution_x, s.render.resolution_y, s.cycles.samples = 64, 36, 4',
    's.cycles.use_adaptive_sampling = s.cycles.use_denoising = False',
    "s.render.image_settings.file_format = 'PNG'",
    "s.render.image_settings.color_mode = 'RGB'",
    "bpy.data.objects['Cube'].keyframe_insert('rotation_euler', frame=1)",
    "bpy.data.objects['Cube'].rotation_euler = (0, 1, 2)",
    "bpy.data.objects['Cube'].keyframe_insert('rotation_euler', frame=4)",
    `bpy.ops.wm.save_as_mainfile(filepath=${JSON.stringify(path)}, compress=False)`,
  ].join('\n')
  const made = spawnSync('blender', ['-b', '--factory-startup', '-Y', '--python-exit-code', '42', '--python-expr', script])
  if (made.status !== 0) throw new Error('Blender could not make a scene')
  return readFileSync(path)
}

import { appendFile, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FarmCapabilities, FarmEvent, HostRating, Task, TaskRef } from '@pictor/core/contract'
import { privateKeySigner, verifyCommit } from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'
import { smallJob, smallTask } from '../../core/test/conformance/small-farm.ts'
import {
  operatorFarm,
  quoteFrom,
  STALE_DAYS,
  staleness,
  type OperatorFarmOptions,
  type PriceFigure,
} from '../src/operator/index.ts'
import { dressed } from './lease.ts'

let root: string
const ctx = { key: 'key-1' }
const none: FarmCapabilities = {
  cancelQueued: 'manual',
  cancelRunning: 'manual',
  hold: 'none',
  priority: 'none',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'emulated',
  resumeDownload: 'native',
  bindingQuote: 'none',
}
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pictor-desk-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** `64x36` decodes; anything else does not. */
const decode = (bytes: Uint8Array) => {
  const match = /^(\d+)x(\d+)/.exec(Buffer.from(bytes).toString())
  if (!match) throw new Error('no picture')
  return { width: Number(match[1]), height: Number(match[2]) }
}

const info: OperatorFarmOptions['info'] = {
  id: 'desk',
  name: 'Desk',
  lane: 'desktop',
  verification: 'none',
  capabilities: none,
  idempotency: 'native',
  software: [],
}

function desk(options: Partial<OperatorFarmOptions> = {}, clock = { nowMs: 1_000_000 }) {
  const farm = operatorFarm({
    info,
    folder: join(root, 'x'),
    words: { send: ({ folder, downloads }) => [`send ${folder}`, `into ${downloads}`], cancel: ['cancel it'] },
    decode,
    quote: () => ({ contract: 1, kind: 'decline', farm: 'desk', reason: 'policy', message: 'no price' }),
    stableMs: 1_000,
    now: () => clock.nowMs,
    ...options,
  })
  return { farm, clock }
}

async function taskOf(farm: ReturnType<typeof desk>['farm'], frames = [1, 2]): Promise<Task> {
  const { job, files } = await smallJob()
  const stage = await farm.stage(job.bundle, files, ctx)
  return smallTask(job, stage, frames)
}

const types = (events: readonly FarmEvent[]): string[] =>
  events.map((event) => (event.type === 'state' ? event.state : event.type))
const drop = async (ref: TaskRef, name: string, content: string): Promise<string> => {
  const dir = join(root, 'x', 'downloads')
  await mkdir(dir, { recursive: true })
  const path = join(dir, name.replace('*', ref.ref))
  await writeFile(path, content)
  return path
}

describe('what operators are asked for', () => {
  it('declines frames below 0 before any money moves, since file names cannot tell them apart', async () => {
    const { job } = await smallJob()
    const { farm } = desk({
      info: { ...info, software: [{ name: job.render.software, version: '4.2', engines: [], devices: [] }] },
    })
    const quote = (frames: string) =>
      farm.quote(
        {
          spec: { ...job, frames, allowHumanLanes: true },
          estimate: { work: [1], low: 1, high: 1, classes: [], basis: [], probeMs: 0 },
          atMs: 0,
        },
        ctx,
      )
    expect(await quote('-2-4')).toMatchObject({
      kind: 'decline',
      reason: 'policy',
      message: expect.stringContaining('below 0') as string,
    })
    expect(await quote('0-4')).toMatchObject({ message: 'no price' })
  })
})

describe('the exchange folder', () => {
  it('holds a whole package that names everything and escapes it', async () => {
    const { farm } = desk({ words: { send: () => ['a <b> & "c"'], cancel: [] } })
    const { ref } = await farm.submit(await taskOf(farm), ctx)
    expect((await readdir(join(root, 'x', ref))).sort()).toEqual(['job.html', 'job.json', 'scene'])
    expect(await readFile(join(root, 'x', ref, 'scene', 'tex', 'wood.png'), 'utf8')).toContain('wood')
    const sheet = JSON.parse(await readFile(join(root, 'x', ref, 'job.json'), 'utf8')) as Record<string, unknown>
    expect(sheet).toMatchObject({ job: ref, scene: 'scene/scene.blend', frames: '1-2', software: 'blender 4.2' })
    const html = await readFile(join(root, 'x', ref, 'job.html'), 'utf8')
    expect(html).toContain('a &#60;b&#62; &#38; &#34;c&#34;')
  })
})

describe('the download folder', () => {
  it('gives a frame only when its file has stood still, decodes and has the ordered size', async () => {
    const { farm, clock } = desk()
    const ref = await farm.submit(await taskOf(farm), ctx)
    const look = async () => (await farm.poll({ scope: [ref] }, ctx)).events.filter((event) => event.type === 'output').length
    const path = await drop(ref, '*_0001.png', '64x3')
    expect(await look()).toBe(0)
    clock.nowMs += 2_000
    await appendFile(path, '6 pixels')
    await utimes(path, 1, 1)
    expect(await look()).toBe(0)
    clock.nowMs += 999
    expect(await look()).toBe(0)
    clock.nowMs += 1
    expect(await look()).toBe(1)
  })

  it('asks the operator about files that are broken or of another size, and takes them once they are right', async () => {
    const { farm, clock } = desk()
    const ref = await farm.submit(await taskOf(farm), ctx)
    await drop(ref, '*_0001.png', 'not a picture')
    await drop(ref, '*_0002.png', '32x18')
    await farm.poll({}, ctx)
    clock.nowMs += 1_000
    const page = await farm.poll({}, ctx)
    const asked = page.events.flatMap((event) =>
      event.type === 'ticket' ? [event.ticket.title + event.ticket.instructions[0]!] : [],
    )
    expect(asked.slice(1)).toEqual([expect.stringContaining('does not decode'), expect.stringContaining('32 x 18')])
    await drop(ref, '*_0001.png', '64x36 first')
    await drop(ref, '*_0002.png', '64x36 second')
    await farm.poll({}, ctx)
    clock.nowMs += 1_000
    const rest = await farm.poll({ cursor: page.cursor }, ctx)
    expect(types(rest.events)).toEqual([
      'running',
      'output',
      'progress',
      'ticket',
      'output',
      'progress',
      'ticket',
      'ticket',
      'succeeded',
    ])
  })

  it('passes over links, previews, frames that were not ordered and other jobs', async () => {
    const { farm, clock } = desk()
    const ref = await farm.submit(await taskOf(farm), ctx)
    await writeFile(join(root, 'secret.png'), '64x36')
    const downloads = join(root, 'x', 'downloads')
    await mkdir(downloads, { recursive: true })
    await symlink(join(root, 'secret.png'), join(downloads, `${ref.ref}_0001.png`))
    await drop(ref, '*_0099.png', '64x36')
    await drop(ref, '*_preview.png', '64x36')
    await drop(ref, '*_0002.jpg', '64x36')
    await drop(ref, 'other_0002.png', '64x36')
    await farm.poll({}, ctx)
    clock.nowMs += 5_000
    expect(types((await farm.poll({}, ctx)).events)).toEqual(['awaiting-operator', 'ticket'])
  })

  it('keeps what it accepted, whatever happens to the download folder', async () => {
    const { farm, clock } = desk()
    const ref = await farm.submit(await taskOf(farm, [1]), ctx)
    const path = await drop(ref, '*_0001.png', '64x36 original')
    await farm.poll({}, ctx)
    clock.nowMs += 1_000
    const { events } = await farm.poll({}, ctx)
    await writeFile(path, '64x36 tampered')
    const output = events.find((event) => event.type === 'output')!.output
    const body = await farm.open(output, { offset: 6 }, ctx)
    if (!('stream' in body)) throw new Error(body.unavailable)
    const chunks: Uint8Array[] = []
    for await (const chunk of body.stream) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('original')
  })

  it('takes frames by upload under the same rules', async () => {
    const { farm, clock } = desk()
    const ref = await farm.submit(await taskOf(farm, [1, 2]), ctx)
    await farm.deliver(ref, 1, Buffer.from('64x36'))
    await farm.deliver(ref, 2, Buffer.from('64x36'))
    await farm.poll({}, ctx)
    clock.nowMs += 1_000
    expect(types((await farm.poll({}, ctx)).events).at(-1)).toBe('succeeded')
  })
})

describe('the journal', () => {
  it('holds keys and cursors over a restart, also when its last line was cut off', async () => {
    const first = desk()
    const task = await taskOf(first.farm)
    const ref = await first.farm.submit(task, ctx)
    const { cursor } = await first.farm.poll({}, ctx)
    await appendFile(join(root, 'x', '.pictor', 'journal.jsonl'), '{"kind":"event","ev')
    const second = desk({}, first.clock)
    expect(await second.farm.submit(task, ctx)).toEqual(ref)
    expect((await second.farm.poll({ cursor }, ctx)).events).toEqual([])
    await drop(ref, '*_0001.png', '64x36')
    await second.farm.poll({}, ctx)
    first.clock.nowMs += 1_000
    expect(types((await second.farm.poll({ cursor }, ctx)).events)).toEqual(['running', 'output', 'progress'])
  })
})

describe('tickets', () => {
  it('end a task that the operator could not send, with his reason', async () => {
    const { farm } = desk()
    const ref = await farm.submit(await taskOf(farm), ctx)
    const answer = (fields: Record<string, string>) => farm.set(ref, { answer: { ticket: `send-${ref.ref}`, fields } }, ctx)
    expect(await answer({ job: '1', price: 'a lot' })).toMatchObject({ refused: true, reason: 'answer-invalid' })
    expect(await answer({ problem: 'the plugin is missing' })).toBe('done')
    const { events } = await farm.poll({}, ctx)
    expect(events.at(-1)).toMatchObject({ state: 'failed', failure: { class: 'capacity', message: 'the plugin is missing' } })
  })

  it('note the charge of a cancel, in whole micro-dollars', async () => {
    const { farm } = desk()
    const ref = await farm.submit(await taskOf(farm), ctx)
    expect(await farm.set(ref, { desired: 'cancel' }, ctx)).toBe('manual')
    const { events } = await farm.poll({}, ctx)
    const ticket = events.findLast((event) => event.type === 'ticket')!.ticket
    await farm.set(ref, { answer: { ticket: ticket.id, fields: { price: '3.20' } } }, ctx)
    const after = (await farm.poll({}, ctx)).events
    expect(after.find((event) => event.type === 'usage')).toMatchObject({ amount: 3_200_000n, currency: 'USD' })
    expect(types(after).slice(-2)).toEqual(['canceled', 'canceled'])
    expect(await farm.set(ref, { desired: 'erase' }, ctx)).toBe('done')
    expect(await readdir(join(root, 'x'))).not.toContain(ref.ref)
  })
})

describe('the operator’s signature', () => {
  it('stands for the farm’s commitment, and describe says so', async () => {
    const operator = privateKeySigner(drawnKey())
    const clock = { nowMs: Date.now() }
    const { farm } = desk({ operator }, clock)
    expect(await farm.describe(ctx)).toMatchObject({ key: operator.address, ext: { signedBy: 'operator' } })
    const task = await dressed(operator, await taskOf(farm, [1]))
    const ref = await farm.submit(task, ctx)
    expect(ref.leaseSignature).toMatch(/^0x/)
    await drop(ref, '*_0001.png', '64x36')
    await farm.poll({}, ctx)
    clock.nowMs += 1_000
    const commit = (await farm.poll({}, ctx)).events.find((event) => event.type === 'commit')!.commit
    expect(() => verifyCommit(task.lease!.domain, commit, operator.address)).not.toThrow()
  })
})

describe('quoteFrom', () => {
  const figure: PriceFigure = {
    tier: 'low',
    device: 'cpu',
    unit: 'GHz-hour',
    rate: '0.024',
    currency: 'USD',
    hosts: 100,
    source: 'page',
    asOf: '2026-11-22',
    trust: 'A',
  }
  const nowMs = Date.parse('2026-11-24')
  const quote = async (options: Partial<Parameters<typeof quoteFrom>[1]>, rating?: HostRating) => {
    const { job } = await smallJob()
    const estimate = {
      work: [1],
      low: 1,
      high: 1,
      classes: [{ id: 'a', memoryMiB: 1 }],
      basis: [],
      probeMs: 0,
      ...(rating ? { rating } : {}),
    }
    const base = { farm: 'f', figures: [figure], device: 'cpu', readyMs: 0, validForMs: 1_000, remarks: [] } as const
    return quoteFrom({ spec: job, estimate, atMs: nowMs }, { ...base, hostRating: 55, ...options }, nowMs)
  }
  it('computes a host-hour exactly and says what it rests on', async () => {
    const answer = await quote({ referenceRating: 110 })
    if (answer.kind !== 'quote') throw new Error(answer.message)
    // 0.024 USD x 55 GHz = 1.32 USD, as the farm's own page says.
    expect(answer.offers[0]!.price.perHostHour).toBe(1_320_000n)
    expect(answer.offers[0]!.msPerWork).toEqual([2_000])
    expect(answer.firmness).toBe('estimate')
    expect(answer.basis.join()).toContain('trust A')
  })
  it('takes the speed from what the estimate says of its machine, unless the caller knows better', async () => {
    const rating = { ghz: 11, octaneBench: 500, basis: '4 threads at 2.75 GHz' }
    const found = async (...args: Parameters<typeof quote>) => {
      const answer = await quote(...args)
      if (answer.kind !== 'quote') throw new Error(answer.message)
      return { ms: answer.offers[0]!.msPerWork[0], basis: answer.basis.join() }
    }
    expect(await found({}, rating)).toEqual({
      ms: 200,
      basis: expect.stringMatching(/counts 11 GHz \(4 threads at 2\.75 GHz\)/) as string,
    })
    expect((await found({ referenceRating: 110 }, rating)).ms).toBe(2000)
    const gpu = { device: 'gpu', figures: [{ ...figure, device: 'gpu', unit: 'OctaneBench-hour' }], hostRating: 2000 } as const
    expect((await found(gpu, rating)).ms).toBe(250)
    expect(await found(gpu, { ghz: 11, basis: 'CPU' })).toEqual({
      ms: 1000,
      basis: expect.stringMatching(/taken as equal/) as string,
    })
  })
  it('makes no offer of a tier that nobody published a rate for, and declines when none is left', async () => {
    const { rate: _rate, ...empty } = figure
    expect(await quote({ figures: [empty] })).toMatchObject({ kind: 'decline', reason: 'policy' })
    const answer = await quote({ figures: [figure, { ...empty, tier: 'high' }] })
    expect(answer.kind === 'quote' && answer.offers.map(({ tier }) => tier)).toEqual(['low'])
  })
  it('warns about old figures', () => {
    expect(staleness(figure, nowMs)).toBeUndefined()
    expect(staleness(figure, Date.parse('2026-11-22') + (STALE_DAYS + 1) * 86_400_000)).toContain('91 days old')
  })
})

import { createHash } from 'node:crypto'
import { memoryArtifacts } from '../../src/artifacts/index.ts'
import type { FarmSubject, FarmSupports, SubjectWish } from '../../src/conformance/index.ts'
import {
  canonicalJson,
  invalid,
  PictorError,
  type BundleManifest,
  type CallContext,
  type Farm,
  type FarmCapabilities,
  type FarmEvent,
  type JobSpec,
  type Output,
  type Task,
  type TaskRef,
  type TaskState,
} from '../../src/contract/index.ts'

const ID = 'small'

export const capabilities: FarmCapabilities = {
  cancelQueued: 'native',
  cancelRunning: 'native',
  hold: 'native',
  priority: 'native',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'native',
  resumeDownload: 'native',
  bindingQuote: 'native',
}

export const supports: FarmSupports = {
  lane: 'api',
  capabilities,
  priorityOnlyBeforeStart: true,
  scenarios: [
    'failing-frame',
    'payment-gate',
    'expired-outputs',
    'unknown-state',
    'unknown-event',
    'skewed-clock',
    'expired-quote',
  ],
}

interface Job {
  readonly ref: TaskRef
  readonly digest: string
  readonly frames: readonly number[]
  readonly done: number[]
  readonly failed: number[]
  state: TaskState
  hold: boolean
}

const sha256 = (bytes: Uint8Array): `0x${string}` => `0x${createHash('sha256').update(bytes).digest('hex')}`
const pixels = (name: string): Uint8Array => Buffer.from(`the pixels of ${name}`)

/** Scene files and job of the small farm. */
export async function smallJob(): Promise<{ job: JobSpec; files: ReturnType<typeof memoryArtifacts> }> {
  const files = memoryArtifacts()
  const list = await Promise.all(
    ['scene.blend', 'tex/wood.png'].map(async (path) => ({ path, ...(await files.put(Buffer.from(path.repeat(100)))) })),
  )
  const bundle: BundleManifest = { root: sha256(Buffer.from(canonicalJson(list))), entry: 'scene.blend', files: list }
  const job: JobSpec = {
    name: 'shot',
    frames: '1-6',
    bundle,
    render: {
      software: 'blender',
      softwareVersion: '4.2',
      engine: 'CYCLES',
      scene: 'Scene',
      viewLayers: ['ViewLayer'],
      camera: 'Camera',
      samples: 16,
      adaptive: false,
      denoise: false,
      seed: 0,
      animatedSeed: false,
      output: { format: 'PNG', width: 64, height: 36, colorMode: 'RGBA', bitDepth: 8 },
      checkClass: 'crop',
    },
    deadlineAtMs: Date.now() + 3_600_000,
    budget: { amount: 10_000_000n, currency: 'USD' },
    goal: 'cheapest',
  }
  return { job, files }
}

/** A task of the small job, on its first attempt. */
export const smallTask = (
  { bundle, render }: Pick<JobSpec, 'bundle' | 'render'>,
  stage: Task['stage'],
  frames: readonly number[],
  purpose: Task['purpose'] = 'render',
): Task => ({
  contract: 1,
  run: 'r',
  id: 1,
  attempt: 1,
  purpose,
  bundle,
  stage,
  spec: render,
  work: { kind: 'frames', frames },
})

/** A farm in memory whose time the kit advances: the plainest thing that keeps every rule. */
export async function smallFarm({ scenario }: SubjectWish): Promise<FarmSubject> {
  const { job, files } = await smallJob()
  const clock = { atMs: Date.now() + (scenario === 'skewed-clock' ? 86_400_000 : 0) }
  const held = new Set<string>()
  const jobs = new Map<string, Job>()
  const events: FarmEvent[] = []
  let paid = scenario !== 'payment-gate'
  let quoteEndAtMs = Infinity

  const find = (ref: TaskRef): Job => {
    const found = [...jobs.values()].find((item) => item.ref.ref === ref.ref)
    if (!found) throw new PictorError('not-found', `task ${ref.ref} is not known`, { details: { path: 'task' } })
    return found
  }
  const move = (item: Job, state: TaskState, raw: string = state): void => {
    item.state = state
    events.push({ type: 'state', task: item.ref, state, raw, atMs: clock.atMs })
  }
  const output = (item: Job, frame: number): Output => {
    const name = `${item.ref.ref}/${frame}.png`
    const bytes = pixels(name)
    return {
      task: item.ref,
      frame,
      part: 0,
      layer: 'ViewLayer',
      name,
      bytes: bytes.length,
      hash: sha256(bytes),
      completedAtMs: clock.atMs,
    }
  }
  const render = (item: Job, frame: number): void => {
    if (scenario === 'failing-frame' && frame === 3) {
      item.failed.push(frame)
      const failure = { class: 'scene', message: 'no camera', frame } as const
      events.push({ type: 'frame-failed', task: item.ref, frame, failure, atMs: clock.atMs })
      return
    }
    item.done.push(frame)
    events.push({ type: 'output', output: output(item, frame), atMs: clock.atMs })
    const count = { framesDone: item.done.length, framesTotal: item.frames.length }
    events.push({ type: 'progress', task: item.ref, atMs: clock.atMs, ...count, frame, fraction: 1 })
  }
  const step = (item: Job): void => {
    if (item.state === 'pausing') move(item, 'suspended')
    else if (item.state === 'canceling') {
      events.push({ type: 'canceled', task: item.ref, framesDone: [...item.done], atMs: clock.atMs })
      move(item, 'canceled')
    } else if (item.hold) return
    else if (item.state === 'submitted') {
      if (scenario === 'unknown-state') move(item, 'submitted', 'PONDERING')
      if (scenario === 'unknown-event')
        events.push({ type: 'moon-phase', task: item.ref, atMs: clock.atMs } as unknown as FarmEvent)
      move(item, 'queued')
    } else if (item.state === 'queued') move(item, 'running')
    else if (item.state === 'running') {
      const next = item.frames.find((frame) => !item.done.includes(frame) && !item.failed.includes(frame))
      if (next !== undefined) render(item, next)
      else move(item, item.failed.length > 0 ? 'failed' : 'succeeded')
    }
  }

  const farm: Farm = {
    contract: 1,
    id: ID,
    async describe(ctx) {
      ctx.signal?.throwIfAborted()
      return {
        contract: 1,
        id: ID,
        name: 'Small farm',
        lane: 'api',
        verification: 'none',
        capabilities,
        idempotency: 'native',
        software: [{ name: 'blender', version: '4.2', engines: ['CYCLES'], devices: ['CPU'] }],
        priceBook: { source: 'this test', asOf: '2026-11-01', kind: 'own' },
      }
    },
    async quote({ spec, estimate, atMs }, ctx) {
      ctx.signal?.throwIfAborted()
      if (spec.render.software !== 'blender')
        return { contract: 1, kind: 'decline', farm: ID, reason: 'software', message: 'only Blender' }
      if (scenario === 'expired-quote') quoteEndAtMs = Date.now() + 5
      const price = { perHostHour: 1_320_000n, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n }
      const times = { readyMs: 0, startMs: 0, billStart: false, perFrameMs: 0, deliverMs: 0 }
      const msPerWork = estimate.classes.map(() => 1_000)
      const validUntilAtMs = Math.min(atMs + 3_600_000, quoteEndAtMs)
      const offers = [{ id: 'std', tier: 'standard', hosts: 2, ...times, msPerWork, price }]
      return {
        contract: 1,
        kind: 'quote',
        id: 'q1',
        farm: ID,
        currency: 'USD',
        validUntilAtMs,
        firmness: 'locked',
        offers,
        basis: ['list'],
      }
    },
    async stage(manifest, source, ctx) {
      ctx.signal?.throwIfAborted()
      for (const { path } of manifest.files)
        if (/^\/|\\|(^|\/)\.\.(\/|$)/.test(path)) throw invalid('manifest.files.path', 'a path inside the bundle', path)
      for (const { hash } of manifest.files) {
        if (held.has(hash)) continue
        if (sha256(await source.read(hash)) !== hash) throw invalid('manifest.files.hash', 'the hash of the file', hash)
        held.add(hash)
      }
      return { farm: ID, ref: manifest.root }
    },
    async submit(task: Task, ctx: CallContext) {
      ctx.signal?.throwIfAborted()
      if (task.work.kind !== 'frames') throw new PictorError('farm-refused', `work of kind ${task.work.kind} is not done here`)
      if (task.offer !== undefined && Date.now() > quoteEndAtMs) throw new PictorError('farm-refused', 'the quote has ended')
      const digest = canonicalJson(task)
      const known = jobs.get(ctx.key)
      if (known && known.digest !== digest) throw new PictorError('conflict', 'the key was used for another task')
      if (known) return known.ref
      const ref: TaskRef = { farm: ID, ref: `t-${ctx.key.slice(0, 12)}` }
      const item: Job = { ref, digest, frames: task.work.frames, done: [], failed: [], state: 'submitted', hold: false }
      jobs.set(ctx.key, item)
      move(item, 'submitted')
      return ref
    },
    async poll({ cursor, scope }, ctx) {
      ctx.signal?.throwIfAborted()
      const wanted = (event: FarmEvent): boolean => {
        const ref = 'output' in event ? event.output.task : 'task' in event ? event.task : undefined
        return !scope || scope.some((item) => item.ref === ref?.ref)
      }
      if (cursor === undefined) return { events: events.filter(wanted), cursor: String(events.length), waitMs: 10 }
      if (!/^\d+$/.test(cursor) || Number(cursor) > events.length) throw invalid('cursor', 'a cursor of this farm', cursor)
      const page = events.slice(Number(cursor), Number(cursor) + 3)
      return { events: page.filter(wanted), cursor: String(Number(cursor) + page.length), waitMs: 10 }
    },
    async set(ref, change, ctx) {
      ctx.signal?.throwIfAborted()
      const item = find(ref)
      const over = ['succeeded', 'failed', 'canceled'].includes(item.state)
      if (change.priority !== undefined && !['submitted', 'queued'].includes(item.state))
        return { refused: true, reason: 'started', message: 'priority can be changed only before the start' }
      if (over) return 'done'
      if (change.desired === 'cancel' && item.state !== 'canceling') move(item, 'canceling')
      if (change.desired === 'hold') {
        item.hold = true
        move(item, 'pausing')
      }
      if (change.desired === 'run' && item.hold) {
        item.hold = false
        move(item, 'queued')
      }
      return change.desired === undefined ? 'done' : 'accepted'
    },
    async open(wanted, { offset }, ctx) {
      ctx.signal?.throwIfAborted()
      if (offset < 0 || offset > wanted.bytes) throw invalid('offset', `0..${wanted.bytes}`, offset)
      if (!find(wanted.task).done.includes(wanted.frame)) return { unavailable: 'not-yet', retryAfterMs: 1_000 }
      if (!paid) return { unavailable: 'payment' }
      if (scenario === 'expired-outputs') return { unavailable: 'expired' }
      const bytes = pixels(wanted.name).subarray(offset)
      return {
        bytes: bytes.length,
        stream: (async function* () {
          yield bytes
        })(),
      }
    },
    async close() {},
  }
  return {
    farm,
    job,
    files,
    failingFrame: 3,
    advance: async (ms) => {
      if (scenario === 'expired-quote') await new Promise((resolve) => setTimeout(resolve, ms))
      clock.atMs += ms
      for (const item of jobs.values()) step(item)
    },
    pay: async () => {
      paid = true
    },
  }
}

import type { Artifacts, BundleManifest } from '../contract/artifacts.ts'
import type { CallContext, Clock } from '../contract/context.ts'
import { canonicalJson } from '../contract/codec.ts'
import { invalid, PictorError } from '../contract/error.ts'
import type { Farm, FarmEvent, FarmInfo } from '../contract/farm.ts'
import type { OfferPrice, Quote } from '../contract/quote.ts'
import type { Task } from '../contract/task.ts'
import { sha256Hex, ZERO_HASH } from '../proof/hash.ts'
import { systemClock } from '../run/clock.ts'
import { farmModel, stateEvent, type FarmModel, type Happening, type SimTask } from './farm-model.ts'
import type { FarmKey, SimulatedFarm, SimulatedFarmOptions, SimulatedFarmStats } from './farm-options.ts'
import { simulatedFarmKey, textHash } from './keys.ts'
import { seededRandom } from './random.ts'

export type { FarmFaults, FarmKey, SimulatedFarm, SimulatedFarmOptions, SimulatedFarmStats } from './farm-options.ts'
export { simulatedContent } from './farm-model.ts'

const PAGE = 1000

/**
 * A farm in memory that behaves like a real one: it has a queue, hosts, prices, commitments and every misfortune that a farm can have, all from one seed. It computes
 * its past when it is asked, so it needs no timer and works on a real or a virtual clock.
 * @example const farm = simulatedFarm({ id: 'cheap', slots: 4, msPerWork: 800, faults: { eventLost: 0.05 } })
 */
export function simulatedFarm(options: SimulatedFarmOptions): SimulatedFarm {
  const clock: Clock = options.clock ?? systemClock()
  const key = options.key ?? simulatedFarmKey(options.id)
  const stats: SimulatedFarmStats = {
    calls: 0,
    tasksByKey: new Map(),
    tasksByAttempt: new Map(),
    framesRendered: 0,
    renders: new Map(),
    canceled: 0,
    erased: 0,
  }
  const model = farmModel(options, key, stats)
  const contentByKey = new Map<string, string>()
  const staged = new Set<string>()
  const call = faultyCalls(options, clock, stats)
  let epoch = 1
  let down = false

  const verb = <T>(ctx: CallContext, effect: (nowMs: number) => T | Promise<T>): Promise<T> =>
    call(ctx, down, async () => {
      const nowMs = clock.now()
      model.advance(nowMs)
      return effect(nowMs)
    })

  const farm: Farm = {
    contract: 1,
    id: options.id,
    describe: (ctx) => verb(ctx, () => farmInfo(options, key.address)),
    quote: (request, ctx) =>
      verb(ctx, (nowMs) =>
        options.declines
          ? { contract: 1, kind: 'decline', farm: options.id, reason: 'capacity', message: 'this simulated farm takes no jobs' }
          : request.spec.render.software !== 'blender'
            ? {
                contract: 1,
                kind: 'decline',
                farm: options.id,
                reason: 'software',
                message: 'this simulated farm has only Blender',
              }
            : simulatedQuote(options, request.estimate.classes.length, nowMs),
      ),
    stage: (manifest, files, ctx) =>
      verb(ctx, async () => {
        if (options.checkFiles) await checkFiles(manifest, files, staged)
        for (const file of manifest.files)
          if (!(await files.has(file.hash)))
            throw new PictorError('farm-refused', `${options.id}: ${file.path} is not among the artifacts`, {
              details: { class: 'asset', files: [file.path] },
            })
        return { farm: options.id, ref: manifest.root }
      }),
    submit: (task, ctx) =>
      verb(ctx, (nowMs) => {
        refuseBadTask(options.id, task, key, nowMs)
        const known = options.idempotency === 'at-most-once' ? undefined : stats.tasksByKey.get(ctx.key)
        const content = taskContent(task)
        if (known !== undefined && contentByKey.get(ctx.key) !== content)
          throw new PictorError('conflict', `${options.id}: key ${ctx.key} was used for another task`, {
            details: { path: 'key' },
          })
        const sim = known === undefined ? model.add(task, ctx.key, nowMs) : model.tasks.get(known)
        if (known === undefined) {
          stats.tasksByKey.set(ctx.key, sim!.ref.ref)
          contentByKey.set(ctx.key, content)
        }
        const ref = sim?.ref ?? { farm: options.id, ref: known! }
        return task.lease ? key.signAccept(task.lease).then((leaseSignature) => ({ ...ref, leaseSignature })) : ref
      }),
    poll: (query, ctx) =>
      verb(ctx, async () => {
        const scope = query.scope && new Set(query.scope.map((ref) => ref.ref))
        const from = cursorSeq(query.cursor, epoch)
        const page = from === undefined || call.unlucky('cursorLost') ? undefined : model.since(from, PAGE)
        const list = page?.list ?? everything(model)
        const events: FarmEvent[] = []
        for (const happening of list) {
          if (scope && !scope.has(refOf(happening) ?? '')) continue
          if (page && call.unlucky('eventLost')) continue
          const event = await toEvent(model, happening, options, clock.now())
          if (!event) continue
          events.push(event)
          if (call.unlucky('eventTwice')) events.push(event)
        }
        const seq = page?.seq ?? model.seq
        return { events, cursor: `${epoch}:${seq}`, waitMs: seq < model.seq ? 0 : (options.pollMs ?? 1000) }
      }),
    set: (ref, change, ctx) =>
      verb(ctx, (nowMs) => {
        const sim = model.tasks.get(ref.ref)
        if (change.desired === 'erase') {
          if (sim) model.erase(sim)
          return 'done' as const
        }
        if (!sim) return { refused: true as const, reason: 'not-found', message: `${options.id} knows no task ${ref.ref}` }
        return (
          model.change(sim, change, nowMs) ?? {
            refused: true as const,
            reason: 'ticket',
            message: 'the answer fits no open ticket, or a required field is missing',
          }
        )
      }),
    open: (output, range, ctx) =>
      verb(ctx, (nowMs) => {
        const sim = model.tasks.get(output.task.ref)
        const index = sim?.frames.indexOf(output.frame) ?? -1
        if (!(range.offset >= 0 && range.offset <= output.bytes)) throw invalid('offset', `0 to ${output.bytes}`, range.offset)
        if (!sim || !(sim.doneAtMs[index]! > 0)) return { unavailable: sim ? ('not-yet' as const) : ('gone' as const) }
        const readyAtMs = sim.doneAtMs[index]! + (options.outputDelayMs ?? 0)
        if (nowMs < readyAtMs) return { unavailable: 'not-yet' as const, retryAfterMs: readyAtMs - nowMs }
        return call.body(model.bytesOf(sim, index), range.offset)
      }),
    close: async () => {},
  }
  return Object.assign(farm, {
    stats,
    address: key.address,
    forgetCursors: () => void epoch++,
    setDown: (value: boolean) => void (down = value),
  })
}

/** Reads each file that is not staged yet and looks at its path and hash, as a farm that receives bytes does. */
async function checkFiles(manifest: BundleManifest, files: Artifacts, staged: Set<string>): Promise<void> {
  for (const { path } of manifest.files)
    if (/^\/|\\|(^|\/)\.\.(\/|$)/.test(path)) throw invalid('manifest.files.path', 'a path inside the bundle', path)
  for (const { hash } of manifest.files) {
    if (staged.has(hash)) continue
    const found: string = sha256Hex(await files.read(hash))
    if (found !== hash) throw invalid('manifest.files.hash', `the sha256 of the file, ${found}`, hash)
    staged.add(hash)
  }
}

interface FaultyCalls {
  <T>(ctx: CallContext, down: boolean, effect: () => Promise<T>): Promise<T>
  unlucky(fault: 'cursorLost' | 'eventLost' | 'eventTwice'): boolean
  body(bytes: Uint8Array, offset: number): { bytes: number; stream: AsyncIterable<Uint8Array> }
}

/** Wraps calls with what may go wrong between a caller and a farm. */
function faultyCalls(options: SimulatedFarmOptions, clock: Clock, stats: SimulatedFarmStats): FaultyCalls {
  const faults = options.faults ?? {}
  const random = seededRandom(options.seed ?? 1)
  const unreachable = (why: string) =>
    new PictorError('farm-unreachable', `${options.id}: ${why}`, { details: { farm: options.id } })
  const call = async <T>(ctx: CallContext, down: boolean, effect: () => Promise<T>): Promise<T> => {
    stats.calls++
    ctx.signal?.throwIfAborted()
    const nowMs = clock.now()
    if (down || options.downAtMs?.some((span) => nowMs >= span.from && nowMs < span.to)) throw unreachable('no answer')
    if (random.chance(faults.callHangs ?? 0)) await hang(ctx.signal)
    if (random.chance(faults.callFails ?? 0)) throw unreachable('connection reset')
    const result = await effect()
    if (random.chance(faults.replyLost ?? 0)) throw unreachable('the reply was lost')
    return result
  }
  return Object.assign(call, {
    unlucky: (fault: 'cursorLost' | 'eventLost' | 'eventTwice') => random.chance(faults[fault] ?? 0),
    body: (bytes: Uint8Array, offset: number) => {
      const rest = bytes.subarray(offset)
      const breaks = random.chance(faults.downloadBreaks ?? 0)
      const corrupt = random.chance(faults.downloadCorrupt ?? 0)
      const sent = corrupt ? rest.map((byte, i) => (i === rest.length - 1 ? byte ^ 1 : byte)) : rest
      return {
        bytes: rest.length,
        stream: (async function* () {
          const half = sent.length >> 1
          yield sent.subarray(0, half)
          if (breaks) throw unreachable('the download broke off')
          yield sent.subarray(half)
        })(),
      }
    },
  })
}

/** Waits for the caller to give up. */
function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function refuseBadTask(id: string, task: Task, key: FarmKey, nowMs: number): void {
  if (task.work.kind !== 'frames')
    throw new PictorError('farm-refused', `${id}: work of kind ${task.work.kind} is not offered`, {
      details: { class: 'protocol' },
    })
  if (task.purpose !== 'render') return
  const reason = task.lease ? key.checkTicket(task.lease, nowMs) : 'a render task needs a lease'
  if (reason) throw new PictorError('farm-refused', `${id}: ${reason}`, { details: { class: 'protocol', path: 'task.lease' } })
}

/** What must be the same when a key is used again. The ticket's Ready signatures may grow between tries. */
function taskContent(task: Task): string {
  const { lease, ...rest } = task
  return textHash(canonicalJson({ ...rest, bundle: rest.bundle.root, lease: lease?.lease, seq: lease?.set.seq, ext: null }))
}

function cursorSeq(cursor: string | undefined, epoch: number): number | undefined {
  const match = /^(\d+):(\d+)$/.exec(cursor ?? '')
  return match && Number(match[1]) === epoch ? Number(match[2]) : undefined
}

const refOf = (happening: Happening): string | undefined =>
  happening.kind === 'event' ? ('task' in happening.event ? happening.event.task?.ref : undefined) : happening.task.ref.ref

/** The whole truth about every task, for a poll without a cursor. */
function everything(model: FarmModel): Happening[] {
  const list: Happening[] = []
  for (const sim of model.tasks.values()) {
    if (sim.ticket && !sim.ticket.closed)
      list.push({ kind: 'event', event: { type: 'ticket', task: sim.ref, ticket: sim.ticket, atMs: sim.submittedAtMs } })
    sim.doneAtMs.forEach((done, index) => done > 0 && list.push({ kind: 'output', task: sim, index }))
    for (const [index, failure] of sim.failedFrames)
      list.push({
        kind: 'event',
        event: { type: 'frame-failed', task: sim.ref, frame: sim.frames[index]!, failure, atMs: sim.lastAtMs },
      })
    sim.commits.forEach((_, index) => list.push({ kind: 'commit', task: sim, index }))
    list.push({ kind: 'event', event: stateEvent(sim) })
    if (sim.canceledAtMs !== undefined) list.push({ kind: 'canceled', task: sim })
  }
  return list
}

async function toEvent(
  model: FarmModel,
  happening: Happening,
  options: SimulatedFarmOptions,
  nowMs: number,
): Promise<FarmEvent | undefined> {
  if (happening.kind === 'event') return happening.event
  const sim: SimTask = happening.task
  if (!model.tasks.has(sim.ref.ref)) return undefined
  if (happening.kind === 'output') {
    const output = model.outputOf(sim, happening.index)
    return { type: 'output', output, atMs: output.completedAtMs }
  }
  if (happening.kind === 'commit') {
    const commit = await model.commitOf(sim, happening.index)
    return { type: 'commit', task: sim.ref, commit, atMs: sim.commits[happening.index]!.atMs }
  }
  const framesDone = sim.frames.filter((_, i) => sim.doneAtMs[i]! > 0)
  const ticket = sim.task.lease
  const key = options.key ?? simulatedFarmKey(options.id)
  if (ticket && !sim.canceledSignature) {
    const done = await Promise.all(sim.commits.map((_, i) => model.commitOf(sim, i)))
    const outputs = done.flatMap((commit) => commit.outputs)
    sim.canceledRoot = outputs.length > 0 ? key.outputRoot(outputs) : ZERO_HASH
    const message = { job: ticket.job, lease: ticket.lease.id, outputRoot: sim.canceledRoot }
    sim.canceledSignature = await key.signCanceled(ticket.domain, message)
  }
  return {
    type: 'canceled',
    task: sim.ref,
    framesDone,
    atMs: sim.canceledAtMs ?? nowMs,
    ...(sim.canceledSignature && sim.canceledRoot ? { signature: sim.canceledSignature, outputRoot: sim.canceledRoot } : {}),
  }
}

function farmInfo(options: SimulatedFarmOptions, address: `0x${string}`): FarmInfo {
  const lane = options.lane ?? 'partner'
  return {
    contract: 1,
    id: options.id,
    name: `Simulated farm ${options.id}`,
    lane,
    verification: 'contract-simulated',
    capabilities: {
      cancelQueued: 'native',
      cancelRunning: 'native',
      hold: 'native',
      priority: 'native',
      tiles: 'none',
      samples: 'none',
      windows: 'native',
      partialOutputs: 'native',
      resumeDownload: 'native',
      bindingQuote: 'native',
    },
    idempotency: options.idempotency ?? 'native',
    software: [{ name: 'blender', version: '*', engines: ['CYCLES', 'BLENDER_EEVEE'], devices: ['simulated'] }],
    key: address,
    payTo: address,
    slots: options.slots ?? 1,
    priceBook: { source: 'simulation', asOf: '2026-01-01', kind: 'own' },
  }
}

/** The quote that a simulated farm gives: its own options, exactly. */
export function simulatedQuote(options: SimulatedFarmOptions, classes: number, nowMs: number): Quote {
  const price: OfferPrice = { perHostHour: 1_000_000n, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n, ...options.price }
  return {
    contract: 1,
    kind: 'quote',
    id: `quote-${options.id}-${nowMs}`,
    farm: options.id,
    currency: options.currency ?? 'USD',
    validUntilAtMs: nowMs + 3_600_000,
    firmness: 'locked',
    offers: [
      {
        id: 'standard',
        tier: 'standard',
        hosts: options.slots ?? 1,
        readyMs: options.queueMs ?? 0,
        startMs: options.startMs ?? 0,
        billStart: false,
        perFrameMs: options.perFrameMs ?? 0,
        deliverMs: options.pollMs ?? 1000,
        msPerWork: Array.from({ length: classes }, () => options.msPerWork ?? 1000),
        price,
      },
    ],
    basis: ['simulated'],
  }
}

export type { FarmFaults, FarmKey, SimulatedFarm, SimulatedFarmOptions, SimulatedFarmStats } from './farm-options.ts'

import type { Artifacts, BundleManifest } from '../contract/artifacts.ts'
import { canonicalJson } from '../contract/codec.ts'
import type { CallContext, Clock } from '../contract/context.ts'
import { invalid, PictorError } from '../contract/error.ts'
import type { Farm, FarmEvent } from '../contract/farm.ts'
import type { Task } from '../contract/task.ts'
import { sha256Hex } from '../proof/hash.ts'
import { systemClock } from '../run/clock.ts'
import { faultyCalls } from './farm-calls.ts'
import { cursorSeq, everything, refOf, toEvent } from './farm-events.ts'
import { garbage } from './farm-garbage.ts'
import { farmInfo, simulatedQuote } from './farm-info.ts'
import { farmModel } from './farm-model.ts'
import type { FarmKey, SimulatedFarm, SimulatedFarmOptions, SimulatedFarmStats } from './farm-options.ts'
import { simulatedFarmKey, textHash } from './keys.ts'

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
    refused: 0,
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
        refuseBadTask(options, task, key, nowMs)
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
        if (call.unlucky('garbage')) events.push(...garbage(model, options.id, call.random, clock.now()))
        if (call.unlucky('pageShuffled')) call.shuffle(events)
        const seq = page?.seq ?? model.seq
        return { events, cursor: `${epoch}:${seq}`, waitMs: seq < model.seq ? 0 : (options.pollMs ?? 1000) }
      }),
    set: (ref, change, ctx) =>
      verb(ctx, (nowMs) => {
        const sim = model.tasks.get(ref.ref)
        if (change.desired === 'erase') {
          if (sim) model.erase(sim)
          if (sim && options.lean) contentByKey.delete(sim.key)
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
        return call.body(model.bytesOf(sim, index, nowMs < (sim.drafts.get(index) ?? 0)), range.offset)
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

function refuseBadTask({ id, tiles }: SimulatedFarmOptions, task: Task, key: FarmKey, nowMs: number): void {
  if (task.work.kind !== 'frames' && !(task.work.kind === 'tiles' && tiles && task.work.tiles.length === 1))
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

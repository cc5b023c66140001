import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PictorError, canonicalJson, invalid, isPictorError } from '@pictor/core/contract'
import type { CallContext, Farm, FarmEvent, FarmPoll, Output, Task, TaskRef } from '@pictor/core/contract'
import { followOpenings } from '@pictor/core/proof'
import type { ComputeDevice } from './blender/devices.ts'
import { installedBlenders } from './blender/installed.ts'
import type { SelfHostedOptions, Settings } from './options.ts'
import { describeFarm, devicesOf, slotRating } from './describe.ts'
import { requireProgram } from './program.ts'
import { DRAINING, quoteFor } from './quote.ts'
import { requireSandbox } from './sandbox/bubblewrap.ts'
import { picturesOf } from './tasks/pictures.ts'
import { outputFolder } from './tasks/render-task.ts'
import { settingsOf } from './settings.ts'
import { TaskRunner } from './tasks/runner.ts'
import { acceptLease } from './tasks/signing.ts'
import { stageBundle, stagedScene } from './tasks/stage.ts'
import { ENDED, TaskStore } from './tasks/store.ts'
import { sweep } from './tasks/sweep.ts'
import type { TaskRow } from './tasks/store.ts'

/** Events of one poll at most. */
const POLL_LIMIT = 500

const LOCK_GRACE_MS = 1500

/** While something renders, a poll without news waits for some so long, milliseconds; what it has then is progress. */
const HOLD_MS = 100

/**
 * A render farm made of Blender on this machine: one warm Blender a slot. Starts nothing until it is first asked; then it continues what an earlier process with
 * the same `workDir` left unfinished.
 * @example
 * const studio = selfHosted({ id: 'studio', workDir: '.pictor/farms/studio', slots: 2 })
 * console.log((await studio.describe({ key: 'look' })).software)
 * @throws invalid-input naming the option
 */
export function selfHosted(options: SelfHostedOptions): Farm {
  const settings = settingsOf(options)
  const { id, now } = settings
  const openings = settings.ledger && followOpenings(settings.ledger, 'farm-refused')
  let installed: ReturnType<typeof installedBlenders> | undefined
  const blenders = () => (installed ??= installedBlenders(settings.blender))
  let devices: Promise<readonly (ComputeDevice | undefined)[]> | undefined
  const slotDevices = () => (devices ??= blenders().then((found) => devicesOf(settings, found)))
  let opened: Promise<{ store: TaskStore; runner: TaskRunner }> | undefined
  let closed = false

  const open = () => {
    if (closed) throw new PictorError('canceled', `farm ${id} was closed`)
    return (opened ??= start().catch((error: unknown) => {
      opened = undefined // what stood in the way may be gone at the next call
      throw error
    }))
  }

  async function start(): Promise<{ store: TaskStore; runner: TaskRunner }> {
    const store = await openStore(id, settings.workDir)
    try {
      const runner = new TaskRunner(settings, store, blenders, await slotDevices())
      await runner.resume()
      sweepEachHour(store)
      return { store, runner }
    } catch (error) {
      store.close()
      throw error
    }
  }

  let sweeping: { readonly timer: NodeJS.Timeout; now: Promise<void> } | undefined
  function sweepEachHour(store: TaskStore): void {
    const { keepMs } = settings
    if (keepMs === undefined) return
    // What cannot be removed now is tried again.
    const run = () => sweep(settings, store, keepMs).catch(() => {})
    const timer = setInterval(() => (sweeping!.now = run()), 3_600_000).unref()
    sweeping = { timer, now: run() }
  }

  async function submit(task: Task, ctx: CallContext): Promise<TaskRef> {
    ctx.signal?.throwIfAborted()
    const { store, runner } = await open()
    const digest = createHash('sha256').update(canonicalJson(task)).digest('hex')
    const known = store.find(ctx.key)
    if (known) {
      if (known.digest !== digest)
        throw new PictorError('conflict', 'this key was used for another task', {
          details: { path: 'ctx.key', ref: known.ref.ref },
        })
      return known.ref
    }
    if (settings.draining()) throw new PictorError('farm-refused', DRAINING, { details: { reason: 'draining' } })
    await checkTask(task)
    const signature = await acceptLease(task, { ...settings, openings })
    const ref: TaskRef = {
      farm: id,
      ref: createHash('sha256').update(`${id}\n${ctx.key}`).digest('hex').slice(0, 24),
      ...(signature ? { leaseSignature: signature } : {}),
    }
    // Another call with the same key may have come through while this one was signing.
    const again = store.find(ctx.key)
    if (again) return again.ref
    store.atomically(() => store.create(ctx.key, digest, ref, task, now()))
    runner.enqueue(store.task(ref.ref)!)
    return ref
  }

  async function checkTask(task: Task): Promise<void> {
    if (settings.confined) await requireSandbox()
    if (picturesOf(task, 'CPU', 1).length === 0) throw invalid('task.work', 'at least one frame', 0)
    requireProgram(settings, await blenders(), task.spec, task.work.kind === 'tiles' || task.window?.region !== undefined)
    await stagedScene(settings.workDir, task.bundle)
  }

  async function poll(query: Parameters<Farm['poll']>[0], ctx: CallContext): Promise<FarmPoll> {
    ctx.signal?.throwIfAborted()
    const { store, runner } = await open()
    const scope = query.scope && new Set(query.scope.map((ref) => ref.ref))
    const inScope = (ref: string) => scope === undefined || scope.has(ref)
    const [seq, seen] = query.cursor === undefined ? [undefined, 0] : cursorOf(query.cursor)
    if (seq === store.lastSeq() && runner.busySlots() > 0) {
      await store.news.wait(HOLD_MS, ctx.signal)
      if (closed) throw new PictorError('canceled', `farm ${id} was closed`)
    }
    const events: FarmEvent[] = []
    let next = store.lastSeq()
    if (seq === undefined) for (const row of store.tasks()) if (inScope(row.ref.ref)) events.push(...reconcile(store, row, now()))
    if (seq !== undefined && seq < next) {
      const entries = store.eventsAfter(seq, POLL_LIMIT)
      if (entries.length === POLL_LIMIT) next = entries.at(-1)!.seq
      for (const entry of entries) if (inScope(entry.ref)) events.push(entry.event)
    }
    let version = seen
    for (const [ref, live] of runner.progress) {
      if (live.version <= seen || !inScope(ref)) continue
      version = Math.max(version, live.version)
      const { task, framesDone, framesTotal, frame, fraction } = live
      events.push({ type: 'progress', task, atMs: now(), framesDone, framesTotal, frame, fraction })
    }
    // Who has a cursor is made to wait by the next poll itself.
    const waitMs = next < store.lastSeq() ? 0 : runner.busySlots() === 0 ? 500 : seq === undefined ? 25 : 0
    return { events, cursor: `${next}.${version}`, waitMs }
  }

  async function shut(): Promise<void> {
    closed = true
    const parts = await opened?.catch(() => undefined)
    clearInterval(sweeping?.timer)
    await sweeping?.now
    await parts?.runner.close()
    parts?.store.close()
  }
  let closing: Promise<void> | undefined

  return {
    contract: 1,
    id,
    async describe(ctx) {
      ctx.signal?.throwIfAborted()
      const info = await describeFarm(settings, await blenders(), await slotDevices())
      const parts = await opened?.catch(() => undefined)
      return { ...info, ext: { ...info.ext, tasks: parts?.runner.counts() ?? { running: 0, queued: 0 } } }
    },
    async quote(request, ctx) {
      ctx.signal?.throwIfAborted()
      const [found, slots] = [await blenders(), await slotDevices()]
      return quoteFor(settings, found, slots, await slotRating(settings, found, slots[0]), request)
    },
    async stage(manifest, files, ctx) {
      ctx.signal?.throwIfAborted()
      await stageBundle(settings.workDir, manifest, files, { maxBytes: settings.maxBundleBytes, signal: ctx.signal })
      return { farm: id, ref: manifest.root }
    },
    submit,
    poll,
    async set(ref, change, ctx) {
      ctx.signal?.throwIfAborted()
      const { store, runner } = await open()
      const row = store.task(ref.ref)
      if (!row)
        throw new PictorError('not-found', `farm ${id} has no task ${ref.ref}`, { details: { path: 'task', ref: ref.ref } })
      if (change.priority !== undefined) runner.setPriority(row, change.priority)
      const ended = ENDED.has(row.state)
      if (change.desired === 'erase') {
        if (!ended) return { refused: true, reason: 'running', message: 'cancel the task before it is erased' }
        await runner.erase(row)
      } else if (change.desired !== undefined && ended)
        return row.state === 'canceled' && change.desired === 'cancel'
          ? 'done'
          : { refused: true, reason: 'ended', message: `the task has ended: ${row.state}` }
      if (change.desired === 'hold') return await runner.hold(row)
      if (change.desired === 'cancel') return await runner.cancel(row)
      if (change.desired === 'run') runner.release(row)
      return 'done'
    },
    async open(output, { offset }, ctx) {
      ctx.signal?.throwIfAborted()
      const { store } = await open()
      const known = store.outputs(output.task.ref).find((one) => one.name === output.name)
      if (!known) return { unavailable: store.task(output.task.ref) ? 'not-yet' : 'gone' }
      return await bodyOf(settings, known, offset)
    },
    close: () => (closing ??= shut()),
  }
}

/** A farm that was killed a moment ago may still hold its lock while the system clears it away. */
async function openStore(id: string, workDir: string): Promise<TaskStore> {
  for (let waitedMs = 0; ; waitedMs += 100)
    try {
      return new TaskStore(id, workDir)
    } catch (error) {
      if (!isPictorError(error, 'conflict') || waitedMs >= LOCK_GRACE_MS) throw error
      await sleep(100)
    }
}

function cursorOf(cursor: string): [number, number] {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(cursor)
  if (!match) throw invalid('cursor', 'a cursor of this farm', cursor)
  return [Number(match[1]), Number(match[2])]
}

/** A task as it stands, told as events: outputs, failures, commitments, then its state. */
function reconcile(store: TaskStore, row: TaskRow, atMs: number): FarmEvent[] {
  const task = row.ref
  const { state, failure } = row
  return [
    ...store.outputs(task.ref).map((output): FarmEvent => ({ type: 'output', output, atMs })),
    ...store.frameFailures(task.ref).map((one): FarmEvent => ({ type: 'frame-failed', task, ...one, atMs })),
    ...store.eventsOf(task.ref, 'commit'),
    ...store.eventsOf(task.ref, 'canceled'),
    { type: 'state', task, state, raw: state, atMs, ...(failure ? { failure } : {}) },
  ]
}

async function bodyOf(settings: Settings, output: Output, offset: number): ReturnType<Farm['open']> {
  const path = join(outputFolder(settings.workDir, output.task.ref), output.name)
  const info = await stat(path).catch(() => undefined)
  if (!info || info.size !== output.bytes) return { unavailable: 'gone' }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset > info.size)
    throw invalid('range.offset', `0 to ${info.size}`, offset)
  return { bytes: info.size - offset, stream: createReadStream(path, { start: offset }) }
}

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TaskRef } from '@pictor/core/contract'
import type { ComputeDevice } from '../blender/devices.ts'
import type { InstalledBlender } from '../blender/installed.ts'
import { killLeftover } from '../blender/process.ts'
import type { Settings } from '../options.ts'
import { requireProgram } from '../program.ts'
import { picturesOf } from './pictures.ts'
import { outputFolder, renderTask } from './render-task.ts'
import type { StopReason, TaskEnd } from './render-task.ts'
import { commitOutputs, signEnd } from './signing.ts'
import { Slot } from './slot.ts'
import type { Opening } from './slot.ts'
import { sceneFolder, stagedScene } from './stage.ts'
import { ENDED } from './store.ts'
import type { TaskRow, TaskStore } from './store.ts'

/** What a task is at, between the durable events. */
export interface LiveProgress {
  readonly task: TaskRef
  readonly version: number
  readonly framesDone: number
  readonly framesTotal: number
  readonly frame: number
  readonly fraction: number
}

interface Running {
  readonly row: TaskRow
  readonly slot: Slot
  stop: StopReason | undefined
  ended: Promise<void>
}

/** Short work that others wait for goes first. */
const PURPOSE_PRIORITY = { render: 0, probe: 1_000_000, check: 2_000_000 } as const

/** How long a canceled task may finish the frame it is at before its Blender is killed. */
const CANCEL_GRACE_MS = 300

/** Gives queued tasks to slots. A running task steps back between frames when more urgent work waits. */
export class TaskRunner {
  readonly progress: Map<string, LiveProgress> = new Map()
  private readonly settings: Settings
  private readonly store: TaskStore
  private readonly blenders: () => Promise<InstalledBlender[]>
  private readonly slots: Slot[]
  private readonly running = new Map<string, Running>()
  private queue: TaskRow[] = []
  private progressVersion = 0
  private closed = false

  constructor(
    settings: Settings,
    store: TaskStore,
    blenders: () => Promise<InstalledBlender[]>,
    devices: readonly (ComputeDevice | undefined)[],
  ) {
    this.settings = settings
    this.store = store
    this.blenders = blenders
    const journal = {
      started: store.addWorker.bind(store),
      ended: (process: { pid: number }) => {
        if (!this.closed) store.removeWorker(process.pid)
      },
    }
    this.slots = devices.map((device, index) => new Slot(index, device, settings, journal))
  }

  /** Kills what an earlier run left behind, removes its half-done files, then continues its tasks. */
  async resume(): Promise<void> {
    for (const leftover of this.store.workers()) {
      await killLeftover(leftover)
      this.store.removeWorker(leftover.pid)
    }
    for (const slot of this.slots) await rm(join(slot.folder, 'out'), { recursive: true, force: true })
    const open = this.store.open()
    // First what may fail, then what starts renders.
    for (const row of open.filter((one) => one.state === 'canceling')) await this.finishCancel(row)
    for (const row of open.filter((one) => one.state === 'pausing')) this.setState(row, 'suspended', 'held')
    for (const row of open.filter((one) => !['canceling', 'pausing', 'suspended'].includes(one.state))) this.enqueue(row)
  }

  /** Puts a task in line. */
  enqueue(row: TaskRow): void {
    this.queue.push(row)
    this.pump()
  }

  busySlots(): number {
    return this.running.size
  }

  /** Tasks that render and that wait for a slot. */
  counts(): { readonly running: number; readonly queued: number } {
    return { running: this.running.size, queued: this.queue.length }
  }

  async hold(row: TaskRow): Promise<'done' | 'accepted'> {
    const active = this.running.get(row.ref.ref)
    if (active) {
      active.stop = 'hold'
      this.setState(row, 'pausing', 'holding after this frame')
      return 'accepted'
    }
    this.unqueue(row)
    this.setState(row, 'suspended', 'held')
    return 'done'
  }

  release(row: TaskRow): void {
    const active = this.running.get(row.ref.ref)
    if (active?.stop === 'hold') {
      active.stop = undefined
      this.setState(row, 'running', 'running')
    } else if (!active && row.state === 'suspended') {
      this.setState(row, 'queued', 'queued')
      this.enqueue(row)
    }
  }

  async cancel(row: TaskRow): Promise<'done' | 'accepted'> {
    const active = this.running.get(row.ref.ref)
    if (!active) {
      this.unqueue(row)
      await this.finishCancel(row)
      return 'done'
    }
    active.stop = 'cancel'
    this.setState(row, 'canceling', 'canceling')
    void Promise.race([active.ended, sleep(CANCEL_GRACE_MS)]).then(async () => {
      if (this.running.get(row.ref.ref) === active) await active.slot.retire('the task was canceled')
    })
    return 'accepted'
  }

  setPriority(row: TaskRow, priority: number): void {
    this.store.setPriority(row.ref.ref, priority)
    this.queue = this.queue.map((one) => (one.ref.ref === row.ref.ref ? { ...one, priority } : one))
    this.pump()
  }

  /** Forgets a task and its files. It must not be running. */
  async erase(row: TaskRow): Promise<void> {
    this.unqueue(row)
    this.store.atomically(() => this.store.erase(row.ref.ref))
    this.progress.delete(row.ref.ref)
    await rm(outputFolder(this.settings.workDir, row.ref.ref), { recursive: true, force: true })
  }

  /** Ends all Blenders. Unfinished tasks stay in the books and go on when the farm is made again. */
  async close(): Promise<void> {
    this.closed = true
    for (const active of this.running.values()) active.stop = 'close'
    const ending = [...this.running.values()].map((active) => active.ended)
    await Promise.all(this.slots.map((slot) => slot.close()))
    await Promise.all(ending)
    for (const leftover of this.store.workers()) this.store.removeWorker(leftover.pid)
  }

  private unqueue(row: TaskRow): void {
    this.queue = this.queue.filter((one) => one.ref.ref !== row.ref.ref)
  }

  private setState(row: TaskRow, state: TaskRow['state'], raw: string, failure?: TaskRow['failure']): void {
    this.store.atomically(() => this.store.setState(row.ref, state, raw, this.settings.now(), failure))
  }

  private async finishCancel(row: TaskRow): Promise<void> {
    await commitOutputs(this.store, row, this.settings.signer, this.settings.now)
    const signed = await signEnd(this.store, row, this.settings.signer)
    const frames = [...new Set(this.store.outputs(row.ref.ref).map((output) => output.frame))]
    this.store.atomically(() => {
      this.store.addCanceled(row.ref, frames, signed, this.settings.now())
      this.store.setState(row.ref, 'canceled', 'canceled', this.settings.now())
    })
  }

  private urgency(row: TaskRow): number {
    return PURPOSE_PRIORITY[row.task.purpose] + row.priority
  }

  /** Fills idle slots: the most urgent task first, into the slot that has its scene open, else an empty slot, else any. */
  private pump(): void {
    if (this.closed) return
    const busy = new Set([...this.running.values()].map((active) => active.slot))
    const idle = this.slots.filter((slot) => !busy.has(slot))
    while (idle.length > 0 && this.queue.length > 0) {
      const row = this.queue.reduce((best, one) => (this.urgency(one) > this.urgency(best) ? one : best))
      const file = join(sceneFolder(this.settings.workDir, row.task.bundle.root), row.task.bundle.entry)
      const slot = idle.find((one) => one.has(file)) ?? idle.find((one) => one.idle) ?? idle[0]!
      idle.splice(idle.indexOf(slot), 1)
      this.unqueue(row)
      this.start(row, slot)
    }
    const waiting = Math.max(-Infinity, ...this.queue.map((row) => this.urgency(row)))
    if (waiting === -Infinity) return
    const least = [...this.running.values()].reduce((a, b) => (this.urgency(b.row) < this.urgency(a.row) ? b : a))
    if (this.urgency(least.row) < waiting) least.stop ??= 'yield'
  }

  private start(row: TaskRow, slot: Slot): void {
    const active: Running = { row, slot, stop: undefined, ended: Promise.resolve() }
    this.running.set(row.ref.ref, active)
    active.ended = this.work(active)
      .catch((error: unknown): TaskEnd => {
        const message = (error as Error).message
        return { end: 'failed', failure: { class: 'device-fault', message, raw: 'internal' } }
      })
      .then((end) => this.finish(active, end))
      .catch((error: unknown) => {
        // The signer or the disk failed at the very end: say so, and let the slot go on.
        const failure = { class: 'device-fault', message: (error as Error).message, raw: 'internal' } as const
        if (!this.closed) this.setState(row, 'failed', 'internal', failure)
      })
  }

  private async work(active: Running): Promise<TaskEnd> {
    const { row, slot } = active
    const { task } = row
    const factor = task.purpose === 'render' ? (this.settings.simulateCheat?.samplesFactor ?? 1) : 1
    const pictures = picturesOf(task, slot.device ? 'GPU' : 'CPU', factor)
    const program = requireProgram(this.settings, await this.blenders(), task.spec)
    const scene = await stagedScene(this.settings.workDir, task.bundle)
    const opening: Opening = { program, scene, folder: sceneFolder(this.settings.workDir, task.bundle.root) }
    if (!slot.has(scene.file)) this.setState(row, 'starting', 'opening the scene')
    let running = false
    const onProgress = (framesDone: number, frame: number, fraction: number): void => {
      if (!running && (fraction > 0 || slot.has(scene.file))) {
        running = true
        if (!active.stop) this.setState(row, 'running', 'running')
      }
      const version = ++this.progressVersion
      this.progress.set(row.ref.ref, { task: row.ref, version, framesDone, framesTotal: pictures.length, frame, fraction })
    }
    const watch = { stop: () => active.stop, onProgress }
    return await renderTask({ row, slot, opening, settings: this.settings, store: this.store, watch }, pictures)
  }

  private async finish(active: Running, end: TaskEnd): Promise<void> {
    const { row } = active
    this.running.delete(row.ref.ref)
    try {
      if (end.end === 'done') this.setState(row, 'succeeded', 'succeeded')
      else if (end.end === 'failed') this.setState(row, 'failed', end.failure.raw ?? 'failed', end.failure)
      else if (active.stop === 'cancel') await this.finishCancel(row)
      else if (active.stop === 'hold') this.setState(row, 'suspended', 'held')
      else if (!this.closed) {
        this.setState(row, 'queued', 'stepped back for more urgent work')
        this.queue.push({ ...row, priority: this.store.task(row.ref.ref)?.priority ?? row.priority })
      }
    } finally {
      const known = this.store.task(row.ref.ref)
      if (!known || ENDED.has(known.state)) this.progress.delete(row.ref.ref)
      this.pump()
    }
  }
}

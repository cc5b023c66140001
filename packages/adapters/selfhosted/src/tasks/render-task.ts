import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Failure, FailureClass } from '@pictor/core/contract'
import type { Fault, Worker } from '../blender/worker.ts'
import type { Settings } from '../options.ts'
import { syncFolder } from './durable.ts'
import { NOISY_LAYER, tagLayers } from './noisy-layers.ts'
import { outFolder, type OutFolder } from './out-folder.ts'
import { checkPicture, orderOfLayers } from './picture-check.ts'
import type { CheckedPicture } from './picture-check.ts'
import type { Picture } from './pictures.ts'
import { commitOutputs } from './signing.ts'
import { forgeSamplesTag } from './simulated-forgery.ts'
import type { Opening, Slot } from './slot.ts'
import type { TaskRow, TaskStore } from './store.ts'

/** Why work on a task stops before its end. */
export type StopReason = 'hold' | 'cancel' | 'yield' | 'close'

/** What the renderer of a task reports and asks while it works. */
export interface TaskWatch {
  readonly stop: () => StopReason | undefined
  readonly onProgress: (done: number, frame: number, fraction: number) => void
}

export type TaskEnd =
  | { readonly end: 'done' }
  | { readonly end: 'stopped' }
  | { readonly end: 'failed'; readonly failure: Failure }

interface Rendering {
  readonly row: TaskRow
  readonly slot: Slot
  readonly opening: Opening
  readonly settings: Settings
  readonly store: TaskStore
  readonly watch: TaskWatch
  /** How the paths of this attempt's folders begin. */
  readonly attemptFolder: string
  /** Where the renderer writes now: made for the first picture, and anew after a try that failed, so that nothing of it can pass for the next one's work. */
  out: OutFolder | undefined
}

/** Folder of a task's delivered files. */
export function outputFolder(workDir: string, ref: string): string {
  return join(workDir, 'tasks', ref)
}

/** Renders what a task still owes, picture by picture, in one slot. */
export async function renderTask(job: Omit<Rendering, 'attemptFolder' | 'out'>, pictures: readonly Picture[]): Promise<TaskEnd> {
  const { row, slot, store, settings, watch } = job
  const ref = row.ref.ref
  const attempt = store.nextAttempt(ref)
  const rendering: Rendering = { ...job, attemptFolder: join(slot.folder, 'out', `${ref}-attempt-${attempt}`), out: undefined }
  const folder = outputFolder(settings.workDir, ref)
  await mkdir(folder, { recursive: true })
  for (const above of [dirname(folder), settings.workDir]) await syncFolder(above)
  const settled = new Set([
    ...store.outputs(ref, 'pictures').map((output) => `${output.frame}/${output.part}`),
    ...store.frameFailures(ref).map(({ frame }) => `${frame}/*`),
  ])
  let done = store.outputs(ref, 'pictures').length
  try {
    for (const picture of pictures) {
      if (settled.has(`${picture.frame}/${picture.part}`) || settled.has(`${picture.frame}/*`)) continue
      if (watch.stop()) return { end: 'stopped' }
      watch.onProgress(done, picture.frame, 0)
      const failure = await renderPicture(rendering, picture, (fraction) => watch.onProgress(done, picture.frame, fraction))
      if (failure === 'stopped') return { end: 'stopped' }
      if (failure && failure.frame === undefined) return { end: 'failed', failure }
      if (failure) store.atomically(() => store.addFrameFailure(row.ref, picture.frame, failure, settings.now()))
      else done++
      if (settings.commitEvery && store.outputs(ref, 'uncommitted').length >= settings.commitEvery)
        await commitOutputs(store, row, settings.signer, settings.now)
    }
    await commitOutputs(store, row, settings.signer, settings.now)
    const first = store.frameFailures(ref)[0]
    return first ? { end: 'failed', failure: first.failure } : { end: 'done' }
  } finally {
    await rendering.out?.close()
  }
}

/** Two tries, the second in a cold process. Undefined is success; a failure without a frame ends the whole task. */
async function renderPicture(
  job: Rendering,
  picture: Picture,
  onFraction: (fraction: number) => void,
): Promise<Failure | 'stopped' | undefined> {
  let failure: Failure | undefined
  for (let attempt = 0; attempt < 2; attempt++) {
    const start = performance.now()
    const opened = await job.slot.open(job.opening)
    if (opened.ok) {
      const result = await renderOnce(job, picture, opened.value, onFraction)
      if ('hash' in result) {
        await keep(job, picture, result, performance.now() - start)
        return undefined
      }
      failure = result.failure
      if (!result.again) return stoppedOr(failure)
    } else {
      failure = failureOf(opened.fault)
      if (opened.fault.kind === 'refused' || opened.fault.kind === 'stopped') return stoppedOr(failure)
    }
    await job.slot.retire('a try failed')
    if (job.watch.stop()) return 'stopped'
  }
  if (failure!.raw === 'start') return failure
  return { ...failure!, frame: picture.frame }
}

function stoppedOr(failure: Failure): Failure | 'stopped' {
  return failure.raw === 'stopped' ? 'stopped' : failure
}

/** A picture as it was found to be, with the file of its layers where one was ordered. */
interface CheckedFrame extends CheckedPicture {
  readonly layers?: CheckedPicture
}

type Tried = CheckedFrame | { readonly failure: Failure; readonly again: boolean }

async function renderOnce(
  job: Rendering,
  picture: Picture,
  worker: Worker,
  onFraction: (fraction: number) => void,
): Promise<Tried> {
  const out = (job.out ??= await outFolder(job.attemptFolder))
  const tried = await renderInto(out, job, picture, worker, onFraction)
  if ('hash' in tried) return tried
  job.out = undefined
  await out.close()
  return tried
}

/** Where a file lies while it is checked: out of the renderer's reach, not yet delivered. */
function takenPath({ settings, row }: Rendering, name: string): string {
  return join(outputFolder(settings.workDir, row.ref.ref), `.${name}`)
}

async function renderInto(
  out: OutFolder,
  job: Rendering,
  picture: Picture,
  worker: Worker,
  onFraction: (fraction: number) => void,
): Promise<Tried> {
  const { settings, row, opening } = job
  const { name, layersName } = picture
  const reply = await worker.render(picture.order, join(out.path, name), {
    timeoutMs: settings.frameTimeoutMs,
    onFraction,
    ...(layersName ? { layersOut: join(out.path, layersName) } : {}),
    ...(picture.layersFrom ? { layersIn: join(opening.folder, picture.layersFrom) } : {}),
  })
  if (!reply.ok) {
    const { fault } = reply
    const failure = failureOf(fault)
    if (fault.kind === 'hang') return { failure: { ...failure, frame: picture.frame }, again: false }
    return { failure, again: fault.kind === 'refused' ? fault.code === 'error' : fault.kind !== 'stopped' }
  }
  const file = takenPath(job, name)
  const layersFile = layersName && takenPath(job, layersName)
  await out.take(name, file)
  if (layersFile) await out.take(layersName, layersFile)
  if (settings.simulateCheat?.forgeTags && row.task.purpose === 'render') await forgeSamplesTag(file, row.task.spec.samples)
  const layers = layersFile && (await checkPicture(layersFile, orderOfLayers(picture.order)))
  const plain = !layers || 'hash' in layers ? await checkPicture(file, picture.order) : layers
  const tagged = layers && 'hash' in layers && 'hash' in plain
  if (tagged) await tagLayers(file, picture.order.format, layers.hash)
  const sound = !layers || 'hash' in layers
  const checked = tagged ? await checkPicture(file, picture.order) : plain
  if ('hash' in checked) return layers && sound ? { ...checked, layers } : checked
  for (const path of [file, layersFile]) if (path) await rm(path, { recursive: true, force: true })
  const message = `Blender said that frame ${picture.frame} was done, but ${checked.bad}`
  return { failure: { class: 'bad-output', message, raw: 'bad-output' }, again: true }
}

/** Moves a checked file to the task's folder and records it: from here on it is never rendered again, so it must be on the disk before its record is. */
async function keep(job: Rendering, picture: Picture, { layers, ...file }: CheckedFrame, ms: number): Promise<void> {
  const { row, settings, store } = job
  const { frame, part, name, layersName } = picture
  const folder = outputFolder(settings.workDir, row.ref.ref)
  for (const one of [layersName, name]) if (one) await rename(takenPath(job, one), join(folder, one))
  await syncFolder(folder)
  const atMs = settings.now()
  const base = { task: row.ref, frame, part, completedAtMs: atMs }
  store.atomically(() => {
    // The layers first: who fetches the picture knows then what belongs to it.
    if (layers) store.addOutput({ ...base, layer: NOISY_LAYER, name: layersName!, ...layers }, atMs)
    store.addOutput({ ...base, layer: '', name, ...file, renderMs: Math.max(1, Math.round(ms)) }, atMs)
  })
}

const REFUSED_CLASSES: Readonly<Record<string, FailureClass>> = { device: 'device-fault', render: 'scene', error: 'scene' }

/** Whose fault a worker's end is. A crash that repeats in a cold process is put on the frame, not on the farm. */
function failureOf(fault: Fault): Failure {
  switch (fault.kind) {
    case 'refused': {
      const full = /cannot save|No space left/i.test(fault.message)
      return { class: full ? 'device-fault' : (REFUSED_CLASSES[fault.code] ?? 'scene'), message: fault.message, raw: fault.code }
    }
    case 'out-of-memory':
      return { class: 'out-of-memory', message: fault.message, raw: 'killed' }
    case 'start':
      return { class: 'device-fault', message: fault.message, raw: 'start' }
    case 'hang':
      return { class: 'timeout', message: fault.message, raw: 'hang' }
    case 'crash':
      return { class: 'scene', message: fault.message, raw: 'crash' }
    case 'stopped':
      return { class: 'preempted', message: fault.message, raw: 'stopped' }
  }
}

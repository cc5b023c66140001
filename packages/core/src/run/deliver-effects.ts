import type { JobInput } from '../job/job-facts.ts'
import { frameOf, partOf } from '../job/units.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { backoffMs, effort, pause, untilDone } from './effort.ts'
import type { JobHost } from './job-host.ts'
import { openSeals } from './open-seals.ts'

/** Frames of one lease that are delivered at once. */
const LANES = 4

/**
 * Copies the accepted frames of a lease to their place. Delivery fails for local reasons (a full disk, a mount that hangs): people are told which frame and where, the
 * other frames go on, and it is tried for as long as the job lives.
 */
export async function deliver(
  host: JobHost,
  task: number,
  signal: AbortSignal,
  send: (input: JobInput) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const own = effort(host, job.name, `deliver/${task}`, signal)
  const row = host.row(task)
  const { spec, options } = job.state.order!
  const state = await untilDone(own, () => host.taskState(task))
  if (!(await openLease(host, task, state, signal))) return signal.aborted ? undefined : send({ type: 'unopened', task })
  const mine = row.frames.map((_, at) => at).filter((at) => job.state.winner[row.frames[at]!] === task)
  const hashes = new Map(state.commits.flatMap((kept) => kept.frames.map((frame, i) => [frame, kept.hashes[i]!] as const)))
  const paths = new Map<number, string>()
  let told = false

  async function deliverFrame(at: number): Promise<void> {
    const unit = row.frames[at]!
    const [frame, part] = [frameOf(job.state, unit), partOf(job.state, unit)]
    const request = { run: host.run, spec, outDir: options.outDir, frame, part, hash: hashes.get(at)!, farm: row.farm, task }
    try {
      paths.set(at, await shared.deliveries.deliver(request, signal, (path) => paths.set(at, path)))
    } catch (error) {
      if (signal.aborted) return
      told = true
      const why = error instanceof Error ? error.message : String(error)
      await send({
        type: 'blocked',
        reason: `frame ${frame} cannot be delivered to ${options.outDir}: ${why}; it is tried again`,
      })
    }
  }

  for (let round = 0; !signal.aborted; round++) {
    const left = mine.filter((at) => !paths.has(at))
    if (left.length === 0) break
    if (round > 0) await pause(own.clock, backoffMs(own.key, round - 1, own.tuning), signal)
    const frames = left.values()
    const lane = async (): Promise<void> => {
      for (const at of frames) if (!signal.aborted && !paths.has(at)) await deliverFrame(at)
    }
    await Promise.all(Array.from({ length: Math.min(LANES, left.length) }, lane))
  }
  if (signal.aborted) return
  if (told) await send({ type: 'blocked', reason: null })
  await send({
    type: 'delivered',
    task,
    paths: packPaths(
      mine.map((at) => paths.get(at)!),
      mine.map((at) => frameOf(job.state, row.frames[at]!)),
    ),
  })
}

/** Whether the bytes of the frames that this lease won are here, sealed no more. */
async function openLease(host: JobHost, task: number, state: TaskStreamState, signal: AbortSignal): Promise<boolean> {
  if (!state.sealed) return true
  const { frames } = host.row(task)
  const won = (at: number): boolean => host.job.state.winner[frames[at]!] === task
  const hashes = state.commits.flatMap((kept) => kept.hashes.filter((_, i) => won(kept.frames[i]!)))
  return openSeals(host, task, state, hashes, signal)
}

/** Paths that differ only in the frame number become one pattern, `out/frame_{4}.png` for four digits. */
export function packPaths(paths: readonly string[], frames: readonly number[]): string | readonly string[] {
  for (let width = 1; width <= 8; width++) {
    const digits = String(frames[0]).padStart(width, '0')
    const at = paths[0]?.lastIndexOf(digits) ?? -1
    if (at < 0) continue
    const pattern = `${paths[0]!.slice(0, at)}{${width}}${paths[0]!.slice(at + digits.length)}`
    if (paths.every((path, i) => unpackPath(pattern, frames[i]!) === path)) return pattern
  }
  return [...paths]
}

/** The path of one frame in a pattern of {@link packPaths}. */
export function unpackPath(pattern: string, frame: number): string {
  return pattern.replace(/\{(\d)\}/, (_, width: string) => String(frame).padStart(Number(width), '0'))
}

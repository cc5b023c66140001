import type { JobInput } from '../job/job-facts.ts'
import { frameOf, partOf } from '../job/units.ts'
import { effort, tryUntilDone } from './effort.ts'
import type { JobHost } from './job-host.ts'
import { openSeals } from './open-seals.ts'

/** Copies the accepted frames of a lease to their place. */
export async function deliver(
  host: JobHost,
  task: number,
  signal: AbortSignal,
  send: (input: JobInput) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const row = host.row(task)
  const { spec, options } = job.state.order!
  const paths: string[] = []
  if (!(await openLease(host, task, signal))) return signal.aborted ? undefined : send({ type: 'unopened', task })
  // Delivery fails for local reasons (a full disk): it is tried for as long as the job lives.
  await tryUntilDone(
    effort(host, job.name, `deliver/${task}`, signal),
    async () => {
      const state = await host.taskState(task)
      const hashes = new Map(state.commits.flatMap((kept) => kept.frames.map((frame, i) => [frame, kept.hashes[i]!] as const)))
      const mine = row.frames.map((_, at) => at).filter((at) => job.state.winner[row.frames[at]!] === task)
      const done = await Promise.all(
        mine.map((at) =>
          shared.deliveries.add(() =>
            shared.options.deliver({
              run: host.run,
              spec,
              outDir: options.outDir,
              frame: frameOf(job.state, row.frames[at]!),
              part: partOf(job.state, row.frames[at]!),
              hash: hashes.get(at)!,
              farm: row.farm,
              task,
            }),
          ),
        ),
      )
      paths.splice(0, paths.length, ...done.map((one) => one.path))
    },
    () => 'again',
  )
  if (signal.aborted) return
  const frames = row.frames.filter((i) => job.state.winner[i] === task).map((i) => frameOf(job.state, i))
  await send({ type: 'delivered', task, paths: packPaths(paths, frames) })
}

/** Whether the bytes of the frames that this lease won are here, sealed no more. */
async function openLease(host: JobHost, task: number, signal: AbortSignal): Promise<boolean> {
  const state = await host.taskState(task)
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

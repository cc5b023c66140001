import type { CheckerEvent, Commit } from '@pictor/core/contract'
import type { JobState, KnownLease } from './state.ts'

type Progress = Extract<CheckerEvent, { type: 'lease-progress' }>

/** A farm that completes nothing for this long, or for four times its usual frame where that is longer, has stalled. */
const STALL_MS = 60_000
const USUAL_FRAMES = 4

/** How far a lease has come, by the completion times that its farm committed to. */
export function leaseProgress(
  { lease, canceled, attested }: KnownLease,
  commits: readonly Commit[],
  nowMs: number,
): Omit<Progress, 'type' | 'atMs'> {
  const doneAtMs = commits.flatMap((commit) => commit.outputs.map((output) => output.completedAtMs)).sort((a, b) => a - b)
  const [held, frames] = [doneAtMs.length, lease.frames.length]
  const lastMs = doneAtMs.at(-1)
  const base = { lease: lease.id, held, frames, ...(lastMs === undefined ? {} : { lastCompletedAtMs: lastMs }) }
  const say = (state: Progress['state'], message: string) => ({ ...base, state, message })
  const count = `${held} of ${frames} frames are held`
  if (held === frames || attested) return say('committed', count)
  if (canceled) return say('canceled', 'its farm gave it up by signature')
  if (nowMs > lease.commitByS * 1000) {
    const by = new Date(lease.commitByS * 1000).toISOString()
    return say('late', `${count}; the rest had to be committed by ${by} and earns nothing in this lease`)
  }
  if (lastMs === undefined) return say('waiting', 'nothing is committed yet')
  const stillMs = nowMs - lastMs
  if (stillMs > Math.max(STALL_MS, USUAL_FRAMES * usualMs(doneAtMs)))
    return say('stalled', `${count}; nothing was completed for ${Math.round(stillMs / 1000)} s`)
  return say('rendering', count)
}

/** Median time between completions; 0 for fewer than two. */
function usualMs(sortedMs: readonly number[]): number {
  const gaps = sortedMs
    .slice(1)
    .map((at, i) => at - sortedMs[i]!)
    .sort((a, b) => a - b)
  return gaps[Math.floor(gaps.length / 2)] ?? 0
}

/** Leases whose state is another one than was told, or that have more frames; marks them as told. */
export function newsOf(state: JobState, nowMs: number): Progress[] {
  const news: Progress[] = []
  const told = (state.told ??= {})
  for (const known of Object.values(state.leases)) {
    const { id } = known.lease
    const progress = leaseProgress(known, state.commits[id] ?? [], nowMs)
    const word = `${progress.state} ${progress.held}`
    if (told[id] === word) continue
    // That a lease waits is what its Ready says already.
    if (progress.state !== 'waiting') news.push({ type: 'lease-progress', ...progress, atMs: nowMs })
    told[id] = word
  }
  return news
}

/** Whether anything of the job can still change by time alone. */
export function isLive(state: JobState): boolean {
  return (
    state.final === undefined &&
    Object.values(state.leases).some(({ lease }) => !/^(committed|late|canceled)/.test(state.told?.[lease.id] ?? ''))
  )
}

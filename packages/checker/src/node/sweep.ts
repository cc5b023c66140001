import type { Bytes32 } from '@pictor/core/contract'
import type { JobState } from './state.ts'

/**
 * Jobs that ended before `beforeMs`, and the files that only they had. A job ends at `refundAfterS`, which terms put behind the longest dispute window, and when the arbiter's time for
 * a dispute of the last moment is over.
 */
export function sweepable(
  all: readonly JobState[],
  beforeMs: number,
): { readonly jobs: readonly JobState[]; readonly files: readonly Bytes32[] } {
  const jobs = all.filter((state) => !state.swept && endsAtMs(state) < beforeMs)
  const ended = new Set(jobs)
  const needed = new Set(all.filter((state) => !state.swept && !ended.has(state)).flatMap(filesOf))
  const files = new Set(jobs.flatMap(filesOf).filter((hash) => !needed.has(hash)))
  return { jobs, files: [...files] }
}

function endsAtMs({ context }: JobState): number {
  // Without its terms nobody knows when a job ends: what an older version remembers is kept.
  if (!context) return Infinity
  const { refundAfterS, resolveByS } = context.terms
  return (refundAfterS + resolveByS) * 1000
}

function filesOf({ context, commits, cast, layers = [], sealedFiles = [] }: JobState): Bytes32[] {
  const outputs = Object.values(commits).flatMap((parts) =>
    parts.flatMap((commit) => commit.outputs.map((one) => one.outputHash)),
  )
  const pictures = Object.values(cast).flatMap(({ reports }) => reports.flatMap(({ picture }) => picture ?? []))
  return [...(context?.bundle.files.map(({ hash }) => hash) ?? []), ...outputs, ...pictures, ...layers, ...sealedFiles]
}

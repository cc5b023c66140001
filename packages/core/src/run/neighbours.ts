import type { Bytes32 } from '../contract/messages.ts'
import { committedHash } from '../job/hashes.ts'
import { FRAME, type JobStreamState, type TaskRow } from '../job/job-state.ts'
import { frameOf, partsOf } from '../job/units.ts'
import type { JobHost } from './job-host.ts'

/** How far beyond the ends of each run of a lease's frames a checker looks: it compares a frame with two on either side. */
const REACH = 2

/** Delivered or accepted frames beside a lease's own in the job's order, by whichever farm: a checker compares them across the seam. */
function besides(state: JobStreamState, row: TaskRow): number[] {
  if (partsOf(state) > 1) return []
  const own = new Set(row.frames)
  const units = new Set<number>()
  for (const unit of row.frames)
    for (let away = -REACH; away <= REACH; away++) {
      const other = unit + away
      const here = state.frameState[other] === FRAME.accepted || state.frameState[other] === FRAME.delivered
      if (here && !own.has(other)) units.add(other)
    }
  return [...units].sort((a, b) => a - b)
}

/** What is passed to checkers as `neighbours`: bytes that a quorum has accepted already, so a farm cannot choose what its frames are compared with. */
export async function neighboursOf(
  host: JobHost,
  row: TaskRow,
): Promise<readonly { readonly frame: number; readonly hash: Bytes32 }[]> {
  const { state } = host.job
  const neighbours: { frame: number; hash: Bytes32 }[] = []
  for (const unit of besides(state, row)) {
    const winner = host.row(state.winner[unit]!)
    const hash = committedHash(await host.taskState(winner.id), winner.frames.indexOf(unit))
    if (hash) neighbours.push({ frame: frameOf(state, unit), hash })
  }
  return neighbours
}

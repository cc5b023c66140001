import { FRAME, type JobStreamState } from './job-state.ts'

// The machine counts units: frames, or the tiles of split frames. Unit `frame index x parts + part - 1` is that part of that frame; without a split a unit is a frame.

/** Tiles a frame; 1 when frames are whole. */
export function partsOf(state: Pick<JobStreamState, 'order'>): number {
  return state.order?.spec.render.tiles?.length ?? 1
}

/** Unit of a part of a frame number; part 0 is the whole frame. Undefined when the job has no such unit. */
export function unitAt(state: JobStreamState, frame: number, part: number): number | undefined {
  const { frames, frameIndex } = state
  const parts = partsOf(state)
  const at = frameIndex ? frameIndex.get(frame) : frame - (frames[0] ?? 0)
  if (at === undefined || at < 0 || at >= frames.length) return undefined
  if (parts === 1) return part === 0 ? at : undefined
  return part >= 1 && part <= parts ? at * parts + part - 1 : undefined
}

/** Frame number of a unit. */
export function frameOf(state: JobStreamState, unit: number): number {
  return state.frames[Math.floor(unit / partsOf(state))]!
}

/** Which part of its frame a unit is; 0 for a whole frame. */
export function partOf(state: JobStreamState, unit: number): number {
  const parts = partsOf(state)
  return parts === 1 ? 0 : (unit % parts) + 1
}

/** Frames that are not delivered, or not whole. */
export function missingFrames(state: JobStreamState): number[] {
  const parts = partsOf(state)
  return state.frames.filter((_, at) =>
    state.frameState.subarray(at * parts, (at + 1) * parts).some((one) => one !== FRAME.delivered),
  )
}

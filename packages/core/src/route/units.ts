import type { RouteProblem } from './problem.ts'

/** Up to this many frames every frame is a unit of its own; above, frames of nearly equal work share one. */
export const SINGLE_FRAME_LIMIT = 4096
/** Keeps the sign, the exponent and 5 bits of the mantissa of a float32: 32 logarithmic bins an octave. */
const BIN_SHIFT = 18

/** Frames of one class and of equal or nearly equal work, sorted by class, then by work. */
export interface Units {
  readonly size: number
  readonly cls: Uint16Array
  readonly count: Float64Array
  /** Sum, least and greatest work of the frames of each unit. */
  readonly work: Float64Array
  readonly least: Float64Array
  readonly greatest: Float64Array
  /** Unit of each frame. */
  readonly unitOf: Uint16Array
  /** Whether every unit is one frame. */
  readonly single: boolean
}

/** Groups the frames of a problem in one or two linear passes. */
export function groupFrames(problem: RouteProblem): Units {
  return problem.work.length <= SINGLE_FRAME_LIMIT ? singleUnits(problem) : binnedUnits(problem)
}

function singleUnits({ work, classOf }: RouteProblem): Units {
  const size = work.length
  const order = Array.from({ length: size }, (_, f) => f)
  order.sort((a, b) => (classOf[a] as number) - (classOf[b] as number) || (work[a] as number) - (work[b] as number) || a - b)
  const unitOf = new Uint16Array(size)
  const sorted = new Float64Array(size)
  const cls = new Uint16Array(size)
  order.forEach((f, u) => {
    unitOf[f] = u
    sorted[u] = work[f] as number
    cls[u] = classOf[f] as number
  })
  return { size, cls, count: new Float64Array(size).fill(1), work: sorted, least: sorted, greatest: sorted, unitOf, single: true }
}

function binnedUnits({ work, classOf, classes }: RouteProblem): Units {
  const frames = work.length
  const float = new Float32Array(1)
  const bits = new Uint32Array(float.buffer)
  let top = 0
  let bottom = Infinity
  for (let f = 0; f < frames; f++) {
    const w = work[f] as number
    if (w > top) top = w
    if (w < bottom) bottom = w
  }
  float[0] = bottom
  const first = (bits[0] as number) >>> BIN_SHIFT
  float[0] = top
  const span = ((bits[0] as number) >>> BIN_SHIFT) - first + 1
  // Many classes times a wide range would not fit 16-bit ids: widen the bins until they do.
  let shrink = 0
  while (classes.length * ((span >> shrink) + 1) > 65_535) shrink++
  const bins = (span >> shrink) + 1
  const rawOf = new Uint16Array(frames)
  const total = classes.length * bins
  const count = new Float64Array(total)
  const sum = new Float64Array(total)
  const least = new Float64Array(total).fill(Infinity)
  const greatest = new Float64Array(total)
  for (let f = 0; f < frames; f++) {
    const w = work[f] as number
    float[0] = w
    const bin = (classOf[f] as number) * bins + ((((bits[0] as number) >>> BIN_SHIFT) - first) >> shrink)
    rawOf[f] = bin
    count[bin] = (count[bin] as number) + 1
    sum[bin] = (sum[bin] as number) + w
    if (w < (least[bin] as number)) least[bin] = w
    if (w > (greatest[bin] as number)) greatest[bin] = w
  }
  return compact({ bins, rawOf, count, sum, least, greatest })
}

function compact(raw: {
  bins: number
  rawOf: Uint16Array
  count: Float64Array
  sum: Float64Array
  least: Float64Array
  greatest: Float64Array
}): Units {
  const used: number[] = []
  raw.count.forEach((n, bin) => {
    if (n > 0) used.push(bin)
  })
  const renamed = new Uint16Array(raw.count.length)
  used.forEach((bin, u) => (renamed[bin] = u))
  const unitOf = raw.rawOf
  for (let f = 0; f < unitOf.length; f++) unitOf[f] = renamed[unitOf[f] as number] as number
  const pick = (from: Float64Array) => Float64Array.from(used, (bin) => from[bin] as number)
  return {
    size: used.length,
    cls: Uint16Array.from(used, (bin) => Math.floor(bin / raw.bins)),
    count: pick(raw.count),
    work: pick(raw.sum),
    least: pick(raw.least),
    greatest: pick(raw.greatest),
    unitOf,
    single: false,
  }
}

import { HALF_INFINITY, halfToFloat } from '../half.ts'
import { scanShorts } from '../simd/scan-shorts.ts'
import type { PixelType } from '../types.ts'
import type { PlaneStats } from './types.ts'

/** One row of one channel: samples at `at`, `at + stride`, ... */
export interface RowPlane {
  /** Halves come as their bits. */
  readonly samples: Uint8Array | Uint16Array | Uint32Array | Float32Array
  readonly at: number
  readonly stride: number
  readonly count: number
}

/** Takes a channel row by row. */
export interface PlaneAccumulator {
  add(row: RowPlane): void
  finish(): PlaneStats
}

/** Below this number of samples a histogram of 65,536 bins costs more than it saves. */
const HISTOGRAM_FROM = 1 << 16

/** Starts the statistics of a channel of about `samples` samples. */
export function createPlaneAccumulator(name: string, type: PixelType, samples: number): PlaneAccumulator {
  const small = type === 'float' || type === 'uint32' || (type !== 'uint8' && samples < HISTOGRAM_FROM)
  return small ? createMoments(name, type) : createHistogram(name, type)
}

/** Value of each stored integer. */
function valuesOf(type: PixelType): (stored: number) => number {
  if (type === 'half') {
    const table = halfToFloat()
    return (stored) => table[stored]!
  }
  if (type === 'uint8') return (stored) => stored / 255
  if (type === 'uint16') return (stored) => stored / 65535
  return (stored) => stored
}

/** Counts how often each stored value occurs; all figures follow exactly, whatever the order of the samples. */
function createHistogram(name: string, type: PixelType): PlaneAccumulator {
  const bins = type === 'uint8' ? 256 : 65536
  // Two halves take turns, since equal neighbours would make each count wait for the one before.
  const counts = new Uint32Array(2 * bins)
  return {
    add: (row) => {
      if (isConstant(row)) counts[row.samples[row.at]!]! += row.count
      else countSamples(row.samples as Uint16Array, row.at, row.stride, row.count, counts, bins)
    },
    finish: () => {
      for (let bin = 0; bin < bins; bin++) counts[bin] = counts[bin]! + counts[bins + bin]!
      const even = counts.slice(0, bins)
      const figures = summarize(name, type, even)
      return type === 'uint8' ? { ...figures, histogram: even } : figures
    },
  }
}

function countSamples(samples: Uint16Array, at: number, stride: number, count: number, counts: Uint32Array, bins: number): void {
  const end = at + count * stride
  let i = at
  for (; i + stride < end; i += 2 * stride) {
    counts[samples[i]!]!++
    counts[bins + samples[i + stride]!]!++
  }
  if (i < end) counts[samples[i]!]!++
}

/** Whether a row surely holds one value, as opaque alpha does: told by the kernel, and only where its ends suggest it. */
function isConstant({ samples, at, stride, count }: RowPlane): boolean {
  const first = samples[at]
  if (count === 0 || stride !== 1 || samples[at + count - 1] !== first || samples[at + (count >> 1)] !== first) return false
  return samples instanceof Uint16Array && scanShorts(samples, at, count, 0xffff)?.constant === true
}

function summarize(name: string, type: PixelType, counts: Uint32Array): PlaneStats {
  const value = valuesOf(type)
  let [samples, finite, nan, inf, zeros, sum] = [0, 0, 0, 0, 0, 0]
  let min = Infinity
  let max = -Infinity
  for (let stored = 0; stored < counts.length; stored++) {
    const count = counts[stored]!
    if (count === 0) continue
    samples += count
    const special = type === 'half' ? (stored & 0x7fff) - HALF_INFINITY : -1
    if (special === 0) inf += count
    else if (special > 0) nan += count
    else {
      const v = value(stored)
      finite += count
      if (v === 0) zeros += count
      if (v < min) min = v
      if (v > max) max = v
      sum += v * count
    }
  }
  const mean = sum / finite
  let squares = 0
  for (let stored = 0; stored < counts.length; stored++) {
    const count = counts[stored]!
    if (count === 0 || (type === 'half' && (stored & HALF_INFINITY) === HALF_INFINITY)) continue
    squares += count * (value(stored) - mean) ** 2
  }
  return figures(name, type, { samples, finite, nan, inf, zeros, min, max, mean, squares })
}

interface Sums {
  readonly samples: number
  readonly finite: number
  readonly nan: number
  readonly inf: number
  readonly zeros: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly squares: number
}

function figures(name: string, type: PixelType, s: Sums): PlaneStats {
  const none = s.finite === 0
  return {
    name,
    type,
    samples: s.samples,
    // Adding zero turns a negative zero into a plain one.
    min: none ? NaN : s.min + 0,
    max: none ? NaN : s.max + 0,
    mean: none ? NaN : s.mean,
    std: none ? NaN : Math.sqrt(Math.max(0, s.squares / s.finite)),
    nan: s.nan,
    inf: s.inf,
    zeros: s.zeros,
  }
}

/** Sums of values less the first one, which keeps the variance of large, close values (depth passes) accurate. */
function createMoments(name: string, type: PixelType): PlaneAccumulator {
  const value = valuesOf(type)
  let [samples, finite, nan, zeros, sum, squares] = [0, 0, 0, 0, 0, 0]
  let min = Infinity
  let max = -Infinity
  let shift = NaN
  const plain = type === 'float' || type === 'uint32'
  return {
    add: (row) => {
      const end = row.at + row.count * row.stride
      for (let i = row.at; i < end; i += row.stride) {
        const v = plain ? row.samples[i]! : value(row.samples[i]!)
        // Only finite values equal themselves after this subtraction.
        if (v - v !== 0) {
          if (v !== v) nan++
          continue
        }
        if (finite++ === 0) shift = v
        if (v === 0) zeros++
        if (v < min) min = v
        if (v > max) max = v
        const d = v - shift
        sum += d
        squares += d * d
      }
      samples += row.count
    },
    finish: () => {
      const mean = sum / finite
      return figures(name, type, {
        samples,
        finite,
        nan,
        inf: samples - finite - nan,
        zeros,
        min,
        max,
        mean: mean + shift,
        squares: squares - sum * mean,
      })
    },
  }
}

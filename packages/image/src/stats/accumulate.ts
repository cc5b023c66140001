import { HALF_INFINITY, halfToFloat } from '../half.ts'
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
  // Two tables take turns, since equal neighbours would make each count wait for the one before.
  const even = new Uint32Array(bins)
  const odd = new Uint32Array(bins)
  return {
    add: ({ samples, at, stride, count }) => {
      if (stride === 1) countRow(samples as Uint16Array, at, count, even, odd)
      else countStrided(samples as Uint8Array, at, stride, count, even, odd)
    },
    finish: () => {
      for (let bin = 0; bin < bins; bin++) even[bin] = even[bin]! + odd[bin]!
      const figures = summarize(name, type, even)
      return type === 'uint8' ? { ...figures, histogram: even } : figures
    },
  }
}

function countRow(samples: Uint16Array, at: number, count: number, even: Uint32Array, odd: Uint32Array): void {
  const end = at + count
  let i = at
  for (; i + 1 < end; i += 2) {
    const a = samples[i]!
    const b = samples[i + 1]!
    even[a] = even[a]! + 1
    odd[b] = odd[b]! + 1
  }
  if (i < end) even[samples[i]!]!++
}

function countStrided(samples: Uint8Array, at: number, stride: number, count: number, even: Uint32Array, odd: Uint32Array): void {
  const end = at + count * stride
  let i = at
  for (; i + stride < end; i += 2 * stride) {
    const a = samples[i]!
    const b = samples[i + stride]!
    even[a] = even[a]! + 1
    odd[b] = odd[b]! + 1
  }
  if (i < end) even[samples[i]!]!++
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

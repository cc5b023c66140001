import { encodeHdr, type Area, type Picture } from './picture.ts'

/** What a frame looks like against a small render of the whole of it. */
export interface ProbeStatistics {
  /** How far an area of the frame lies from the probe, in standard deviations of the probe's own neighbourhood; the largest. */
  readonly off: number
  /** Where, in pixels of the frame. */
  readonly area: Area
  /** Every area beyond {@link PROBE_LIMIT}, in pixels of the frame; they overlap. */
  readonly beyond: readonly Area[]
}

/** Resolution of a probe, percent of the frame's: a sixteenth of the work, and each of its pixels stands for 4 x 4 of the frame with a frame pixel's noise. */
export const PROBE_PCT = 25

/**
 * Above this an area is looked at again at the ordered seed; no frame is refused for it. Honest frames of ten scenes reached .77, of an eleventh, with defocused
 * lights in the dark, 1.5 (docs/checker.md).
 */
export const PROBE_LIMIT = 1

/** Side of an area in pixels of the probe. */
const SIDE = 4
/** One step of an 8-bit file. */
const BIT = 1 / 255
/** Fireflies are bounded before they are averaged, in linear light. */
const BRIGHTEST = 50

/**
 * Compares a frame with a render of the same frame at a quarter of the resolution. Local defects (marks, holes, tiles) that a crop mostly misses lie off by the same
 * amount over an area: the statistic takes the quartile nearest to zero of an area's differences, so that three quarters of it must agree on a side, which
 * fireflies and edges, filtered otherwise at another resolution, do not. The frame is averaged in linear light where it is HDR: means of encoded noise are biased.
 */
export function compareWithProbe(x: Picture, probe: Picture): ProbeStatistics {
  const { width, height } = probe
  const [sx, sy] = [x.width / width, x.height / height]
  let worst = 0
  let at: Area = { x: 0, y: 0, width: 0, height: 0 }
  const beyond: Area[] = []
  for (const { difference, spread } of besideProbe(x, probe)) {
    for (let row = 0; row + SIDE <= height; row += SIDE / 2) {
      for (let column = 0; column + SIDE <= width; column += SIDE / 2) {
        const d = sortedArea(difference, width, column, row)
        const s = sortedArea(spread, width, column, row)
        const [low, high] = [d[d.length >> 2]!, d[d.length - 1 - (d.length >> 2)]!]
        const off = (low > 0 ? low : high < 0 ? -high : 0) / s[s.length >> 1]!
        if (off <= worst && off <= PROBE_LIMIT) continue
        const [left, top] = [Math.floor(column * sx), Math.floor(row * sy)]
        const area = { x: left, y: top, width: Math.ceil(SIDE * sx), height: Math.ceil(SIDE * sy) }
        if (off > worst) [worst, at] = [off, area]
        if (off > PROBE_LIMIT) beyond.push(area)
      }
    }
  }
  return { off: worst, area: at, beyond }
}

/** Per channel and pixel of a probe. */
export type BesideProbe = readonly {
  /** The frame's mean there less the probe. */
  readonly difference: Float32Array
  /** What the probe itself varies there by, noise and edges, and a step of an 8-bit file: flat areas have no deviation of their own. */
  readonly spread: Float32Array
}[]

/** A frame beside its probe, pixel by pixel of the probe. */
export function besideProbe(x: Picture, probe: Picture): BesideProbe {
  const { width, height } = probe
  return probe.colour.map((own, c) => ({
    difference: shrink(x, x.raw[c]!, width, height).map((v, i) => v - own[i]!),
    spread: deviation(own, width, height).map((v) => v + BIT),
  }))
}

/** Means of the pixels that a pixel of the probe stands for, in the probe's domain. */
function shrink(x: Picture, plane: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(width * height)
  for (let j = 0; j < height; j++) {
    const [y0, y1] = [Math.floor((j * x.height) / height), Math.floor(((j + 1) * x.height) / height)]
    for (let i = 0; i < width; i++) {
      const [x0, x1] = [Math.floor((i * x.width) / width), Math.floor(((i + 1) * x.width) / width)]
      let sum = 0
      for (let y = y0; y < y1; y++)
        for (let k = x0; k < x1; k++) {
          const v = plane[y * x.width + k]!
          sum += x.hdr ? Math.min(BRIGHTEST, Math.max(0, v)) : v
        }
      const mean = sum / ((x1 - x0) * (y1 - y0))
      out[j * width + i] = x.hdr ? encodeHdr(mean) : mean
    }
  }
  return out
}

/** Standard deviation of each pixel's 3 x 3 neighbourhood: its noise and its edges. Of the trusted picture, so that a defect cannot excuse itself. */
function deviation(plane: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(plane.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0
      let squares = 0
      let count = 0
      for (let b = Math.max(0, y - 1); b <= Math.min(height - 1, y + 1); b++)
        for (let a = Math.max(0, x - 1); a <= Math.min(width - 1, x + 1); a++) {
          const v = plane[b * width + a]!
          sum += v
          squares += v * v
          count++
        }
      out[y * width + x] = Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2))
    }
  }
  return out
}

function sortedArea(plane: Float32Array, width: number, column: number, row: number): Float32Array {
  const values = new Float32Array(SIDE * SIDE)
  for (let y = 0; y < SIDE; y++)
    values.set(plane.subarray((row + y) * width + column, (row + y) * width + column + SIDE), y * SIDE)
  return values.sort()
}

import { blockArea, blockGrid, forBlockRuns } from './blocks.ts'
import { requireSameShape } from './references.ts'
import type { Area, Picture } from './picture.ts'
import { noiseCorrelation } from './shared-noise.ts'

/** How far a render lies from one made with the same seed. */
export interface SeedLockedStatistics {
  /** Root mean square of the difference in the encoded domain, over all channels; fireflies bounded by the encoding. */
  readonly rms: number
  /** Share of pixels with a channel off by more than the tolerance's `offBy`. */
  readonly offShare: number
  /** Largest share of such pixels in any block of 16 x 16: a small mark that the whole frame's numbers would drown. */
  readonly offBlock: number
  /** |mean signed difference| over mean level, largest over channels: an exposure shift too small for any single pixel. */
  readonly gain: number
  /** Correlation of the two pictures' pixel noise (difference from their neighbours): near 1 with one seed, near 0 with two where noise outweighs edges. */
  readonly noiseCorrelation: number
  /** Smallest box around the pixels that are off. */
  readonly offArea?: Area
  readonly pixels: number
}

/**
 * Above this correlation of pixel noise a frame was made with the ordered seed: a difference beyond the tolerance is then real, not another seed. Two seeds measured
 * -0.12 to 0.69 (smooth pictures, where edges dominate), one seed 0.92 to 1. Where renders of other seeds are at hand, `sharedNoise` knows edges from noise.
 */
export const SAME_SEED = 0.85

/** Limits of {@link SeedLockedStatistics} for an honest frame. */
export interface SeedLockedTolerance {
  readonly rms: number
  readonly offShare: number
  readonly offBlock: number
  readonly gain: number
  /** From which difference on a pixel counts as off. */
  readonly offBy: number
}

/**
 * Honest reruns measured on Cycles CPU lie at RMS <= 7e-5, with at most .3 % of the pixels touched and next to none visibly (other instruction sets: at most 6e-5 of the pixels beyond the half step of 16-bit and float files); a wrong seed lies at
 * 1e-2 to 1e-1 with 29 to 99 % of the pixels off. The limits lie nearer to the honest side, so that values clipped at white, light cut off in a few pixels or levels rounded to 8 bits are seen. 8-bit files are dithered, and
 * the dither of a crop starts at its own corner: honest crops differ by RMS 2.4e-3 to 2.6e-3 (0.64 steps of 1/255, as two independent roundings with dither do) and by at most 2 steps; two pictures
 * of the same window (`sameWindow`) share it, and differ only where a value lay between two levels (docs/checker.md).
 */
export function seedLockedTolerance(bitDepth: number, sameWindow = false): SeedLockedTolerance {
  // A crop that alarms costs a render of the whole: it may be off in two or three pixels of 3,000.
  const few = { offShare: sameWindow ? 5e-4 : 1e-3, offBlock: 0.05 }
  // Half a step: the encoding of HDR values leaves a quarter of a difference near white, where a display shows all of it.
  if (bitDepth > 8) return { ...few, rms: 2.5e-4, gain: 5e-4, offBy: 0.5 / 255 }
  return sameWindow
    ? { ...few, rms: 1.2e-3, gain: 1e-3, offBy: 1.5 / 255 }
    : { ...few, rms: 3.6e-3, gain: 4e-3, offBy: 2.5 / 255 }
}

/**
 * Compares a farm's pixels with a render at the job's own seed; `trim` pixels along the border are left out, where pixel filters see other neighbours.
 * @throws RangeError when the pictures differ in shape
 */
export function compareSeedLocked(x: Picture, own: Picture, { offBy }: SeedLockedTolerance, trim = 1): SeedLockedStatistics {
  requireSameShape(x, own)
  const { width, height } = x
  const inner = { x0: trim, y0: trim, x1: width - trim, y1: height - trim }
  let squares = 0
  let off = 0
  let gain = 0
  let pixels = 0
  const box = { x0: width, y0: height, x1: -1, y1: -1 }
  const worst = new Float32Array(width * height)
  for (let c = 0; c < x.colour.length; c++) {
    const p = x.colour[c]!
    const q = own.colour[c]!
    let signed = 0
    let level = 0
    for (let y = inner.y0; y < inner.y1; y++) {
      for (let i = y * width + inner.x0; i < y * width + inner.x1; i++) {
        const d = p[i]! - q[i]!
        squares += d * d
        signed += d
        level += q[i]!
        if (Math.abs(d) > worst[i]!) worst[i] = Math.abs(d)
      }
    }
    gain = Math.max(gain, Math.abs(signed) / Math.max(level, 1e-3 * (inner.x1 - inner.x0) * (inner.y1 - inner.y0)))
  }
  const grid = blockGrid(width, height, 16)
  const perBlock = new Float64Array(grid.columns * grid.rows)
  forBlockRuns(grid, width, (from, to, block) => {
    const y = Math.floor(from / width)
    if (y < inner.y0 || y >= inner.y1) return
    for (let i = from; i < to; i++) {
      const x = i - y * width
      if (x >= inner.x0 && x < inner.x1 && worst[i]! > offBy) perBlock[block] = perBlock[block]! + 1
    }
  })
  for (let y = inner.y0; y < inner.y1; y++) {
    for (let i = inner.x0; i < inner.x1; i++) {
      pixels++
      if (!(worst[y * width + i]! > offBy)) continue
      off++
      box.x0 = Math.min(box.x0, i)
      box.x1 = Math.max(box.x1, i)
      box.y0 = Math.min(box.y0, y)
      box.y1 = Math.max(box.y1, y)
    }
  }
  return {
    rms: Math.sqrt(squares / Math.max(1, pixels * x.colour.length)),
    offShare: off / Math.max(1, pixels),
    offBlock: perBlock.reduce((most, count, block) => Math.max(most, count / areaOf(blockArea(grid, block))), 0),
    gain,
    noiseCorrelation: noiseCorrelation(x, own),
    pixels,
    ...(off > 0 ? { offArea: { x: box.x0, y: box.y0, width: box.x1 - box.x0 + 1, height: box.y1 - box.y0 + 1 } } : {}),
  }
}

/** Whether every limit holds. A comparison that touched no pixel is no proof. */
export function withinTolerance(found: SeedLockedStatistics, limit: SeedLockedTolerance): boolean {
  return (
    found.pixels > 0 &&
    found.rms <= limit.rms &&
    found.offShare <= limit.offShare &&
    found.offBlock <= limit.offBlock &&
    found.gain <= limit.gain
  )
}

const areaOf = (area: Area): number => area.width * area.height

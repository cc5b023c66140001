import type { Area, Picture } from './picture.ts'
import { besideProbe, type BesideProbe } from './probe.ts'
import { summedArea } from './summed-area.ts'

/** Sizes of the areas that are ranked, in pixels of the probe: tiles, marks, lines of text. */
const SHIFTED: readonly (readonly [number, number])[] = [
  [6, 6],
  [8, 8],
  [12, 12],
  [16, 16],
  [32, 32],
  [16, 4],
  [24, 6],
  [24, 12],
]
const BUSY: readonly (readonly [number, number])[] = [
  [8, 8],
  [12, 12],
  [16, 12],
]
/** Small and wide: the sum over an area is taken over the root of its pixels, so that a small mark need not outweigh a large area of noise. */
const VISIBLE: readonly (readonly [number, number])[] = [
  [4, 4],
  [6, 6],
  [8, 8],
  [16, 4],
  [16, 8],
  [16, 16],
]
/** Differences below so many deviations are not seen: noise and edges of the probe itself. */
const SEEN = 0.75
/** Areas are ranked at every second pixel of the probe. */
const STEP = 2
/** Single differences count up to so many deviations, so that one firefly does not rank an area. */
const MOST = 2
/** Least mean square of the differences of an area, in deviations: flat areas agree too well to divide by what they differ. */
const LEAST = 0.01
/** Largest high-frequency difference that counts, so that fireflies outweigh noise but do not hide it. */
const MOST_DETAIL = 0.25

/** Areas in pixels of the frame. */
export interface SuspectAreas {
  /** Where the frame lies most steadily to one side of the probe: a faint tile or mark, each pixel of it within the noise. */
  readonly shifted: Area
  /** Where it lacks most of the pixel noise and detail that the probe has: light that was cut off, smeared noise. */
  readonly smooth: Area
  /** Where it differs most from the probe beyond the noise and edges there: a mark or rows in a picture without noise, where any steady trifle outranks them. */
  readonly visible: Area
}

/**
 * The areas of a frame that its small render makes most suspicious. A ranking without a limit: it
 * only says where a comparison at the ordered seed sees most, and always answers. It uses sums, products and square roots alone, so that anyone gets the same answer from the same pictures.
 */
export function suspectAreas(x: Picture, probe: Picture): SuspectAreas {
  const beside = besideProbe(x, probe)
  const scale = (area: Area): Area => inFrame(area, x, probe)
  return {
    shifted: scale(mostShifted(beside, probe)),
    smooth: scale(leastDetailed(x, probe)),
    visible: scale(mostVisible(beside, probe)),
  }
}

/** Sum over channels of squared t: an area's sum of differences over the root of their squares, which no edge or texture, differing to both sides, makes large. */
function mostShifted(beside: BesideProbe, { width, height }: Picture): Area {
  const sums = beside.map(({ difference, spread }) => {
    const t = difference.map((d, i) => Math.max(-MOST, Math.min(MOST, d / spread[i]!)))
    return {
      sum: summedArea(t, width, height),
      squares: summedArea(
        t.map((v) => v * v),
        width,
        height,
      ),
    }
  })
  return best(width, height, SHIFTED, (area) =>
    sums.reduce((total, { sum, squares }) => {
      const pixels = area.width * area.height
      return total + sum.over(area) ** 2 / (squares.over(area) + LEAST * pixels)
    }, 0),
  )
}

/** What differences exceed {@link SEEN} by, up to {@link MOST}, over all channels. */
function mostVisible(beside: BesideProbe, { width, height }: Picture): Area {
  const seen = new Float32Array(width * height)
  for (const { difference, spread } of beside)
    for (let i = 0; i < seen.length; i++)
      seen[i] = seen[i]! + Math.min(MOST, Math.max(0, Math.abs(difference[i]!) / spread[i]! - SEEN))
  const sums = summedArea(seen, width, height)
  return best(width, height, VISIBLE, (area) => sums.over(area) / Math.sqrt(area.width * area.height))
}

/** High-frequency energy of the probe less that of the frame, both per pixel: a pixel of either has the noise of as many samples. */
function leastDetailed(x: Picture, probe: Picture): Area {
  const { width, height } = probe
  const lacking = new Float32Array(width * height)
  for (const [c, own] of probe.colour.entries()) {
    const there = energy(own, width, height)
    const here = energy(x.colour[c]!, x.width, x.height)
    for (let j = 0; j < height; j++) {
      for (let i = 0; i < width; i++) {
        const { x: x0, y: y0, width: w, height: h } = inFrame({ x: i, y: j, width: 1, height: 1 }, x, probe)
        let sum = 0
        for (let y = y0; y < y0 + h; y++) for (let k = x0; k < x0 + w; k++) sum += here[y * x.width + k]!
        lacking[j * width + i] = lacking[j * width + i]! + there[j * width + i]! - sum / (w * h)
      }
    }
  }
  const sums = summedArea(lacking, width, height)
  return best(width, height, BUSY, (area) => sums.over(area) / (area.width * area.height))
}

/** Squared difference of each pixel from the mean of its four neighbours; 0 on the border. */
function energy(plane: Float32Array, width: number, height: number): Float32Array {
  const out = new Float32Array(plane.length)
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * width + 1; i < (y + 1) * width - 1; i++) {
      const mean = (plane[i - 1]! + plane[i + 1]! + plane[i - width]! + plane[i + width]!) / 4
      out[i] = Math.min(MOST_DETAIL, Math.abs(plane[i]! - mean)) ** 2
    }
  }
  return out
}

/** The area of one of the sizes with the highest score; the first of equals, from the top left. Sizes that do not fit are left out. */
function best(width: number, height: number, sizes: readonly (readonly [number, number])[], score: (area: Area) => number): Area {
  let found: Area = { x: 0, y: 0, width: Math.min(width, sizes[0]![0]), height: Math.min(height, sizes[0]![1]) }
  let highest = -Infinity
  for (const [w, h] of sizes) {
    for (let y = 0; y + h <= height; y += STEP) {
      for (let x = 0; x + w <= width; x += STEP) {
        const area = { x, y, width: w, height: h }
        const value = score(area)
        if (value > highest) [found, highest] = [area, value]
      }
    }
  }
  return found
}

/** An area of the probe in pixels of the frame. */
function inFrame(area: Area, frame: Picture, probe: Picture): Area {
  const [x, y] = [Math.floor((area.x * frame.width) / probe.width), Math.floor((area.y * frame.height) / probe.height)]
  const [right, bottom] = [area.x + area.width, area.y + area.height]
  return {
    x,
    y,
    width: Math.floor((right * frame.width) / probe.width) - x,
    height: Math.floor((bottom * frame.height) / probe.height) - y,
  }
}

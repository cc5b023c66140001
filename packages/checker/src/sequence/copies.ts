import type { Picture } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** Pixels must differ by this between the neighbours before a frame in their middle means anything: four 8-bit steps. */
const MOVED = 4 / 255

/**
 * Suspects a frame that is the mean of its neighbours: where they differ, an honest frame shows moving objects in between, not both half transparent. Interpolated when
 * 90 % of the moved pixels lie within 1.2 steps of 1/255 of the mean; at least 200 pixels must have moved.
 */
export function findInterpolation(x: Picture, a: Picture, b: Picture): WeighedFinding | undefined {
  if (x.width !== a.width || x.width !== b.width || x.height !== a.height || x.height !== b.height) return undefined
  let moved = 0
  let between = 0
  // The mean is taken in the file's own values; the distance is judged as it would be seen.
  for (let i = 0; i < x.width * x.height; i++) {
    let apart = 0
    let off = 0
    for (let c = 0; c < x.colour.length; c++) {
      apart = Math.max(apart, Math.abs(a.colour[c]![i]! - b.colour[c]![i]!))
      const mean = (a.raw[c]![i]! + b.raw[c]![i]!) / 2
      const value = x.raw[c]![i]!
      // d encode / d v is at most its slope at the smaller value; the relative form bounds it for HDR.
      off = Math.max(off, x.hdr ? Math.abs(value - mean) / (1e-3 + 2 * Math.abs(mean)) : Math.abs(value - mean))
    }
    if (apart <= MOVED) continue
    moved++
    if (off <= 1.2 / 255) between++
  }
  const share = between / Math.max(1, moved)
  if (moved < 200 || share < 0.9) return undefined
  const message = `${Math.round(share * 100)} % of what moves is the mean of the neighbouring frames: the frame was interpolated, not rendered`
  return finding('suspect', 'interpolated', message, { value: share, threshold: 0.9 })
}

/**
 * Doubts a frame that repeats a neighbour under added noise. The difference of two such frames is white: its block means have the variance of its pixels over the block
 * size, while motion leaves structure. Needs motion between the neighbours, else a still shot with a new seed a frame looks alike. Animation on twos does too,
 * so it is a doubt.
 */
export function findNoisyCopy(x: Picture, a: Picture, b: Picture): WeighedFinding | undefined {
  const moving = whiteness(a, b)
  if (moving === undefined || moving < MOVES) return undefined
  for (const [near, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const copy = whiteness(x, near)
    const rest = whiteness(x, other)
    if (copy === undefined || rest === undefined) continue
    // Half way through an even motion both distances hold a quarter of the whole motion's power; a copy has none of it on one side and all on the other.
    if (copy - 1 < 0.1 * (moving - 1) && copy < 1.5 && rest - 1 > 0.5 * (moving - 1)) {
      const message =
        'the frame differs from a neighbour by white noise only, while the neighbours differ by motion: a copy with noise added'
      return finding('doubt', 'noisy-copy', message, { value: copy, threshold: 1.5 })
    }
  }
  return undefined
}

/** Whiteness from which on two frames differ by motion. */
const MOVES = 3

/**
 * Variance of 16-pixel block means of the difference over what white noise of its power would give: 1 for white noise (within .1 at 200 blocks), more for motion.
 * Undefined where nothing differs or sizes do.
 */
function whiteness(x: Picture, y: Picture): number | undefined {
  if (x.width !== y.width || x.height !== y.height) return undefined
  const side = 16
  let power = 0
  let blocks = 0
  for (let c = 0; c < x.colour.length; c++) {
    const p = x.colour[c]!
    const q = y.colour[c]!
    for (let by = 0; by + side <= x.height; by += side) {
      for (let bx = 0; bx + side <= x.width; bx += side) {
        let sum = 0
        for (let y0 = by; y0 < by + side; y0++) {
          for (let i = y0 * x.width + bx; i < y0 * x.width + bx + side; i++) {
            const d = p[i]! - q[i]!
            sum += d
            power += d * d
          }
        }
        // The variance of a sum of n white values is n times theirs, as is the block's power.
        blocks += sum * sum
      }
    }
  }
  return power > 0 ? blocks / power : undefined
}

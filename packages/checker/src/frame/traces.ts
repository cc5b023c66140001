import type { ImageFile } from '@pictor/image'
import type { OutputSpec } from '@pictor/core/contract'
import type { Picture } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** Traces that processing after the render leaves in the pixels: fewer levels than the file can hold, the 8 x 8 grid of JPEG. */
export function checkTraces(
  image: ImageFile,
  picture: Picture,
  output: Pick<OutputSpec, 'bitDepth' | 'format'>,
): readonly WeighedFinding[] {
  return [...checkLevelsUsed(image, picture, output.bitDepth), ...(picture.hdr ? [] : checkJpegGrid(picture))]
}

/**
 * A render with noise or dither uses every level between its dark and bright ends. In 8-bit files, 95 % of the pixels on the levels that 2 to 6 bits can hold (an honest
 * picture has as many there as the levels' share, at most a quarter) show a picture that once had fewer bits. In 16-bit and float files at most 300 values among
 * 20,000 pixels do.
 */
function checkLevelsUsed(image: ImageFile, picture: Picture, bitDepth: number): WeighedFinding[] {
  if (bitDepth === 8) {
    // The file's own values: applying alpha would fill the gaps.
    const planes = image.parts.flatMap((part) => part.planes).filter((plane) => plane.name !== 'A')
    const bits = planes.map((plane) => fewerBits(plane.data))
    if (bits.length === 0 || bits.some((one) => one === undefined)) return []
    const most = Math.max(...bits.map((one) => one!))
    const message = `the channels use only the levels of ${most} bits: the picture went through fewer bits than ordered`
    return [finding('suspect', 'few-levels', message, { value: most, threshold: 8 })]
  }
  const pixels = picture.width * picture.height
  if (pixels < 20_000) return []
  const counts = picture.raw.map((plane) => distinctUpTo(plane, 300))
  if (counts.some((count) => count > 300 || count < 32)) return []
  const most = Math.max(...counts)
  const message = `the channels hold at most ${most} different values: the picture went through 8 bits`
  return [finding('doubt', 'few-levels', message, { value: most, threshold: 300 })]
}

/** The fewest bits, 2 to 6, whose levels (spread over 0..255, or cut off below) hold 95 % of the pixels that are neither black nor white; 8 such levels must occur. */
function fewerBits(plane: Float32Array): number | undefined {
  const counts = new Float64Array(256)
  for (let i = 0; i < plane.length; i++) counts[Math.round(plane[i]! * 255) & 255]!++
  const inner = counts.subarray(1, 255).reduce((sum, count) => sum + count, 0)
  if (inner < 1000) return undefined
  for (let bits = 2; bits <= 6; bits++) {
    for (const top of [255, 256]) {
      const steps = 2 ** bits - (top === 255 ? 1 : 0)
      let on = 0
      let used = 0
      for (let k = 1; k < 2 ** bits; k++) {
        const level = Math.round((k * top) / steps)
        if (level < 1 || level > 254) continue
        on += counts[level]!
        if (counts[level]! > inner / 10_000) used++
      }
      if (used >= 8 && on >= 0.95 * inner) return bits
    }
  }
  return undefined
}

function distinctUpTo(plane: Float32Array, limit: number): number {
  const seen = new Set<number>()
  for (let i = 0; i < plane.length && seen.size <= limit; i++) seen.add(plane[i]!)
  return seen.size
}

/** Most blocks looked at for each position of the grid: enough for a standard error below 1 %, and some 10 ms. */
const MOST_BLOCKS = 4096
/** Strong high frequencies on JPEG's grid, relative to other grids. 330 8-bit renders of 11 scenes: 0.93 to 1.01; 44 JPEG passes at quality 75 to 97: 0.04 to 0.84. */
const GRID_LIMIT = 0.87
/** Grid origins to compare with; far from (0, 0) and from each other. */
const OTHER_GRIDS: readonly (readonly [number, number])[] = [
  [4, 4],
  [3, 5],
  [5, 2],
]

/**
 * JPEG (ITU-T T.81) rounds the DCT coefficients of each 8 x 8 block of its grid to multiples of a step, most high ones to zero, and they are still near zero when the file
 * is decoded again; on any other grid they are not. Compares the share of high coefficients above half a level on the grid at the corner with other grids.
 */
function checkJpegGrid(picture: Picture): WeighedFinding[] {
  if (picture.width < 64 || picture.height < 64) return []
  const { ratio, errors } = jpegGrid(picture)
  if (ratio >= GRID_LIMIT || errors < 6) return []
  const message = 'the picture carries the 8 x 8 block grid of JPEG: it was recompressed with loss'
  return [finding('suspect', 'jpeg-grid', message, { value: ratio, threshold: GRID_LIMIT })]
}

/** Share of strong high coefficients on JPEG's grid over that on other grids, and how many standard errors lie between them. */
export function jpegGrid(picture: Picture): { readonly ratio: number; readonly errors: number } {
  const luma = lumaOf(picture)
  const aligned = strongShare(luma, picture, 0, 0)
  const others = OTHER_GRIDS.map(([x, y]) => strongShare(luma, picture, x, y))
  const rest = others.reduce((sum, one) => sum + one.share, 0) / others.length
  const error = Math.sqrt((rest * (1 - rest)) / Math.max(1, aligned.count))
  return { ratio: rest > 0 ? aligned.share / rest : 1, errors: error > 0 ? (rest - aligned.share) / error : 0 }
}

/** Luma in 8-bit levels, Rec. 601 weights as in JFIF. */
function lumaOf({ colour, width, height }: Picture): Float32Array {
  const [r, g, b] = colour.length >= 3 ? colour : [colour[0]!, colour[0]!, colour[0]!]
  const out = new Float32Array(width * height)
  for (let i = 0; i < out.length; i++) out[i] = 255 * (0.299 * r![i]! + 0.587 * g![i]! + 0.114 * b![i]!)
  return out
}

/** DCT-II basis of 8 points, orthonormal. */
const BASIS: readonly Float64Array[] = Array.from({ length: 8 }, (_, u) =>
  Float64Array.from(
    { length: 8 },
    (_unused, x) => (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16),
  ),
)

/** Share of the coefficients with u + v >= 6 whose magnitude is at least one level. */
function strongShare(luma: Float32Array, { width, height }: Picture, x0: number, y0: number): { share: number; count: number } {
  const columns = Math.floor((width - x0) / 8)
  const blocks = columns * Math.floor((height - y0) / 8)
  const skip = Math.max(1, Math.ceil(blocks / MOST_BLOCKS))
  const rows = new Float64Array(64)
  let strong = 0
  let count = 0
  for (let block = 0; block < blocks; block += skip) {
    const from = (y0 + 8 * Math.floor(block / columns)) * width + x0 + 8 * (block % columns)
    for (let y = 0; y < 8; y++) {
      for (let u = 0; u < 8; u++) {
        let sum = 0
        for (let x = 0; x < 8; x++) sum += BASIS[u]![x]! * luma[from + y * width + x]!
        rows[y * 8 + u] = sum
      }
    }
    for (let u = 0; u < 8; u++) {
      for (let v = Math.max(0, 6 - u); v < 8; v++) {
        let sum = 0
        for (let y = 0; y < 8; y++) sum += BASIS[v]![y]! * rows[y * 8 + u]!
        if (Math.abs(sum) >= 1) strong++
        count++
      }
    }
  }
  return { share: strong / Math.max(1, count), count }
}

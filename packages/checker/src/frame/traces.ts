import type { OutputSpec } from '@pictor/core/contract'
import type { Picture } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** Traces that processing after the render leaves in the pixels: fewer levels than the file can hold, the 8 x 8 grid of JPEG. */
export function checkTraces(picture: Picture, output: Pick<OutputSpec, 'bitDepth' | 'format'>): readonly WeighedFinding[] {
  return [...checkLevelsUsed(picture, output.bitDepth), ...(picture.hdr ? [] : checkJpegGrid(picture))]
}

/**
 * A render with noise or dither uses every level between its dark and bright ends. In 8-bit files a regular comb of at least 12 levels, each gap of at least 3 steps
 * and all within one step of each other, is a picture that once had fewer bits. In 16-bit and float files at most 300 values among 20,000 pixels are.
 */
function checkLevelsUsed(picture: Picture, bitDepth: number): WeighedFinding[] {
  if (bitDepth === 8) {
    const gaps = picture.raw.map(combGap)
    if (picture.alpha !== undefined || gaps.some((gap) => gap === undefined)) return []
    const gap = Math.min(...gaps.map((one) => one!))
    const message = `only every ${gap}th level of each channel is used: the picture went through fewer bits than ordered`
    return [finding('suspect', 'few-levels', message, { value: gap, threshold: 2 })]
  }
  const pixels = picture.width * picture.height
  if (pixels < 20_000) return []
  const counts = picture.raw.map((plane) => distinctUpTo(plane, 300))
  if (counts.some((count) => count > 300 || count < 32)) return []
  const most = Math.max(...counts)
  const message = `the channels hold at most ${most} different values: the picture went through 8 bits`
  return [finding('doubt', 'few-levels', message, { value: most, threshold: 300 })]
}

/** The smallest gap of a regular comb of levels, or undefined where there is none. */
function combGap(plane: Float32Array): number | undefined {
  const seen = new Uint8Array(256)
  for (let i = 0; i < plane.length; i++) seen[Math.round(plane[i]! * 255) & 255] = 1
  const levels: number[] = []
  for (let level = 0; level < 256; level++) if (seen[level]) levels.push(level)
  if (levels.length < 12) return undefined
  const gaps = levels.slice(1).map((level, i) => level - levels[i]!)
  const least = Math.min(...gaps)
  return least >= 3 && gaps.every((gap) => gap - least <= 1) ? least : undefined
}

function distinctUpTo(plane: Float32Array, limit: number): number {
  const seen = new Set<number>()
  for (let i = 0; i < plane.length && seen.size <= limit; i++) seen.add(plane[i]!)
  return seen.size
}

/**
 * JPEG codes blocks of 8 x 8 pixels on their own, so that steps between neighbouring pixels are larger across its grid. Measures the excess of |second difference| at
 * each of the 8 phases, horizontally and vertically; one phase far above the other seven in both directions is the grid.
 */
function checkJpegGrid(picture: Picture): WeighedFinding[] {
  const { width, height } = picture
  if (width < 64 || height < 64) return []
  const z = Math.min(phaseExcess(picture, 1, width, height), phaseExcess(picture, width, height, width))
  if (z <= GRID_LIMIT) return []
  return [
    finding('doubt', 'jpeg-grid', 'the picture has the 8 x 8 block grid of JPEG: it was recompressed with loss', {
      value: z,
      threshold: GRID_LIMIT,
    }),
  ]
}

/** Standard errors of the strongest phase over the mean of the others, in both directions. Honest renders: see docs/checker.md. */
const GRID_LIMIT = 6

function phaseExcess(picture: Picture, step: number, along: number, across: number): number {
  const other = step === 1 ? picture.width : 1
  const sums = new Float64Array(8)
  const squares = new Float64Array(8)
  const counts = new Float64Array(8)
  for (const plane of picture.colour) {
    for (let line = 0; line < across; line++) {
      for (let k = 1; k + 2 < along; k++) {
        const i = line * other + k * step
        const jump =
          Math.abs(plane[i]! - plane[i + step]!) -
          (Math.abs(plane[i - step]! - plane[i]!) + Math.abs(plane[i + step]! - plane[i + 2 * step]!)) / 2
        // Clipped, so that edges of objects do not drown the small steps of the grid.
        const value = Math.max(-0.02, Math.min(0.02, jump))
        const phase = k & 7
        sums[phase] = sums[phase]! + value
        squares[phase] = squares[phase]! + value * value
        counts[phase] = counts[phase]! + 1
      }
    }
  }
  const means = sums.map((sum, phase) => sum / counts[phase]!)
  // Only the phase between the blocks of a grid that starts at the picture's corner.
  const strongest = means[7]!
  const rest = means.reduce((sum, mean) => sum + mean, -strongest) / 7
  const variance = squares[7]! / counts[7]! - strongest * strongest
  return (strongest - rest) / Math.sqrt(Math.max(variance, 1e-12) / (counts[7]! / picture.colour.length))
}

import { meanSquare, worstBlocks } from './block-bias.ts'
import { blockArea, blockGrid, forBlockRuns, smoothBlocks, type BlockGrid } from './blocks.ts'
import { excessCorrelation, lagSums, type ExcessCorrelation } from './correlation.ts'
import type { Area, Picture } from './picture.ts'
import { scanBlocks, type ScanStatistic } from './scan.ts'

/** Side of a block in pixels (frame-validation study, "12 x 12"). */
export const BLOCK = 12
/** Noise floor: a quarter of an 8-bit step, so that flat regions, whose noise is only rounding, do not divide by zero. */
export const FLOOR: number = 1 / 1020

/** Bias of blocks of one size: small blocks show tiles and marks, large ones faint and wide changes, such as a material or missing light bounces. */
export interface BiasScale {
  /** Side of a block in pixels. */
  readonly size: number
  readonly blocks: number
  /** ln of the mean squared block bias: exposure, colour, wrong scene. */
  readonly bias: number
  /** Second largest |z| of the blocks: a tile, a watermark. */
  readonly biasMax: number
  readonly biasArea: Area
}

/** What a candidate looks like against two independent renders at the ordered settings. All values are 0 or small for an honest frame. */
export interface ReferenceStatistics extends ExcessCorrelation {
  /** ln of the candidate's noise variance over the references', over active blocks. A share f of the samples gives ln((1/f + 1) / 2). */
  readonly noiseRatio: number
  /** Standard error of `noiseRatio` from its spread over blocks. */
  readonly noiseRatioError: number
  /** By growing block size; sizes that leave fewer than 6 blocks are left out, the smallest is always there. */
  readonly scales: readonly BiasScale[]
  /** Bias of rectangles of the smallest blocks; undefined for pictures that hold none. */
  readonly scan: ScanStatistic | undefined
  readonly activeBlocks: number
  readonly blocks: number
}

interface ChannelBlocks {
  /** Per block: mean (x-a)^2, mean (a-b)^2, mean x - (a+b)/2, mean (a+b)/2, pixels. */
  readonly error: Float64Array
  readonly noise: Float64Array
  readonly shift: Float64Array
  readonly level: Float64Array
  readonly count: Float64Array
}

function channelBlocks(grid: BlockGrid, width: number, x: Float32Array, a: Float32Array, b: Float32Array): ChannelBlocks {
  const size = grid.columns * grid.rows
  const error = new Float64Array(size)
  const noise = new Float64Array(size)
  const shift = new Float64Array(size)
  const level = new Float64Array(size)
  const count = new Float64Array(size)
  forBlockRuns(grid, width, (from, to, block) => {
    let e = 0
    let n = 0
    let s = 0
    let l = 0
    for (let i = from; i < to; i++) {
      const xa = x[i]! - a[i]!
      const xb = x[i]! - b[i]!
      const ab = a[i]! - b[i]!
      // Both references serve alike, which halves the variance that the choice of one of them would add.
      e += (xa * xa + xb * xb) / 2
      n += ab * ab
      s += (xa + xb) / 2
      l += (a[i]! + b[i]!) / 2
    }
    error[block] = error[block]! + e
    noise[block] = noise[block]! + n
    shift[block] = shift[block]! + s
    level[block] = level[block]! + l
    count[block] = count[block]! + to - from
  })
  for (let block = 0; block < size; block++) {
    error[block] = error[block]! / count[block]!
    noise[block] = noise[block]! / count[block]!
    shift[block] = shift[block]! / count[block]!
    level[block] = level[block]! / count[block]!
  }
  return { error, noise, shift, level, count }
}

/**
 * Compares `x` with two renders `a` and `b` of the same frame, made with independent seeds at the ordered settings.
 *
 * Formulas (frame-validation study; the references calibrate each scene by themselves, so no threshold depends on picture content):
 * E = mean (x-a)^2 and (x-b)^2 of a block, N = mean (a-b)^2, S its 3 x 3 block mean, q = `FLOOR`.
 * - noiseRatio = mean over active blocks of ln((E + q^2) / (N + q^2)), E and N averaged over channels; active: N > 4 q^2, or all when fewer than 8 are.
 * - z = block mean of d / sqrt((1.5 max(N, S) / 2 + q^2) / n), d = x - (a+b)/2: the variance of d is 1.5 that of one render, and var = N / 2.
 * - correlation = rho(x - a) - rho(a - b), rho the lag-1 autocorrelation of u / sqrt(S + q^2) clipped to +-4, horizontal and vertical.
 *
 * The bias is taken at blocks of 12, 24 and 48 pixels, and of rectangles of the smallest: a faint wide change grows with the side against its noise.
 *
 * @throws RangeError when the three differ in size or channels
 */
export function compareWithReferences(x: Picture, a: Picture, b: Picture): ReferenceStatistics {
  requireSameShape(x, a)
  requireSameShape(x, b)
  const [first, ...larger] = SCALES.map((size) => measureBlocks(x, a, b, size)) as [Measured, ...Measured[]]
  const { grid, error, noise } = first
  const ratio = noiseRatio(error, noise)
  const lacksNoise = ratio.noiseRatio < -3 * ratio.noiseRatioError
  const less = lacksNoise ? Math.min(1, 2 - 2 * Math.exp(ratio.noiseRatio)) : 0
  const zs = zsOf(first, less)
  const scale = smoothBlocks(grid, noise).map((s) => 1 / Math.sqrt(s + FLOOR * FLOOR))
  return {
    ...ratio,
    scales: [
      biasOf(first, zs),
      ...larger.filter((one) => one.grid.columns * one.grid.rows >= 6).map((one) => biasOf(one, zsOf(one, less))),
    ],
    scan: scanBlocks(grid, zs),
    ...excessCorrelation(lagSums(grid, x, a, scale), lagSums(grid, a, b, scale)),
    blocks: grid.columns * grid.rows,
  }
}

/** Sides of the blocks whose bias is measured; the first serves the other statistics too. */
const SCALES: readonly number[] = [BLOCK, 2 * BLOCK, 4 * BLOCK]

interface Measured {
  readonly size: number
  readonly grid: BlockGrid
  readonly channels: readonly ChannelBlocks[]
  /** Means over channels. */
  readonly error: Float64Array
  readonly noise: Float64Array
}

function measureBlocks(x: Picture, a: Picture, b: Picture, size: number): Measured {
  const grid = blockGrid(x.width, x.height, size)
  const channels = x.colour.map((plane, c) => channelBlocks(grid, x.width, plane, a.colour[c]!, b.colour[c]!))
  const blocks = grid.columns * grid.rows
  const mean = (pick: (channel: ChannelBlocks) => Float64Array): Float64Array => {
    const out = new Float64Array(blocks)
    for (const channel of channels) for (let i = 0; i < blocks; i++) out[i] = out[i]! + pick(channel)[i]! / channels.length
    return out
  }
  return { size, grid, channels, error: mean((channel) => channel.error), noise: mean((channel) => channel.noise) }
}

/** z of the blocks' bias, per channel; `less` is the share of the ordered noise variance that the candidate lacks. */
const zsOf = ({ grid, channels }: Measured, less: number): readonly Float64Array[] =>
  channels.map((channel) => blockBias(channel, smoothBlocks(grid, channel.noise), less))

function biasOf({ size, grid }: Measured, zs: readonly Float64Array[]): BiasScale {
  const local = worstBlocks(zs)
  return {
    size,
    blocks: grid.columns * grid.rows,
    bias: Math.log(meanSquare(zs) + 1e-12),
    biasMax: local.value,
    biasArea: blockArea(grid, local.block),
  }
}

function noiseRatio(
  error: Float64Array,
  noise: Float64Array,
): Pick<ReferenceStatistics, 'noiseRatio' | 'noiseRatioError' | 'activeBlocks'> {
  const q2 = FLOOR * FLOOR
  const activeBlocks = noise.reduce((count, n) => count + (n > 4 * q2 ? 1 : 0), 0)
  const useAll = activeBlocks < 8
  let sum = 0
  let squares = 0
  let count = 0
  for (let i = 0; i < noise.length; i++) {
    if (!useAll && !(noise[i]! > 4 * q2)) continue
    const value = Math.log((error[i]! + q2) / (noise[i]! + q2))
    sum += value
    squares += value * value
    count++
  }
  const mean = sum / count
  return {
    noiseRatio: mean,
    noiseRatioError: Math.sqrt(Math.max(0, squares / count - mean * mean) / Math.max(1, count - 1)),
    activeBlocks,
  }
}

/**
 * A picture with more samples than ordered is also brighter: transfer curves bend down, so noise lowers the mean of what they encode, by .7 v / y at level y and variance v for the power 1/2.4
 * (half its second derivative over the square of its first). Up to that is no bias. Measured at 1.5 times 10 samples in a dark room: a bias of 1.66 where 1.27 is the limit; with this -1.96.
 */
const CURVE_BIAS = 0.7

function blockBias({ shift, noise, level, count }: ChannelBlocks, smooth: Float64Array, less: number): Float64Array {
  return shift.map((found, i) => {
    const spread = Math.max(noise[i]!, smooth[i]!)
    const variance = (1.5 * spread) / 2 + FLOOR * FLOOR
    const brighter = (CURVE_BIAS * less * spread) / 2 / Math.max(level[i]!, FLOOR)
    return (found > 0 ? Math.max(0, found - brighter) : found) / Math.sqrt(variance / count[i]!)
  })
}

/** @throws RangeError when two pictures cannot be compared pixel by pixel */
export function requireSameShape(x: Picture, y: Picture): void {
  if (x.width !== y.width || x.height !== y.height || x.colour.length !== y.colour.length) {
    throw new RangeError(
      `pictures differ: ${x.width} x ${x.height} with ${x.colour.length} colour planes, ${y.width} x ${y.height} with ${y.colour.length}`,
    )
  }
}

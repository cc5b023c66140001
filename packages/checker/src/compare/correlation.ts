import { forBlockRuns, type BlockGrid } from './blocks.ts'
import type { Picture } from './picture.ts'

/** How much more smeared a candidate's noise is than that of two renders. */
export interface ExcessCorrelation {
  /** Excess lag-1 correlation of the residual over that between the references: path-traced noise is white, denoised or upscaled noise is not. */
  readonly correlation: number
  /** Standard error of `correlation` from its spread over blocks: wide where only a few edges are noisy. */
  readonly correlationError: number
  /** How many equal blocks would tell as much of the correlation: (sum of squares)^2 / sum of squared squares, by what each block weighs. */
  readonly correlationBlocks: number
}

/** Per block, sums over its pixels of the whitened difference of two pictures: lag-1 products (mean of both directions) and squares. */
interface LagSums {
  readonly products: Float64Array
  readonly squares: Float64Array
}

export function lagSums(grid: BlockGrid, x: Picture, y: Picture, scale: Float64Array): LagSums {
  const { width } = x
  const products = new Float64Array(scale.length)
  const squares = new Float64Array(scale.length)
  const whitened = new Float32Array(width * x.height)
  for (let c = 0; c < x.colour.length; c++) {
    const p = x.colour[c]!
    const q = y.colour[c]!
    forBlockRuns(grid, width, (from, to, block) => {
      const s = scale[block]!
      for (let i = from; i < to; i++) whitened[i] = Math.max(-4, Math.min(4, (p[i]! - q[i]!) * s))
    })
    forBlockRuns(grid, width, (from, to, block) => {
      let product = 0
      let square = 0
      for (let i = from; i < to; i++) {
        const w = whitened[i]!
        square += w * w
        const right = (i + 1) % width === 0 ? 0 : whitened[i + 1]!
        const below = i + width < whitened.length ? whitened[i + width]! : 0
        product += (w * (right + below)) / 2
      }
      products[block] = products[block]! + product
      squares[block] = squares[block]! + square
    })
  }
  return { products, squares }
}

/** Difference of two lag-1 autocorrelations, each a ratio of sums over blocks, and its error by the delta method with blocks as the independent units. */
export function excessCorrelation(x: LagSums, own: LagSums): ExcessCorrelation {
  const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0)
  const [qx, qo] = [sum(x.squares), sum(own.squares)]
  const rx = qx > 0 ? sum(x.products) / qx : 0
  const ro = qo > 0 ? sum(own.products) / qo : 0
  let variance = 0
  for (let i = 0; i < x.squares.length; i++) {
    const dx = qx > 0 ? (x.products[i]! - rx * x.squares[i]!) / qx : 0
    const dq = qo > 0 ? (own.products[i]! - ro * own.squares[i]!) / qo : 0
    variance += (dx - dq) ** 2
  }
  const weight = x.squares.reduce((total, value) => total + value ** 2, 0)
  return { correlation: rx - ro, correlationError: Math.sqrt(variance), correlationBlocks: weight > 0 ? qx ** 2 / weight : 0 }
}

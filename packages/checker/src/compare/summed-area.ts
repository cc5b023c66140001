import type { Area } from './picture.ts'

/** Sums over any rectangle of a grid in four look-ups (Crow 1984, Summed-area tables for texture mapping). */
export interface SummedArea {
  /** The sum over an area that lies within the grid. */
  over(area: Area): number
}

export function summedArea(values: ArrayLike<number>, width: number, height: number): SummedArea {
  // Entry (i, j) of `width + 1` columns is the sum left of and above it.
  const sums = new Float64Array((width + 1) * (height + 1))
  for (let j = 0; j < height; j++) {
    let row = 0
    for (let i = 0; i < width; i++) {
      row += values[j * width + i]!
      sums[(j + 1) * (width + 1) + i + 1] = sums[j * (width + 1) + i + 1]! + row
    }
  }
  const at = (i: number, j: number): number => sums[j * (width + 1) + i]!
  return { over: ({ x, y, width: w, height: h }) => at(x + w, y + h) - at(x, y + h) - at(x + w, y) + at(x, y) }
}

/** Sums of a score over the pixels of each block, and of its variance. No score of a pixel exceeds 1. */
export interface Scores {
  readonly sums: Float64Array
  readonly variances: Float64Array
}

/**
 * A sum in standard deviations, lessened where few pixels make it: Bernstein's inequality bounds the tail of a sum of terms up to 1 by exp(-z^2 / 2 / (1 + z / (3 s))), s its deviation.
 */
export function deviate(sum: number, variance: number): number {
  if (!(variance > 0)) return 0
  const z = Math.abs(sum) / Math.sqrt(variance)
  return (Math.sign(sum) * z) / Math.sqrt(1 + z / (3 * Math.sqrt(variance)))
}

const sumOf = (values: Float64Array): number => values.reduce((all, value) => all + value, 0)
/** The sum over all blocks. */
export const total = ({ sums, variances }: Scores): number => deviate(sumOf(sums), sumOf(variances))
/** z of each block. */
export const zsOf = ({ sums, variances }: Scores): Float64Array =>
  sums.map((sum, block) => (variances[block]! > 0 ? sum / Math.sqrt(variances[block]!) : 0))

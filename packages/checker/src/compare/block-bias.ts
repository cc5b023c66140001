// What the z of blocks say together; per channel, in the order of a block grid.

/** Mean of squared z over all blocks and channels: 1 for honest blocks of variance 1. */
export function meanSquare(zs: readonly Float64Array[]): number {
  let sum = 0
  let count = 0
  for (const z of zs) {
    for (const value of z) sum += value * value
    count += z.length
  }
  return sum / count
}

/** Second largest of the blocks' greatest |z| over channels: one stray firefly block is honest, two are not. */
export function worstBlocks(zs: readonly Float64Array[]): { value: number; block: number } {
  let first = 0
  let second = 0
  let block = 0
  for (let i = 0; i < zs[0]!.length; i++) {
    let worst = 0
    for (const z of zs) worst = Math.max(worst, Math.abs(z[i]!))
    if (worst > first) {
      second = first
      first = worst
      block = i
    } else if (worst > second) second = worst
  }
  return { value: second, block }
}

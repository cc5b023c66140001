import { FLAGS_AT, MAX_FLAGS, scratchOf } from './scratch.ts'

/** Side of the squares of {@link PartStats.zeroTiles}, pixels: as many samples as the kernel takes at once. */
export const TILE = 64

/**
 * Looks at a row of 16-bit samples with the kernel: whether all are equal, whether all are zero under `mask`, and into `used` the squares that are not. Undefined where the
 * row does not lie in the kernel's memory or is not of whole squares.
 */
export function scanShorts(
  samples: Uint16Array,
  at: number,
  count: number,
  mask: number,
  used?: Uint8Array,
): { zero: boolean; constant: boolean } | undefined {
  const scratch = scratchOf(samples)
  const tiles = count / TILE
  if (!scratch || count % TILE !== 0 || tiles > MAX_FLAGS) return undefined
  const flags = new Uint8Array(scratch.memory.buffer, FLAGS_AT, tiles).fill(0)
  const from = samples.byteOffset + 2 * at
  const found = scratch.kernels.scanShorts(from, from + 2 * count, samples[at]!, mask & 0xffff, FLAGS_AT)
  if (used) for (let tile = 0; tile < tiles; tile++) used[tile]! |= flags[tile]!
  return { zero: (found & 1) === 0, constant: (found & 2) === 0 }
}

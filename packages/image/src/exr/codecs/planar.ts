import type { Block } from '../layout.ts'

/** Copies channels that lie whole, one after another, into the file's layout: row by row, channel by channel. */
export function scatterPlanes(planes: Uint8Array, block: Block, out: Uint8Array): void {
  const next: number[] = []
  let start = 0
  for (const { channel, width, rows } of block.channels) {
    next.push(start)
    start += width * rows * channel.size
  }
  let to = 0
  for (let y = block.yMin; y <= block.yMax; y++) {
    block.channels.forEach(({ channel, width }, index) => {
      if (channel.ySampling !== 1 && y % channel.ySampling !== 0) return
      const from = next[index]!
      const bytes = width * channel.size
      out.set(planes.subarray(from, from + bytes), to)
      next[index] = from + bytes
      to += bytes
    })
  }
}

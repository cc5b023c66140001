import { ImageError, type ImageErrorWhere } from '../../error.ts'
import { inflateExact, release } from '../../inflate.ts'
import type { Block } from '../layout.ts'

/**
 * Decodes a PXR24 chunk (ImfPxr24Compressor.cpp): each row of a channel is the differences of its pixels, split into
 * planes of bytes from the highest down; floats keep their upper 24 bits.
 */
export function decodePxr24(input: Uint8Array, block: Block, out: Uint8Array, where: ImageErrorWhere): void {
  let size = 0
  for (const { channel, width, rows } of block.channels) size += width * rows * stored(channel.type)
  const { bytes } = inflateExact(input, size, where)
  const view = new DataView(out.buffer, out.byteOffset, out.length)
  let from = 0
  let to = 0
  for (let y = block.yMin; y <= block.yMax; y++) {
    for (const { channel, width } of block.channels) {
      if (channel.ySampling !== 1 && y % channel.ySampling !== 0) continue
      const planes = stored(channel.type)
      let pixel = 0
      for (let x = 0; x < width; x++, to += channel.size) {
        let difference = 0
        for (let plane = 0; plane < planes; plane++) difference = (difference << 8) | bytes[from + plane * width + x]!
        // Floats lack the lowest byte: the sum runs on the 24 bits, moved up.
        pixel = (pixel + (channel.type === 'float' ? difference << 8 : difference)) | 0
        if (channel.size === 2) view.setUint16(to, pixel & 0xffff, true)
        else view.setUint32(to, pixel >>> 0, true)
      }
      from += planes * width
    }
  }
  release(bytes)
  if (to !== out.length) throw new ImageError('bad-length', `PXR24 rows fill ${to} of ${out.length} bytes`, where)
}

const stored = (type: 'half' | 'float' | 'uint32'): number => ({ half: 2, float: 3, uint32: 4 })[type]

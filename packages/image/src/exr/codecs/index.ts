import { ImageError, type ImageErrorWhere } from '../../error.ts'
import { inflateExact, release } from '../../inflate.ts'
import { decodeB44 } from './b44.ts'
import { decodeDwa } from './dwa.ts'
import { decodePiz } from './piz.ts'
import { reconstruct } from './predictor.ts'
import { decodePxr24 } from './pxr24.ts'
import { expandRuns } from './rle.ts'
import type { ExrCompression } from '../header.ts'
import type { Block } from '../layout.ts'

/** Decodes one chunk into `out`: exactly `block.bytes` long and aligned to 4. */
export function decodeChunk(
  compression: ExrCompression,
  input: Uint8Array,
  block: Block,
  out: Uint8Array,
  where: ImageErrorWhere,
): void {
  // A writer stores a chunk as it is where compression would not make it smaller.
  if (input.length === block.bytes) {
    out.set(input)
    return
  }
  switch (compression) {
    case 'zip':
    case 'zips': {
      const { bytes } = inflateExact(input, block.bytes, where)
      reconstruct(bytes, out)
      return release(bytes)
    }
    case 'rle': {
      const runs = new Uint8Array(block.bytes)
      expandRuns(input, runs, where)
      return reconstruct(runs, out)
    }
    case 'piz':
      return decodePiz(input, block, out, where)
    case 'pxr24':
      return decodePxr24(input, block, out, where)
    case 'b44':
    case 'b44a':
      return decodeB44(input, block, out, where)
    case 'dwaa':
    case 'dwab':
      return decodeDwa(input, block, out, where)
    case 'none':
      throw new ImageError('bad-length', `an uncompressed chunk has ${input.length} bytes, its pixels take ${block.bytes}`, where)
    default:
      throw new ImageError('unsupported', `compression ${compression} is not read`, where)
  }
}

import { inflateSync } from 'node:zlib'
import { ImageError, type ImageErrorWhere } from './error.ts'
import { checkDeflateRatio } from './limits.ts'

/** Room behind the expected bytes: zlib.inflateSync would allocate a second buffer when the first is just full. */
const SPARE = 64

/** Result of {@link inflateExact}: the bytes, and how much of the input the zlib stream took. */
export interface Inflated {
  readonly bytes: Uint8Array
  readonly consumed: number
}

/**
 * Inflates one zlib stream that must yield exactly `size` bytes; its Adler-32 is verified by zlib. Never allocates more
 * than `size` plus a little, and not even that where the input is too short to hold it.
 * @throws ImageError `bad-length` for any other length, `bad-data` for a damaged stream.
 */
export function inflateExact(input: Uint8Array, size: number, where: ImageErrorWhere): Inflated {
  const inflated = inflateAtMost(input, size, where)
  if (inflated.bytes.length !== size) {
    throw new ImageError('bad-length', `inflated to ${inflated.bytes.length} bytes, the header needs ${size}`, where)
  }
  return inflated
}

/** Inflates one zlib stream of at most `max` bytes. Errors as {@link inflateExact}. */
export function inflateAtMost(input: Uint8Array, max: number, where: ImageErrorWhere, checkRatio = true): Inflated {
  if (checkRatio) checkDeflateRatio(input.length, max, where)
  try {
    const options = { maxOutputLength: Math.max(1, max), chunkSize: max + SPARE, info: true } as const
    const { buffer, engine } = inflateSync(input, options) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } }
    // A plain array: the slice of a Buffer would share its memory.
    return { bytes: new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length), consumed: engine.bytesWritten }
  } catch (error) {
    const code = (error as { code?: string }).code ?? ''
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ImageError('bad-length', `inflates to more than the ${max} bytes that the header needs`, where, error)
    }
    const reason = error instanceof Error ? error.message : String(error)
    throw new ImageError('bad-data', `the compressed data is damaged: ${reason}`, where, error)
  }
}

/**
 * Gives the memory of inflated bytes back at once; they must not be used after it. Left to the garbage collector, a UHD frame leaves 66 MB of such buffers behind, and
 * marking the heap for them took a sixth of the time of a scan.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  // A small one lies in a pool that Node shares among buffers.
  if (buffer instanceof ArrayBuffer && buffer.byteLength <= byteLength + SPARE) buffer.transfer(0)
}

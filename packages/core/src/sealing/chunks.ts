import { createCipheriv, createDecipheriv } from 'node:crypto'
import { PictorError } from '../contract/error.ts'

/** Bytes of an output that are encrypted, and open, together. */
export const CHUNK_BYTES = 65_536
/** What each chunk grows by: its tag. */
export const TAG_BYTES = 16
/** The counter of chunks has 32 bits: 256 TiB in chunks of 64 KiB. */
const MAX_CHUNKS = 2 ** 32

/**
 * Encrypts a stream chunk by chunk with AES-256-GCM, as STREAM does (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
 * Misuse-Resistance, CRYPTO 2015; age and Tink seal files so): the nonce of a chunk is 7 zero bytes, its number (uint32) and 1 for the last chunk, else 0. So a chunk opens
 * at its own place only, and an end that is not the end does not open. `key` must belong to this message alone. The bytes depend on the message, not on the pieces it
 * comes in. `first` is the number of the first chunk, where the message is given from there on.
 */
export async function* sealChunks(
  key: Uint8Array,
  message: AsyncIterable<Uint8Array>,
  { first = 0, size = CHUNK_BYTES }: ChunkOptions = {},
): AsyncGenerator<Buffer> {
  for await (const { number, piece, last } of piecesOf(message, size, first)) {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number, last))
    yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()])
  }
}

/** `size` is not for use with other values than the default outside of tests. */
export interface ChunkOptions {
  readonly first?: number
  readonly size?: number
}

/**
 * Opens what {@link sealChunks} made, chunk by chunk; what comes out was sealed at that place, though not yet whether the rest is whole: that is known when the stream
 * ends without an error.
 * @throws signature-invalid at the first chunk that was changed, moved, left out or cut, or when the key is another one
 */
export async function* openChunks(
  key: Uint8Array,
  sealed: AsyncIterable<Uint8Array>,
  { size = CHUNK_BYTES }: ChunkOptions = {},
): AsyncGenerator<Buffer> {
  for await (const { number, piece, last } of piecesOf(sealed, size + TAG_BYTES, 0)) {
    // An empty chunk behind others would give one message two forms.
    if (piece.length < TAG_BYTES || (number > 0 && piece.length === TAG_BYTES)) throw unopened(number)
    yield openChunk(key, number, piece, last)
  }
}

function openChunk(key: Uint8Array, number: number, piece: Buffer, last: boolean): Buffer {
  try {
    const end = piece.length - TAG_BYTES
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number, last))
    decipher.setAuthTag(piece.subarray(end))
    return Buffer.concat([decipher.update(piece.subarray(0, end)), decipher.final()])
  } catch (cause) {
    throw unopened(number, cause)
  }
}

const unopened = (number: number, cause?: unknown): PictorError =>
  new PictorError('signature-invalid', `chunk ${number} does not open: another key, or damaged bytes`, {
    details: { path: 'sealed', chunk: number },
    cause,
  })

function nonceOf(number: number, last: boolean): Buffer {
  if (number >= MAX_CHUNKS)
    throw new PictorError('invalid-input', `more than ${MAX_CHUNKS} chunks`, { details: { path: 'sealed' } })
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(number, 7)
  nonce[11] = last ? 1 : 0
  return nonce
}

interface Piece {
  readonly number: number
  /** Valid until the next one is asked for. */
  readonly piece: Buffer
  readonly last: boolean
}

/** A stream cut into pieces of `size` bytes. The last one may be shorter, and is empty only where the whole stream is. */
async function* piecesOf(source: AsyncIterable<Uint8Array>, size: number, first: number): AsyncGenerator<Piece> {
  const piece = Buffer.alloc(size)
  let [number, filled] = [first, 0]
  for await (const bytes of source)
    for (let at = 0; at < bytes.length;) {
      if (filled === size) {
        yield { number: number++, piece, last: false }
        filled = 0
      }
      const some = bytes.subarray(at, at + size - filled)
      piece.set(some, filled)
      filled += some.length
      at += some.length
    }
  yield { number, piece: piece.subarray(0, filled), last: true }
}

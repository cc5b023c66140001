import { open } from 'node:fs/promises'
import { PictorError } from '@pictor/core/contract'
import { compressionOf, damaged, unpackedBytes } from './bytes.ts'
import type { Compression } from './bytes.ts'

/** What the outside of a .blend says, read without running anything of it. */
export interface BlendHeader {
  /** Major x 100 + minor of the Blender that wrote it: 304 is 3.4. */
  readonly versionCode: number
  readonly compression: Compression
  readonly pointerBytes: 4 | 8
  readonly littleEndian: boolean
  /** Blender 5's header has its own length in it; earlier ones have 12 bytes. */
  readonly headerBytes: number
  /** Blocks have 64-bit lengths (Blender 5). */
  readonly longBlocks: boolean
}

/** A .blend that was walked from its header to its end. */
export interface WalkedBlend extends BlendHeader {
  readonly blocks: number
  /** Bytes once unpacked. */
  readonly plainBytes: number
}

/** Unpacking more than this is a bomb or a scene that no farm takes. */
const MAX_PLAIN_BYTES = 256 * 2 ** 30

/** Files grow by packing well, but not beyond this and a start of 64 MiB: the rest is a bomb. Zeros pack about 1000 to 1 with gzip. */
const MAX_RATIO = 1500

/** @throws scene-missing when there is no such file */
export async function openScene(path: string): Promise<{ readonly head: Buffer; readonly bytes: number }> {
  try {
    const file = await open(path)
    try {
      const info = await file.stat()
      if (!info.isFile()) throw new Error('it is no file')
      const head = Buffer.alloc(Math.min(64, info.size))
      await file.read(head, 0, head.length, 0)
      return { head, bytes: info.size }
    } finally {
      await file.close()
    }
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message
    throw new PictorError('scene-missing', `the scene ${path} cannot be read: ${reason}`, {
      details: { path: 'scene', file: path, hint: 'give the path of a .blend file' },
      cause,
    })
  }
}

/** Reads the first bytes of an unpacked .blend. @throws scene-invalid when it is none */
export function parseHeader(head: Buffer, compression: Compression): BlendHeader {
  if (head.toString('latin1', 0, 7) !== 'BLENDER')
    throw new PictorError('scene-invalid', 'the file is not a .blend file', {
      details: { path: 'scene', hint: 'give a scene that was saved by Blender' },
    })
  // Blender 5: `BLENDER17-01v0502` = header length, `-` for 64-bit pointers, file format version, `v` for little endian, version in four digits.
  const long = /^BLENDER(\d\d)-(\d\d)v(\d{4})/.exec(head.toString('latin1', 0, 17))
  if (long)
    return {
      versionCode: Number(long[3]),
      compression,
      pointerBytes: 8,
      littleEndian: true,
      headerBytes: Number(long[1]),
      longBlocks: true,
    }
  const short = /^BLENDER([-_])([vV])(\d{3})/.exec(head.toString('latin1', 0, 12))
  if (!short) throw damaged('its header cannot be read')
  return {
    versionCode: Number(short[3]),
    compression,
    pointerBytes: short[1] === '-' ? 8 : 4,
    littleEndian: short[2] === 'v',
    headerBytes: 12,
    longBlocks: false,
  }
}

/** Hands out an exact number of bytes from a stream of chunks, so that files of any size are walked in little memory. */
class ByteWalker {
  read = 0
  private readonly chunks: AsyncGenerator<Buffer>
  private readonly limit: number
  private rest: Buffer = Buffer.alloc(0)

  constructor(chunks: AsyncGenerator<Buffer>, limit: number) {
    this.chunks = chunks
    this.limit = limit
  }

  /** The next `length` bytes; fewer at the end. */
  async take(length: number): Promise<Buffer> {
    while (this.rest.length < length && (await this.more(true)));
    const taken = this.rest.subarray(0, length)
    this.rest = this.rest.subarray(taken.length)
    this.read += taken.length
    return taken
  }

  /** Skips; false when the data end before. */
  async skip(length: number): Promise<boolean> {
    let left = length
    while (left > this.rest.length) {
      left -= this.rest.length
      this.read += this.rest.length
      this.rest = Buffer.alloc(0)
      if (!(await this.more(false))) return false
    }
    this.rest = this.rest.subarray(left)
    this.read += left
    return true
  }

  private async more(join: boolean): Promise<boolean> {
    const next = await this.chunks.next()
    if (next.done) return false
    this.rest = join && this.rest.length > 0 ? Buffer.concat([this.rest, next.value]) : next.value
    if (this.read + this.rest.length > this.limit) throw damaged(`it unpacks to more than ${this.limit} bytes`)
    return true
  }
}

/**
 * Reads a .blend's header and walks all its blocks to the end mark, in plain JavaScript: tells what wrote it and that it is whole before any Blender opens it
 * (opening a newer or damaged file can crash Blender). `beforeWalk` sees the header first and may refuse.
 * @throws scene-missing, scene-invalid
 */
export async function readBlend(path: string, beforeWalk?: (header: BlendHeader) => void): Promise<WalkedBlend> {
  const { head, bytes } = await openScene(path)
  if (bytes === 0) throw damaged('it is empty')
  const compression = compressionOf(head)
  const chunks = unpackedBytes(path, compression)
  const limit = Math.min(MAX_PLAIN_BYTES, compression === 'none' ? bytes : (64 << 20) + bytes * MAX_RATIO)
  const walker = new ByteWalker(chunks, limit)
  try {
    const first = await walker.take(12)
    const header = parseHeader(
      Buffer.concat([first, first.toString('latin1', 0, 9) === 'BLENDER17' ? await walker.take(5) : Buffer.alloc(0)]),
      compression,
    )
    beforeWalk?.(header)
    return { ...header, ...(await walkBlocks(walker, header)) }
  } finally {
    await chunks.return(undefined)
  }
}

async function walkBlocks(
  walker: ByteWalker,
  header: BlendHeader,
): Promise<{ readonly blocks: number; readonly plainBytes: number }> {
  const headBytes = header.longBlocks ? 32 : 16 + header.pointerBytes
  let described = false
  for (let blocks = 0; ; blocks++) {
    const head = await walker.take(headBytes)
    if (head.length < 4) throw damaged('it ends early')
    const code = head.toString('latin1', 0, 4)
    if (code === 'ENDB') {
      if (!described) throw damaged('the description of its data (DNA1) is missing')
      return { blocks, plainBytes: walker.read }
    }
    if (head.length < headBytes) throw damaged('it ends early')
    if (!/^[A-Z0-9_]{2,4}\0*$/.test(code)) throw damaged(`block ${blocks} cannot be read`)
    if (code === 'DNA1') described = true
    const length = header.longBlocks
      ? Number(head.readBigInt64LE(16))
      : header.littleEndian
        ? head.readUInt32LE(4)
        : head.readUInt32BE(4)
    if (length < 0 || !(await walker.skip(length))) throw damaged(`it ends early, inside block ${blocks}`)
  }
}

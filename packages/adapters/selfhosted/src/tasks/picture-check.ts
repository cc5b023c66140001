import { createHash } from 'node:crypto'
import { lstat, readFile } from 'node:fs/promises'
import type { Bytes32 } from '@pictor/core/contract'
import { isImageError, sniffFormat, verifyImage } from '@pictor/image'
import type { RenderOrder } from '../blender/order.ts'
import { syncFile } from './durable.ts'

/** A finished file as it was found to be. */
export interface CheckedPicture {
  readonly bytes: number
  readonly hash: Bytes32
}

/** Largest file that is read: it is held in memory whole, and Node reads no more at once. */
const MOST_BYTES = 2 ** 31 - 1

/** Most that the pixels of an EXR may come to, of which only a band of rows is held: 16384 x 16384 pixels of eight floats. Of a PNG all are held, so the usual 2 GiB count. */
const MOST_EXR_BYTES = 2 ** 33

/** What a file of layers must be: as large as the picture, 32-bit floats. */
export function orderOfLayers(order: RenderOrder): RenderOrder {
  return { ...order, format: 'OPEN_EXR_MULTILAYER', colorMode: 'RGBA', bitDepth: 32 }
}

/**
 * Makes sure that a rendered file is there, is a plain file, decodes, and is the picture that was ordered, and that its bytes are on the disk. Never trusts what the renderer said.
 * @returns the reason it is not, or its size and hash
 * @throws what the disk says when it cannot keep the file
 */
export async function checkPicture(path: string, order: RenderOrder): Promise<CheckedPicture | { readonly bad: string }> {
  let data: Buffer
  try {
    const info = await lstat(path)
    if (!info.isFile()) return { bad: 'the renderer left something that is no plain file' }
    if (info.size === 0) return { bad: 'the file is empty' }
    if (info.size > MOST_BYTES)
      return { bad: `the file has ${info.size} bytes, and farms take files of at most 2 GiB: order fewer layers or half floats` }
    data = await readFile(path)
  } catch (error) {
    return { bad: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no file was written' : (error as Error).message }
  }
  // The disk works while the picture is decoded.
  const [, bad] = await Promise.all([syncFile(path), Promise.resolve().then(() => whatIsWrong(data, order))])
  return bad ? { bad } : { bytes: data.length, hash: `0x${createHash('sha256').update(data).digest('hex')}` }
}

const COLOR_TYPES: Readonly<Record<string, string>> = { BW: 'gray', RGB: 'rgb', RGBA: 'rgba' }
const SNIFFED: Readonly<Record<string, string>> = { JPEG: 'jpeg', TIFF: 'tiff', WEBP: 'webp' }

function whatIsWrong(data: Buffer, order: RenderOrder): string | undefined {
  const wanted = SNIFFED[order.format]
  // @pictor/image reads PNG and EXR; of the others only the signature is known.
  if (wanted) return sniffFormat(data) === wanted ? undefined : `it is no ${order.format} file`
  try {
    const expected = {
      width: order.region?.width ?? Math.floor((order.width * order.pct) / 100),
      height: order.region?.height ?? Math.floor((order.height * order.pct) / 100),
    }
    const image = verifyImage(data, { expected, ...(order.format === 'PNG' ? {} : { maxBytes: MOST_EXR_BYTES }) })
    if (image.format !== (order.format === 'PNG' ? 'png' : 'exr')) return `it is no ${order.format} file but ${image.format}`
    // Blender keeps depth, Cryptomatte and ids as 32 bits in a file of halves, so one channel of the ordered kind is enough there.
    const type = order.bitDepth === 16 ? 'half' : 'float'
    const deep = image.format === 'exr' && image.parts.some((part) => part.channels.some((channel) => channel.type === type))
    if (image.bitDepth !== order.bitDepth && !deep) return `it has ${image.bitDepth} bits a channel instead of ${order.bitDepth}`
    const colors = COLOR_TYPES[order.colorMode]
    if (image.colorType !== undefined && image.colorType !== colors)
      return `its colours are ${image.colorType} instead of ${colors}`
    return undefined
  } catch (error) {
    if (!isImageError(error)) throw error
    return error.message
  }
}

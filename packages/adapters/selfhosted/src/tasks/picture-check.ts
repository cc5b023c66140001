import { createHash } from 'node:crypto'
import { lstat, readFile } from 'node:fs/promises'
import type { Bytes32 } from '@pictor/core/contract'
import type { RenderOrder } from '../blender/order.ts'

/** A finished file as it was found to be. */
export interface CheckedPicture {
  readonly bytes: number
  readonly hash: Bytes32
}

/** Largest file that is read into memory: 16384 x 16384 pixels of four floats. */
const MAX_BYTES = 4 * 2 ** 30 - 1

/**
 * Makes sure that a rendered file is there, is a plain file, decodes, and is the picture that was ordered. Never trusts what the renderer said.
 * @returns the reason it is not, or its size and hash
 */
export async function checkPicture(path: string, order: RenderOrder): Promise<CheckedPicture | { readonly bad: string }> {
  let data: Buffer
  try {
    const info = await lstat(path)
    if (!info.isFile()) return { bad: 'the renderer left something that is no plain file' }
    if (info.size === 0) return { bad: 'the file is empty' }
    if (info.size > MAX_BYTES) return { bad: `the file has ${info.size} bytes` }
    data = await readFile(path)
  } catch (error) {
    return { bad: (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no file was written' : (error as Error).message }
  }
  const bad = whatIsWrong(data, order)
  return bad ? { bad } : { bytes: data.length, hash: `0x${createHash('sha256').update(data).digest('hex')}` }
}

const COLOR_TYPES: Readonly<Record<string, number>> = { BW: 0, RGB: 2, RGBA: 6 }

function whatIsWrong(data: Buffer, order: RenderOrder): string | undefined {
  const width = order.region?.width ?? Math.floor((order.width * order.pct) / 100)
  const height = order.region?.height ?? Math.floor((order.height * order.pct) / 100)
  if (order.format === 'PNG') {
    if (data.toString('latin1', 0, 8) !== '\x89PNG\r\n\x1a\n' || data.toString('latin1', 12, 16) !== 'IHDR')
      return 'it is no PNG file'
    if (data.toString('latin1', data.length - 8, data.length - 4) !== 'IEND') return 'the PNG file is cut off'
    const found = [data.readUInt32BE(16), data.readUInt32BE(20), data[24], data[25]]
    const wanted = [width, height, order.bitDepth, COLOR_TYPES[order.colorMode]]
    return String(found) === String(wanted) ? undefined : `expected width, height, depth, colour type ${wanted}, found ${found}`
  }
  if (order.format.startsWith('OPEN_EXR')) return data.readUInt32LE(0) === 20000630 ? undefined : 'it is no OpenEXR file'
  return undefined
}

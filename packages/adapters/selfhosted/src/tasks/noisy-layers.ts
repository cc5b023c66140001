import { readFile, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { invalid } from '@pictor/core/contract'
import type { Bytes32, Task } from '@pictor/core/contract'

/** `Output.layer` of the multilayer EXR file with a frame's layers before denoising and compositing. */
export const NOISY_LAYER = 'noisy'

/** Name of the text in a picture (PNG text chunk, EXR attribute) that holds the sha256 of its layers, so that the picture's hash commits to both files. */
export const LAYERS_TAG = 'pictor.layers'

/**
 * The file of layers that a task composites again instead of rendering: `task.ext.layersFrom`, the path of a file of the bundle.
 * @throws invalid-input when it is none of the bundle's files, or the task has more than one frame
 */
export function layersFrom(task: Task): string | undefined {
  const path = task.ext?.['layersFrom']
  if (path === undefined) return undefined
  if (typeof path !== 'string' || !task.bundle.files.some((file) => file.path === path))
    throw invalid('task.ext.layersFrom', 'the path of a file of the bundle', path)
  if (task.work.kind !== 'frames' || task.work.frames.length !== 1)
    throw invalid('task.work', 'one whole frame, since the layers are those of one frame', task.work.kind)
  return path
}

/** Writes the hash of a frame's layers into its picture. The rest of the file stays as it is. */
export async function tagLayers(path: string, format: string, hash: Bytes32): Promise<void> {
  const data = await readFile(path)
  await writeFile(path, format === 'PNG' ? taggedPng(data, hash) : taggedExr(data, hash))
}

function taggedPng(data: Buffer, hash: Bytes32): Buffer {
  const body = Buffer.from(`tEXt${LAYERS_TAG}\0${hash}`, 'latin1')
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(body.length - 4, 0)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  const end = data.length - 12 // IEND is empty and last; the decoder refuses a file where it is not
  return Buffer.concat([data.subarray(0, end), chunk, data.subarray(end)])
}

/**
 * Adds a string attribute to the header of a single-part EXR file and moves the chunk offsets by its length. Layout: OpenEXR file layout, "header" (attributes as
 * name\0 type\0 size value, ended by \0) and "offset table" (one uint64 a chunk, up to the first chunk).
 */
function taggedExr(data: Buffer, hash: Bytes32): Buffer {
  let end = 8
  while (data[end] !== 0) {
    const name = data.indexOf(0, end) + 1
    const type = data.indexOf(0, name) + 1
    end = type + 4 + data.readUInt32LE(type)
  }
  const value = Buffer.from(hash, 'latin1')
  const attribute = Buffer.concat([Buffer.from(`${LAYERS_TAG}\0string\0`, 'latin1'), Buffer.alloc(4), value])
  attribute.writeUInt32LE(value.length, attribute.length - value.length - 4)
  const tagged = Buffer.concat([data.subarray(0, end), attribute, data.subarray(end)])
  const table = end + attribute.length + 1
  let first = tagged.length
  for (let at = table; at < first; at += 8) {
    const offset = Number(tagged.readBigUInt64LE(at)) + attribute.length
    tagged.writeBigUInt64LE(BigInt(offset), at)
    first = Math.min(first, offset)
  }
  return tagged
}

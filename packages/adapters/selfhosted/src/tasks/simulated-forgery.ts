import { readFile, writeFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/**
 * Development and tests only: what a farm that cheats would do to its PNG files. The renderer writes the samples it took into the file's text; this writes the
 * ordered number there instead, so that only a comparison of pixels shows the cheat.
 */
export async function forgeSamplesTag(path: string, ordered: number): Promise<void> {
  const data = await readFile(path)
  const parts: Buffer[] = [data.subarray(0, 8)]
  for (let at = 8; at + 12 <= data.length;) {
    const length = data.readUInt32BE(at)
    const chunk = data.subarray(at, at + 12 + length)
    const text = chunk.subarray(8, 8 + length).toString('latin1')
    const forged = chunk.toString('latin1', 4, 8) === 'tEXt' && /^cycles\.[^\0]*\.samples\0/.test(text)
    parts.push(forged ? textChunk(`${text.slice(0, text.indexOf('\0') + 1)}${ordered}`) : chunk)
    at += 12 + length
  }
  await writeFile(path, Buffer.concat(parts))
}

function textChunk(text: string): Buffer {
  const body = Buffer.from(`tEXt${text}`, 'latin1')
  const chunk = Buffer.alloc(body.length + 8)
  chunk.writeUInt32BE(body.length - 4, 0)
  body.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(body), body.length + 4)
  return chunk
}

import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { unpackedBytes } from '../src/blend/bytes.ts'
import { readBlend } from '../src/index.ts'
import { tempFolder } from './support.ts'

const orrery = new URL('../../../../examples/scenes/orrery.blend', import.meta.url).pathname
const temp = tempFolder()
afterAll(temp.remove)

describe('reading a .blend without Blender', () => {
  const plain = join(temp.path, 'plain-bytes.blend')
  let bytes: Buffer
  beforeAll(async () => {
    const chunks: Buffer[] = []
    for await (const chunk of unpackedBytes(orrery, 'zstd')) chunks.push(chunk)
    bytes = Buffer.concat(chunks)
    writeFileSync(plain, bytes)
  })

  it('reads every frame of a seekable zstd file, not only the first', async () => {
    const header = await readBlend(orrery)
    expect(header).toMatchObject({ versionCode: 304, compression: 'zstd', pointerBytes: 8, littleEndian: true })
    expect(header.plainBytes).toBe(bytes.length)
  })

  it('reads the same from a plain and a gzip file', async () => {
    const packed = join(temp.path, 'gzip.blend')
    writeFileSync(packed, gzipSync(bytes))
    const { blocks } = await readBlend(plain)
    expect(await readBlend(packed)).toMatchObject({ blocks, compression: 'gzip' })
  })

  it('refuses a file that was cut off anywhere, in every packing', async () => {
    const whole = { zstd: readFileSync(orrery), gzip: gzipSync(bytes), none: bytes }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('zstd', 'gzip', 'none'),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        async (packing, share) => {
          const file = join(temp.path, 'cut.blend')
          writeFileSync(file, whole[packing as keyof typeof whole])
          truncateSync(file, Math.floor(share * whole[packing as keyof typeof whole].length))
          await expect(readBlend(file)).rejects.toMatchObject({ code: 'scene-invalid' })
        },
      ),
      { numRuns: 60 },
    )
  })

  it('never fails in another way on files whose bytes were changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 }), async (at, value) => {
        const file = join(temp.path, 'changed.blend')
        const changed = Buffer.from(bytes)
        changed[at] = value
        writeFileSync(file, changed)
        await readBlend(file).catch((error: unknown) => expect(error).toMatchObject({ code: 'scene-invalid' }))
      }),
      { numRuns: 40 },
    )
  })

  it('refuses a bomb before it fills the memory', async () => {
    const bomb = join(temp.path, 'bomb.blend')
    // A block that claims 100 MiB of zeros, packed 1000 to 1, again and again.
    const block = Buffer.alloc(24)
    block.write('DATA')
    block.writeUInt32LE(100 << 20, 4)
    writeFileSync(bomb, gzipSync(Buffer.concat([Buffer.from('BLENDER-v304'), block, Buffer.alloc(100 << 20)])))
    await expect(readBlend(bomb)).rejects.toMatchObject({ code: 'scene-invalid' })
  })

  it('tells a missing file, a folder, an empty file and a picture apart from a scene', async () => {
    await expect(readBlend(join(temp.path, 'no.blend'))).rejects.toMatchObject({ code: 'scene-missing' })
    await expect(readBlend(temp.path)).rejects.toMatchObject({ code: 'scene-missing' })
    const file = join(temp.path, 'odd.blend')
    for (const content of ['', 'BLENDER', 'BLENDER-x304', '\x89PNG\r\n\x1a\n']) {
      writeFileSync(file, content, 'latin1')
      await expect(readBlend(file)).rejects.toMatchObject({ code: 'scene-invalid' })
    }
  })
})

import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openChunks, sealChunks } from '../../src/sealing/index.ts'

// Small chunks, so that every cut, every changed bit and every order can be tried.
const SIZE = 8
const SEALED = SIZE + 16
const KEY = createHash('sha256').update('key').digest()
const message = (length: number): Buffer => createHash('shake256', { outputLength: length }).update('message').digest()
const refused = expect.objectContaining({ code: 'signature-invalid' }) as Error

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(Uint8Array.from(chunk))
  return Buffer.concat(all)
}
async function* inPieces(bytes: Uint8Array, size = 5): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const seal = (bytes: Uint8Array, first = 0) => collect(sealChunks(KEY, inPieces(bytes), { first, size: SIZE }))
const open = (bytes: Uint8Array, key = KEY) => collect(openChunks(key, inPieces(bytes, 7), { size: SIZE }))

describe('sealed chunks', () => {
  it('open to the message at every length around their borders', async () => {
    for (let length = 1; length <= 4 * SIZE; length++) {
      const sealed = await seal(message(length))
      expect(sealed.length).toBe(length + 16 * Math.ceil(length / SIZE))
      expect((await open(sealed)).equals(message(length)), `${length} bytes`).toBe(true)
    }
    const empty = await seal(Buffer.alloc(0))
    expect(empty.length).toBe(16)
    expect(await open(empty)).toHaveLength(0)
  })

  it.each([0, 3, SIZE, 3 * SIZE, 3 * SIZE + 1])('refuse every cut, every bit and every byte more of %i bytes', async (length) => {
    const sealed = await seal(length === 0 ? Buffer.alloc(0) : message(length))
    for (let cut = 0; cut < sealed.length; cut++)
      await expect(open(sealed.subarray(0, cut)), `cut at ${cut}`).rejects.toThrow(refused)
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const bad = Buffer.from(sealed)
      bad[bit >> 3]! ^= 1 << (bit & 7)
      await expect(open(bad), `bit ${bit}`).rejects.toThrow(refused)
    }
    for (let more = 1; more <= 2 * SEALED; more++)
      await expect(open(Buffer.concat([sealed, Buffer.alloc(more)])), `${more} more`).rejects.toThrow(refused)
    await expect(open(sealed, createHash('sha256').update('other').digest())).rejects.toThrow(refused)
  })

  it('refuse every other order, chunks left out and chunks twice', async () => {
    const sealed = await seal(message(4 * SIZE))
    const chunks = [0, 1, 2, 3].map((n) => sealed.subarray(n * SEALED, (n + 1) * SEALED))
    let tried = 0
    const every = async (chosen: readonly number[]): Promise<void> => {
      if (chosen.join() !== '0,1,2,3') {
        tried++
        await expect(open(Buffer.concat(chosen.map((n) => chunks[n]!))), chosen.join()).rejects.toThrow(refused)
      } else expect((await open(sealed)).equals(message(4 * SIZE))).toBe(true)
      if (chosen.length < 5) for (const n of [0, 1, 2, 3]) await every([...chosen, n])
    }
    await every([])
    expect(tried).toBe(4 + 16 + 64 + 256 - 1 + 1024 + 1)
  })

  it('refuse an empty chunk behind others, so that a message has one form', async () => {
    // Sealed by who has the key: the third chunk is empty and says that it is the last.
    const [first, rest] = [await seal(message(2 * SIZE + 1)), await seal(Buffer.alloc(0), 2)]
    await expect(open(Buffer.concat([first.subarray(0, 2 * SEALED), rest]))).rejects.toThrow(refused)
  })

  it('go on at a chunk in the middle as if they had been made from the beginning', async () => {
    const whole = await seal(message(5 * SIZE + 3))
    for (let first = 0; first <= 5; first++)
      expect((await seal(message(5 * SIZE + 3).subarray(first * SIZE), first)).equals(whole.subarray(first * SEALED))).toBe(true)
  })

  it('number at most 2^32 chunks', async () => {
    await expect(seal(message(1), 2 ** 32)).rejects.toMatchObject({ code: 'invalid-input' })
    expect(await seal(message(1), 2 ** 32 - 1)).toHaveLength(17)
  })
})

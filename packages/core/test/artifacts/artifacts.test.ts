import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { folderArtifacts, memoryArtifacts } from '../../src/artifacts/index.ts'
import { PictorError, storeStream, streamOf } from '../../src/contract/index.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pictor-artifacts-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const ABC = '0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' as const // FIPS 180-2, "abc"

describe.each([
  ['folder', () => folderArtifacts(join(root, 'store'))],
  ['memory', () => memoryArtifacts()],
])('%s artifacts', (_name, make) => {
  it('names bytes by their sha256 and gives them back', async () => {
    const files = make()
    expect(await files.has(ABC)).toBe(false)
    expect(await files.put(new TextEncoder().encode('abc'))).toEqual({ hash: ABC, bytes: 3 })
    expect(await files.has(ABC)).toBe(true)
    expect(new TextDecoder().decode(await files.read(ABC))).toBe('abc')
  })
  it('stores a local file under the same name as its bytes', async () => {
    writeFileSync(join(root, 'abc.txt'), 'abc')
    expect((await make().put({ path: join(root, 'abc.txt') })).hash).toBe(ABC)
  })
  it('says not-found for bytes that it does not hold', async () => {
    await expect(make().read(ABC)).rejects.toMatchObject({ code: 'not-found' })
    await expect(gathered(streamOf(make(), ABC))).rejects.toMatchObject({ code: 'not-found' })
  })
  it('stores a stream, whose pieces may be one buffer, and gives it back as one', async () => {
    const files = make()
    async function* abc(): AsyncGenerator<Uint8Array> {
      const piece = Buffer.alloc(1)
      for (const letter of 'abc') {
        piece.write(letter)
        yield piece
        await undefined
      }
    }
    expect(await storeStream(files, abc())).toEqual({ hash: ABC, bytes: 3 })
    expect((await gathered(streamOf(files, ABC))).toString()).toBe('abc')
  })
  it('throws what a stream throws, as it is, and keeps nothing of it', async () => {
    const files = make()
    const error = new PictorError('signature-invalid', 'not whole')
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('abc')
      throw error
    }
    await expect(storeStream(files, broken())).rejects.toBe(error)
    expect(await files.has(ABC)).toBe(false)
    if (existsSync(join(root, 'store'))) expect(readdirSync(join(root, 'store'))).toEqual(['tmp'])
    if (existsSync(join(root, 'store'))) expect(readdirSync(join(root, 'store', 'tmp'))).toEqual([])
  })
})

it('removes what killed processes left after an hour, and nothing that another is writing', async () => {
  mkdirSync(join(root, 'tmp'))
  for (const name of ['stray', 'young']) writeFileSync(join(root, 'tmp', name), 'secret')
  const twoHoursAgo = Date.now() / 1000 - 7_200
  utimesSync(join(root, 'tmp', 'stray'), twoHoursAgo, twoHoursAgo)
  await folderArtifacts(root).put(Buffer.from('abc'))
  expect(readdirSync(join(root, 'tmp'))).toEqual(['young'])
})

async function gathered(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of stream) all.push(piece)
  return Buffer.concat(all)
}

it('keeps no temporary file when a source cannot be read', async () => {
  const files = folderArtifacts(root)
  await expect(files.put({ path: join(root, 'absent') })).rejects.toMatchObject({ code: 'store-failed' })
  expect(readdirSync(join(root, 'tmp'))).toEqual([])
})

it('refuses a name that is no hash, so that no path can be smuggled in', async () => {
  await expect(async () => folderArtifacts(root).read('0x../../etc/passwd' as never)).rejects.toMatchObject({
    code: 'invalid-input',
  })
})

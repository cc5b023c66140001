import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { folderArtifacts, memoryArtifacts } from '../../src/artifacts/index.ts'

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
  })
})

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

import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { drawnBytes } from '../../../../scripts/draws.ts'
import { folderArtifacts } from '../../src/artifacts/index.ts'
import type { Bytes32 } from '../../src/contract/index.ts'
import { incoming, type Incoming } from '../../src/run/incoming.ts'

const folder = mkdtempSync(join(tmpdir(), 'pictor-incoming-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const artifacts = folderArtifacts(join(folder, 'artifacts'))
const hashOf = (...parts: Uint8Array[]): Bytes32 => {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return `0x${digest.digest('hex')}`
}
const strays = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith('pictor-incoming-') && !name.includes('test'))
const before = strays()

it.each([
  ['in memory', 1_000],
  ['on the disk', 2 ** 30],
])('a download %s begins again after a wrong hash, and is kept under the right one', async (_, bytes) => {
  const come: Incoming = incoming(bytes)
  const [one, two] = [drawnBytes(300_000), drawnBytes(300_000)]
  await come.add(one)
  expect(await come.keep(hashOf(two), artifacts)).toBe(false)
  await come.drop()
  expect(come.got).toBe(0)
  for (const part of [two, one]) {
    const given = Buffer.from(part)
    await come.add(given)
    given.fill(0) // the stream uses its buffer again
  }
  expect(come.got).toBe(600_000)
  expect(await come.keep(hashOf(two, one), artifacts)).toBe(true)
  await come.drop()
  expect(hashOf(await artifacts.read(hashOf(two, one)))).toBe(hashOf(two, one))
  expect(strays()).toEqual(before)
})

it('a frame of half a gigabyte takes little memory', async () => {
  const part = drawnBytes(2 ** 20)
  const digest = createHash('sha256')
  const come = incoming(512 * part.length)
  global.gc?.()
  const startMiB = process.memoryUsage().rss / 2 ** 20
  let mostMiB = 0
  for (let i = 0; i < 512; i++) {
    digest.update(part)
    await come.add(part)
    mostMiB = Math.max(mostMiB, process.memoryUsage().rss / 2 ** 20)
  }
  const hash: Bytes32 = `0x${digest.digest('hex')}`
  expect(await come.keep(hash, artifacts)).toBe(true)
  mostMiB = Math.max(mostMiB, process.memoryUsage().rss / 2 ** 20)
  await come.drop()
  expect(mostMiB - startMiB).toBeLessThan(150)
  rmSync(await artifacts.path(hash))
})

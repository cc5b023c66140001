import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { deliverToFolder } from '../../src/artifacts/index.ts'
import type { Artifacts, Bytes32 } from '../../src/contract/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'pictor-hung-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { spec } = simulatedWorld({ name: 'hung', frames: 1, farms: [{ id: 'one' }], checkers: [{ id: 'a' }], quorum: 1 }).order

it('a folder whose file system hangs holds two threads of four: other folders are delivered to, and what waited ends by its signal', async () => {
  // Opening a fifo that nobody writes to holds a thread of Node's pool in the kernel, as a mount does whose server is gone.
  const hung = [1, 2, 3, 4].map((n) => join(folder, `fifo-${n}`))
  for (const path of hung) execFileSync('mkfifo', [path])
  const whole = join(folder, 'frame')
  writeFileSync(whole, 'a whole frame')
  const asked: string[] = []
  const files = {
    path: async (path: string) => {
      asked.push(path)
      return path
    },
  } as unknown as Artifacts
  const deliver = deliverToFolder(files)
  const stop = new AbortController()
  let moves = 0
  const calls = hung.map((path, i) =>
    deliver(
      { spec, outDir: join(folder, 'dead'), frame: i + 1, part: 0, hash: path as Bytes32 },
      { moved: () => moves++, ...(i === 3 ? { signal: stop.signal } : {}) },
    ),
  )
  const last = calls[3]!.catch((error: Error) => error.message)
  const { path } = await deliver({ spec, outDir: join(folder, 'alive'), frame: 7, part: 0, hash: whole as Bytes32 })
  expect(readFileSync(path, 'utf8')).toBe('a whole frame')
  expect(asked.filter((one) => one !== whole)).toEqual(hung.slice(0, 2))
  stop.abort(new Error('given up'))
  // The server is back: what hung goes on, then what waited behind it and is still wanted.
  for (const [i, fifo] of hung.slice(0, 3).entries()) {
    const before = moves
    const writer = openSync(fifo, 'r+')
    writeSync(writer, String(i))
    await expect.poll(() => moves, { timeout: 60_000 }).toBeGreaterThan(before)
    closeSync(writer)
    expect(readFileSync((await calls[i]!).path, 'utf8')).toBe(String(i))
  }
  expect(await last).toBe('given up')
  expect(asked.filter((one) => one !== whole)).toEqual(hung.slice(0, 3))
})

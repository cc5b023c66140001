import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { storeConformance, type StoreSubject } from '../../src/conformance/store.ts'
import { memoryStore, sqliteStore } from '../../src/store/index.ts'

const inMemory = async (): Promise<StoreSubject> => {
  const store = memoryStore()
  return { store, reopen: async () => store, close: () => store.close() }
}

const onDisk = async (): Promise<StoreSubject> => {
  const dir = mkdtempSync(join(tmpdir(), 'pictor-store-'))
  const path = join(dir, 'pictor.db')
  let store = sqliteStore(path)
  return {
    store,
    async reopen() {
      await store.close()
      store = sqliteStore(path)
      return store
    },
    async close() {
      await store.close()
      rmSync(dir, { recursive: true })
    },
  }
}

describe('the memory store', () => {
  for (const { name, run } of storeConformance({ make: inMemory })) it(name, run)
})

describe('the SQLite store', () => {
  for (const { name, run } of storeConformance({ make: onDisk })) it(name, run)

  it('refuses a file of a newer version and names it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pictor-store-'))
    const path = join(dir, 'pictor.db')
    await sqliteStore(path).close()
    const db = new DatabaseSync(path)
    db.exec('UPDATE meta SET version=99')
    db.close()
    expect(() => sqliteStore(path)).toThrow(/version 99/)
    rmSync(dir, { recursive: true })
  })

  it('lets two processes share a file: the second sees what the first wrote, and a stale one is refused', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pictor-store-'))
    const path = join(dir, 'pictor.db')
    const [a, b] = [sqliteStore(path), sqliteStore(path)]
    const first = (await a.claim('0xaa', 'a', 1, 10))!
    await a.append('job:0xaa', first, 0, ['1'])
    const second = (await b.claim('0xaa', 'b', 100, 10))!
    await b.append('job:0xaa', second, 1, ['2'])
    await expect(a.append('job:0xaa', first, 2, ['3'])).rejects.toMatchObject({ code: 'stale-fence' })
    expect((await a.read('0xaa', 0, 10)).map((fact) => fact.body)).toEqual(['1', '2'])
    await a.close()
    await b.close()
    rmSync(dir, { recursive: true })
  })

  it('keeps nothing of an append that a full disk refuses, and goes on when there is room', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pictor-store-'))
    const path = join(dir, 'pictor.db')
    const store = sqliteStore(path, { maxPages: 40 })
    const fence = (await store.claim('0xaa', 'a', 1, 10))!
    await store.append('job:0xaa', fence, 0, ['first'])
    await expect(store.append('job:0xaa', fence, 1, ['x'.repeat(1_000_000)])).rejects.toMatchObject({ code: 'store-failed' })
    await store.append('job:0xaa', fence, 1, ['second'])
    expect((await store.read('0xaa', 0, 10)).map((fact) => fact.body)).toEqual(['first', 'second'])
    await store.close()
    rmSync(dir, { recursive: true })
  })

  describe('whose lock another process holds', () => {
    /** A process that stands still inside a transaction. */
    async function stoppedWriter(
      path: string,
    ): Promise<{ readonly pid: number; kill(signal: NodeJS.Signals): void; readonly gone: Promise<unknown> }> {
      const program = `const db = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(path)})
        process.on('SIGCONT', () => db.exec('COMMIT')); db.exec('BEGIN IMMEDIATE'); console.log('locked'); setTimeout(() => {}, 60_000)`
      const child = spawn(process.execPath, ['--no-warnings', '-e', program])
      await new Promise((resolve) => child.stdout.once('data', resolve))
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGSTOP')
      return { pid: child.pid!, kill: (signal) => void child.kill(signal), gone }
    }

    it.each(['SIGCONT', 'SIGKILL'] as const)('waits without blocking the event loop and writes after its %s', async (signal) => {
      const dir = mkdtempSync(join(tmpdir(), 'pictor-store-'))
      const path = join(dir, 'pictor.db')
      const store = sqliteStore(path)
      const fence = (await store.claim('0xaa', 'a', 1, 10))!
      const other = await stoppedWriter(path)
      let turns = 0
      const turning = setInterval(() => turns++, 20)
      const second = sqliteStore(path)
      const appended = Promise.all([store.append('job:0xaa', fence, 0, ['1']), store.append('job:0xaa', fence, 1, ['2'])])
      expect(await second.read('0xaa', 0, 10)).toEqual([])
      setTimeout(() => other.kill(signal), 800)
      await appended
      clearInterval(turning)
      expect(turns).toBeGreaterThan(2)
      expect((await second.read('0xaa', 0, 10)).map((fact) => fact.body)).toEqual(['1', '2'])
      other.kill('SIGKILL')
      await store.close()
      await second.close()
      rmSync(dir, { recursive: true })
    })

    it('refuses after its patience with the holder in the message, and keeps nothing', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'pictor-store-'))
      const path = join(dir, 'pictor.db')
      const store = sqliteStore(path, { busyMs: 300 })
      const fence = (await store.claim('0xaa', 'a', 1, 10))!
      const other = await stoppedWriter(path)
      const refusal = await store.append('job:0xaa', fence, 0, ['1']).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(refusal).toMatchObject({ code: 'store-failed', retryable: true })
      if (existsSync('/proc/locks')) {
        expect(refusal).toMatchObject({ details: { holder: { pid: other.pid, stopped: true } } })
        expect(String(refusal)).toContain(`kill -CONT ${other.pid}`)
      }
      other.kill('SIGKILL')
      await other.gone
      await store.append('job:0xaa', fence, 0, ['again'])
      expect((await store.read('0xaa', 0, 10)).map((fact) => fact.body)).toEqual(['again'])
      await store.close()
      rmSync(dir, { recursive: true })
    })
  })
})

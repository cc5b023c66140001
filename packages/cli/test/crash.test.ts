import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene, startPictor, temporaryFolder, type Finished } from './cli.ts'

if (!blender) console.log(`crash.test.ts is skipped: ${blenderReason}`)

const FRAMES = 12
const KILLS = 10

describe.skipIf(!blender)('kill -9 of the command line', () => {
  const folder = temporaryFolder()
  beforeAll(() => makeScene(join(folder.path, 'cube.blend')))
  afterAll(() => folder.remove())

  it(`at ${KILLS} points of a ${FRAMES}-frame job loses nothing, renders nothing accepted again and pays nothing twice`, async () => {
    const cwd = folder.path
    const options = ['--out', 'out', '--json']
    let running = startPictor(
      ['render', 'cube.blend', '--frames', `1-${FRAMES}`, '--deadline', '1h', '--budget', '5', ...options],
      { cwd },
    )
    const run = (JSON.parse(await running.seen(/"type":"run"/)) as { run: string }).run
    let result: Finished | undefined
    // Delays by a fixed sequence: it replays, and it spreads kills over locking, rendering, checking and paying.
    let seed = 20261124
    for (let i = 0; i < KILLS && result === undefined; i++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      const done = await Promise.race([
        running.finished,
        new Promise<undefined>((resolve) => setTimeout(resolve, 300 + (seed % 2200))),
      ])
      if (done) result = done
      else {
        running.kill('SIGKILL')
        await running.finished
        running = startPictor(['render', '--attach', run, ...options], { cwd })
      }
    }
    result ??= await running.finished
    expect(result.code, result.stdout.slice(-2000) + result.stderr).toBe(0)

    const delivered = readdirSync(join(cwd, 'out')).filter((name) => name.endsWith('.png') && name.startsWith('cube_'))
    expect(delivered).toHaveLength(FRAMES)
    const receipt = JSON.parse(readFileSync(join(cwd, 'out', 'receipt.json'), 'utf8')) as object
    for (const name of delivered) {
      const hash = createHash('sha256')
        .update(readFileSync(join(cwd, 'out', name)))
        .digest('hex')
      expect(JSON.stringify(receipt)).toContain(hash)
    }
    expect(paidTwice(join(cwd, '.pictor'))).toEqual([])
    expect(integrity(join(cwd, '.pictor', 'pictor.db'))).toBe('ok')
    expect(orphans(cwd)).toEqual([])
  })
})

/** Batches that the local book released more than once. */
function paidTwice(stateDir: string): string[] {
  const path = join(stateDir, 'ledger.db')
  if (!existsSync(path)) return ['the ledger is missing']
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const rows = db.prepare('SELECT * FROM entries').all() as Record<string, unknown>[]
    const released = rows.map((row) => JSON.stringify(row)).filter((text) => text.includes('released'))
    return released.filter((text, i) => released.indexOf(text) !== i)
  } finally {
    db.close()
  }
}

function integrity(path: string): unknown {
  const db = new DatabaseSync(path)
  try {
    return Object.values(db.prepare('PRAGMA integrity_check').get()!)[0]
  } finally {
    db.close()
  }
}

/** Blender processes that still work in the folder. */
function orphans(cwd: string): string[] {
  const list = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout.split('\n')
  return list.filter((line) => line.includes(cwd) && /blender/i.test(line))
}

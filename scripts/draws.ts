// What the tests draw: the same in every run. Another PICTOR_TEST_SEED draws anew, and replays what failed at that seed; `pnpm campaign steady 10 drawn` goes through many of them.
// A set-up file of vitest (vitest.config.ts), and imported by the tests that need keys, secrets or bytes.
import { hash } from 'node:crypto'
import * as fc from 'fast-check'
import { beforeEach } from 'vitest'

const seed = Number(process.env['PICTOR_TEST_SEED'] ?? 1)
fc.configureGlobal({ seed })

/** The test that draws, so that it draws the same alone and beside others. */
let test = 'before the tests'
let draws = 0

beforeEach(({ task, onTestFailed }) => {
  ;[test, draws] = [task.name, 0]
  onTestFailed(() => console.error(`replay with PICTOR_TEST_SEED=${seed}`))
})

/** So many bytes. */
export function drawnBytes(count: number): Buffer {
  const draw = `${seed} ${test} ${draws++}`
  const blocks = Array.from({ length: Math.ceil(count / 32) }, (_, i) => hash('sha256', `${draw} ${i}`, 'buffer'))
  return Buffer.concat(blocks, count)
}

/** A private key, or any other secret of 32 bytes. */
export const drawnKey = (): `0x${string}` => `0x${drawnBytes(32).toString('hex')}`

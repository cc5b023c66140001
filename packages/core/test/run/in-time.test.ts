import { describe, expect, it } from 'vitest'
import { memoryArtifacts } from '../../src/artifacts/memory.ts'
import type { Artifacts } from '../../src/contract/artifacts.ts'
import { artifactsInTime, inTime } from '../../src/run/in-time.ts'
import { virtualClock } from '../../src/simulate/clock.ts'

const LIMIT_MS = 1_000
const HASH = `0x${'0'.repeat(64)}` as const
const never = new Promise<never>(() => {})

/** Pieces that come `everyMs` apart; the last one never does when `hangs`. */
async function* pieces(clock: { sleep(ms: number): Promise<void> }, count: number, everyMs: number, hangs = false) {
  for (let k = 0; k < count; k++) {
    await clock.sleep(everyMs)
    yield Uint8Array.of(k)
  }
  if (hangs) await never
}

function world(artifacts: Partial<Artifacts>) {
  const clock = virtualClock(0)
  const closing = new AbortController()
  const timed = artifactsInTime({ ...memoryArtifacts(), ...artifacts }, inTime(clock, LIMIT_MS, closing.signal))
  /** When it ended, and how. */
  const end = async (act: () => Promise<unknown>): Promise<readonly [string, number]> => {
    let ended: readonly [string, number] | undefined
    act().then(
      () => (ended = ['done', clock.now()]),
      (error: Error) => (ended = [error.message, clock.now()]),
    )
    await clock.run(() => ended !== undefined)
    return ended ?? ['nobody waits any more', clock.now()]
  }
  return { clock, closing, timed, end }
}

async function gather(stream: AsyncIterable<Uint8Array>): Promise<number[]> {
  const all: number[] = []
  for await (const piece of stream) all.push(...piece)
  return all
}

describe('artifacts in time', () => {
  it('keep writing and streaming in pieces, and only where the artifacts can', async () => {
    expect(world({}).timed).not.toHaveProperty('write')
    expect(world({}).timed).not.toHaveProperty('stream')
    const { clock, timed, end } = world({
      write: async (chunks) => ({ hash: HASH, bytes: (await gather(chunks)).length }),
      stream: () => pieces(clock, 5, 900),
    })
    // Longer than the limit in all, never between two pieces.
    expect(await end(() => timed.write!(pieces(clock, 5, 900)))).toEqual(['done', 4_500])
    expect(await end(async () => expect(await gather(timed.stream!(HASH))).toEqual([0, 1, 2, 3, 4]))).toEqual(['done', 9_000])
  })

  it('give up what stands still, a quarter of the limit late at most', async () => {
    for (const phaseMs of [1, 100, 240]) {
      const { clock, timed, end } = world({
        has: () => never,
        write: (chunks) => gather(chunks).then(() => never),
        stream: () => pieces(clock, 2, 100, true),
      })
      // The timer already ticks for another call.
      void timed.has(HASH).catch(() => {})
      await end(() => clock.sleep(phaseMs))
      for (const [act, movedMs] of [
        [() => timed.has(HASH), 0],
        [() => timed.write!(pieces(clock, 2, 100)), 200],
        [() => gather(timed.stream!(HASH)), 200],
      ] as const) {
        const fromMs = clock.now() + movedMs
        const [how, atMs] = await end(act)
        expect(how).toContain('no answer within 1000 ms')
        expect(atMs - fromMs).toBeGreaterThanOrEqual(LIMIT_MS)
        expect(atMs - fromMs).toBeLessThanOrEqual(1.25 * LIMIT_MS)
      }
    }
  })

  it('count nothing while the reader is busy', async () => {
    const { clock, timed, end } = world({ stream: () => pieces(clock, 3, 10) })
    const slowReader = async () => {
      for await (const _ of timed.stream!(HASH)) await clock.sleep(10 * LIMIT_MS)
    }
    expect((await end(slowReader))[0]).toBe('done')
  })

  it('leave no timer behind once they are closed', async () => {
    const { clock, closing, timed } = world({ has: async () => true })
    await timed.has(HASH)
    closing.abort()
    expect(clock.sleepers).toBe(0)
  })
})

import fc from 'fast-check'
import { Keyv } from 'keyv'
import { describe, expect, it } from 'vitest'
import { memoryCache, memoOver, type Cache, type Memo } from '../../src/cache/index.ts'
import { simulatedCache } from '../../src/simulate/cache.ts'
import { virtualClock } from '../../src/simulate/index.ts'

const isNumber = (value: unknown): value is bigint => typeof value === 'bigint'
const ask = (memo: Memo, name: string, make: () => Promise<bigint>, ttlMs = 1000) =>
  memo.recall({ name, is: isNumber, ttlMs: () => ttlMs, make })

describe('a memo', () => {
  it.each<[string, () => Cache]>([
    ['a Map', () => new Map()],
    ['a Keyv', () => new Keyv<string>()],
  ])('over %s gives a value back until its time is over, by its own clock', async (_, cache) => {
    const clock = virtualClock()
    const memo = memoOver(cache(), clock)
    let made = 0n
    const make = async () => ++made
    expect(await ask(memo, 'a', make)).toEqual({ value: 1n, remembered: false })
    clock.jump(999)
    expect(await ask(memo, 'a', make)).toEqual({ value: 1n, remembered: true })
    clock.jump(1)
    expect(await ask(memo, 'a', make)).toEqual({ value: 2n, remembered: false })
    await memo.forget('a')
    expect((await ask(memo, 'a', make)).value).toBe(3n)
    expect((await memo.recall({ name: 'a', is: isNumber, ttlMs: () => 1000, make, fresh: true })).value).toBe(4n)
  })

  it('gives exactly what a call made within its time, whatever becomes of the cache', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.record({ name: fc.constantFrom('a', 'b'), waitMs: fc.integer({ min: 0, max: 3000 }) }), { maxLength: 60 }),
        async (seed, steps) => {
          const clock = virtualClock()
          const memo = memoOver(simulatedCache(seed, { forgets: 0.3, fails: 0.3, garbage: 0.3, hangs: 0.1 }), clock)
          const made = new Map<string, number>() // `name value` -> when it was made
          let count = 0n
          let steady = true
          const all = (async () => {
            for (const { name, waitMs } of steps) {
              await clock.sleep(waitMs)
              const askedAtMs = clock.now()
              const { value } = await ask(memo, name, async () => {
                made.set(`${name} ${++count}`, clock.now())
                return count
              })
              const atMs = made.get(`${name} ${value}`)
              // Made by a call for this name, and not too old when it was asked for (a slow cache may take two seconds to answer).
              steady &&= atMs !== undefined && askedAtMs - atMs < 1000 + 2000
            }
          })()
          let over = false
          void all.then(() => (over = true))
          expect(await clock.run(() => over, { maxSteps: 10_000 })).toBe(true)
          expect(steady).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('makes a thing once for callers at the same time, and again for those whose maker failed', async () => {
    const memo = memoOver(new Map(), virtualClock())
    let made = 0
    const slow = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      if (++made === 1) throw new Error('aborted')
      return 7n
    }
    const [first, second, third] = await Promise.allSettled([ask(memo, 'a', slow), ask(memo, 'a', slow), ask(memo, 'a', slow)])
    expect(first.status).toBe('rejected')
    expect(second).toMatchObject({ status: 'fulfilled', value: { value: 7n } })
    expect(third).toMatchObject({ status: 'fulfilled', value: { value: 7n } })
    expect(made).toBe(2)
  })
})

it('the default cache forgets what was set first instead of growing', () => {
  const cache = memoryCache(2)
  for (const key of ['a', 'b', 'a', 'c']) cache.set(key, key)
  expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual(['a', undefined, 'c'])
})

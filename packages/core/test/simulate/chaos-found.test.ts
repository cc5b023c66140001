import { describe, expect, it } from 'vitest'
import { chaosJob } from '../../src/simulate/chaos.ts'

/** Seeds at which the long campaign (`pnpm campaign simulate`) found a bug of the machine, and the bug. */
const FOUND: readonly (readonly [seed: number, bug: string])[] = [
  [1_003_978, 'a lease given back was ordered twice at a farm that cannot find orders by key, when the process died in between'],
  [1_008_471, 'a refusal posted to the keeper of a farm journal who had just died was read by nobody'],
]

describe('seeds that once broke a promise', () => {
  it.each(FOUND)('%i: %s', async (seed) => {
    expect((await chaosJob(seed)).broken).toEqual([])
  })
})

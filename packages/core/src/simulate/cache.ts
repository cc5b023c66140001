import type { Cache } from '../cache/index.ts'
import { seededRandom } from './random.ts'

/** How often a simulated cache misbehaves at a read, as probabilities (0.2, 0.1, 0.05, 0.01). */
export interface CacheFaults {
  readonly forgets?: number
  readonly fails?: number
  readonly garbage?: number
  /** Never answers. */
  readonly hangs?: number
}

/** A cache that loses entries, throws, answers nonsense or not at all. Whoever relies on it for more than speed breaks. */
export function simulatedCache(
  seed: number,
  { forgets = 0.2, fails = 0.1, garbage = 0.05, hangs = 0.01 }: CacheFaults = {},
): Cache {
  const random = seededRandom(seed)
  const entries = new Map<string, string>()
  const trouble = (): void => {
    if (random.chance(fails)) throw new Error('the simulated cache fails')
  }
  return {
    async get(name) {
      trouble()
      if (random.chance(hangs)) return new Promise<never>(() => {})
      if (random.chance(garbage)) return random.pick(['', '{', '{"v":1,"untilMs":9e15,"value":7}', 12, null])
      if (random.chance(forgets)) entries.delete(name)
      return entries.get(name)
    },
    async set(name, value) {
      trouble()
      entries.set(name, value)
    },
    async delete(name) {
      trouble()
      entries.delete(name)
    },
  }
}

import * as fc from 'fast-check'
import { test as vitestTest } from 'vitest'

export { fc }

/** A test that must hold for values drawn from `arbitraries`. */
export function test<T extends [unknown, ...unknown[]]>(
  name: string,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...values: T) => void | Promise<void>,
  numRuns = 100,
): void {
  vitestTest(name, async () => {
    await fc.assert(
      fc.asyncProperty(...(arbitraries as [fc.Arbitrary<unknown>]), async (...values: unknown[]) => holds(...(values as T))),
      { numRuns },
    )
  })
}

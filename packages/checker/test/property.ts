import * as fc from 'fast-check'
import { test as vitestTest } from 'vitest'

export { fc }

/** A test that must hold for values drawn from `arbitraries`. */
export function test<T extends [unknown, ...unknown[]]>(
  name: string,
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...values: T) => void,
  numRuns = 100,
): void {
  vitestTest(name, () => {
    fc.assert(
      fc.property(...(arbitraries as [fc.Arbitrary<unknown>]), (...values: unknown[]) => holds(...(values as T))),
      { numRuns },
    )
  })
}

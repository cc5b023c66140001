import { describe, it } from 'vitest'
import { farmConformance } from '../../src/conformance/index.ts'
import { smallFarm, supports } from './small-farm.ts'

describe('a small farm keeps the rules', () => {
  for (const { name, skip, run } of farmConformance({ supports, make: smallFarm }))
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} (${skip})`, run)
})

import { describe, it } from 'vitest'
import { farmConformance, type FarmSupports } from '@pictor/core/conformance'
import { supports as small } from '../../core/test/conformance/small-farm.ts'
import { remoteSubject } from './served.ts'

const supports: FarmSupports = { ...small, http: true }

describe('a farm behind a real server keeps the rules', () => {
  for (const { name, skip, run } of farmConformance({ supports, make: (wish) => remoteSubject(wish) }))
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} (${skip})`, run)
})

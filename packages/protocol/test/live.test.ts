import { describe, it } from 'vitest'
import { farmConformance } from '@pictor/core/conformance'
import { supports } from '../../core/test/conformance/small-farm.ts'
import { remoteSubject } from './served.ts'

// A silent stream is waited for longer than a busy machine takes to answer. Faults of the network are conformance.test.ts's: the same client, and seconds of waiting.
describe('a farm behind a real server keeps the rules, also with an event stream', () => {
  for (const { name, skip, run } of farmConformance({
    supports,
    make: (wish) => remoteSubject(wish, { live: true, liveWaitMs: 200 }),
  }))
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} (${skip})`, run)
})

import { expect, it } from 'vitest'
import type { Farm } from '@pictor/core/contract'
import { systemClock } from '../../core/src/run/index.ts'
import { simulatedWorld, type VirtualClock } from '../../core/src/simulate/index.ts'
import { remoteFarm } from '../src/index.ts'
import { served, TOKEN } from './served.ts'

it('a runner leaves a real server alone for as long as its 429 asks, with every call', async () => {
  const at = simulatedWorld({
    name: 'rate limited',
    frames: 12,
    clock: systemClock() as VirtualClock,
    farms: [{ id: 'one', slots: 8, msPerWork: 5, pollMs: 20 }],
    checkers: [{ id: 'a', pollMs: 20, workMs: 1 }],
    quorum: 1,
    ledger: { pollMs: 20 },
    order: { leaseMs: 10, options: { batchWaitMs: 20 } },
    tuning: { pollMinMs: 5, retryMs: 20 },
  })
  const { server, close } = await served(at.farms.get('one') as Farm, { files: at.artifacts, rate: { perSecond: 20, burst: 20 } })
  let [restFromMs, restUntilMs] = [0, 0]
  let refused = 0
  const early: string[] = []
  const watched: typeof fetch = async (input, init) => {
    const now = performance.now()
    // What goes out while the answer is being read crosses it on the way.
    if (now < restUntilMs && now > restFromMs) early.push(`${init?.method ?? 'GET'} ${Math.round(restUntilMs - now)} ms early`)
    const answer = await fetch(input, init)
    if (answer.status === 429) {
      refused++
      restFromMs = performance.now() + 300
      restUntilMs = performance.now() + 1_000 * Number(answer.headers.get('retry-after')) - 50
    }
    return answer
  }
  const farm = remoteFarm({ id: 'one', url: server.url, token: TOKEN, fetch: watched })
  const runner = at.runner('a', { farms: () => farm })
  const run = await runner.submit(at.order)
  const { outcome } = await run.done()
  await runner.close()
  await close()
  expect({ outcome, early }).toEqual({ outcome: 'done', early: [] })
  expect(refused).toBeGreaterThan(0)
})

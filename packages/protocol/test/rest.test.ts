import { setImmediate as turn } from 'node:timers/promises'
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
  const { server, close } = await served(at.farms.get('one') as Farm, { files: at.artifacts, rate: { perSecond: 4, burst: 4 } })
  let restUntilMs = 0
  let refused = 0
  const early: string[] = []
  const watched: typeof fetch = async (input, init) => {
    const now = performance.now()
    if (now < restUntilMs) early.push(`${init?.method ?? 'GET'} ${Math.round(restUntilMs - now)} ms early`)
    const answer = await fetch(input, init)
    if (answer.status !== 429) return answer
    refused++
    const untilMs = performance.now() + 1_000 * Number(answer.headers.get('retry-after')) - 50
    // The runner has read the answer some turns of the event loop after it has all of it; what goes out until then crosses it on the way.
    const body = await answer.arrayBuffer()
    void turns(20).then(() => (restUntilMs = untilMs))
    return new Response(body, { status: 429, headers: answer.headers })
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

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

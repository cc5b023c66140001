import { http, HttpResponse } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { farmConformance, Network, type FarmSubject, type FarmSupports } from '@pictor/core/conformance'
import type { Farm, FarmEvent, TaskRef } from '@pictor/core/contract'
import { encodePng } from '@pictor/image'
import { smallFarm, smallTask, supports as small } from '../../../core/test/conformance/small-farm.ts'
import { operatorSubject } from '../../../protocol/test/operator-subject.ts'
import { served, TOKEN } from '../../../protocol/test/served.ts'
import { rebusFarm, REBUSFARM_PRICES } from '../src/index.ts'

const picture = (width: number, height: number, frame: number) =>
  encodePng(width, height, 4, new Uint8Array(width * height * 4).fill(frame))

const byHand: FarmSupports = {
  lane: 'desktop',
  scenarios: ['failing-frame'],
  priorityOnlyBeforeStart: true,
  capabilities: {
    cancelQueued: 'manual',
    cancelRunning: 'manual',
    hold: 'manual',
    priority: 'manual',
    tiles: 'none',
    samples: 'none',
    windows: 'none',
    partialOutputs: 'emulated',
    resumeDownload: 'native',
    bindingQuote: 'none',
  },
}

for (const lane of ['desktop', 'manual'] as const)
  describe(`the ${lane} lane keeps the rules`, () => {
    const host = { rating: 2_400, hosts: 20 }
    const make = (wish: Parameters<typeof operatorSubject>[0]) =>
      operatorSubject(wish, { picture, make: (options) => rebusFarm({ lane, host, ...options }) })
    for (const { name, skip, run } of farmConformance({ supports: { ...byHand, lane }, make }))
      it.skipIf(skip !== undefined)(name, run)
  })

/** The partner lane against a gateway that behaves as RebusFarm documents it. */
async function gateway(scenario: 'plain' | 'payment-gate' = 'plain'): Promise<FarmSubject & { farm: Farm }> {
  const inner = await smallFarm({ scenario, network: new Network() })
  const { server, close } = await served(inner.farm)
  return { ...inner, farm: rebusFarm({ lane: 'partner', url: server.url, token: TOKEN }), close }
}

describe('the partner lane keeps the rules', () => {
  const cases = farmConformance({
    supports: { ...small, lane: 'partner', http: true },
    make: async (wish) => {
      const inner = await smallFarm(wish)
      const { server, close } = await served(inner.farm)
      return { ...inner, farm: rebusFarm({ lane: 'partner', url: server.url, token: TOKEN, fetch: wish.network.fetch() }), close }
    },
  })
  for (const { name, skip, run } of cases) it.skipIf(skip !== undefined)(name, run)
})

async function running(subject: FarmSubject): Promise<{ ref: TaskRef; events: () => Promise<readonly FarmEvent[]> }> {
  const { farm, job, files } = subject
  const ctx = { key: 'k' }
  const stage = await farm.stage(job.bundle, files, ctx)
  const ref = await farm.submit(smallTask(job, stage, [1, 2, 3], 'probe'), ctx)
  for (let i = 0; i < 3; i++) await subject.advance!(1)
  return { ref, events: async () => (await farm.poll({}, ctx)).events }
}

const ctx = { key: 'change' }
const states = (events: readonly FarmEvent[]) => events.flatMap((event) => (event.type === 'state' ? [event.state] : []))

describe('what RebusFarm documents', () => {
  it('a pause is not at once: the task is pausing before it is suspended', async () => {
    const subject = await gateway()
    const { ref, events } = await running(subject)
    expect(await subject.farm.set(ref, { desired: 'hold' }, ctx)).toBe('accepted')
    await subject.advance!(1)
    expect(states(await events()).slice(-2)).toEqual(['pausing', 'suspended'])
    await subject.close!()
  })

  it('a cancel is final: frames that were rendered stay rendered, and nothing brings the task back', async () => {
    const subject = await gateway()
    const { ref, events } = await running(subject)
    await subject.farm.set(ref, { desired: 'cancel' }, ctx)
    await subject.advance!(1)
    await subject.farm.set(ref, { desired: 'run' }, { key: 'again' })
    await subject.advance!(1)
    const all = await events()
    expect(states(all).at(-1)).toBe('canceled')
    expect(all.find((event) => event.type === 'canceled')).toMatchObject({ framesDone: [1] })
    await subject.close!()
  })

  it('priority can be changed only before rendering starts', async () => {
    const subject = await gateway()
    const { ref } = await running(subject)
    expect(await subject.farm.set(ref, { priority: 1 }, ctx)).toMatchObject({ refused: true, reason: 'started' })
    await subject.close!()
  })

  it('pictures are locked until the rest is paid', async () => {
    const subject = await gateway('payment-gate')
    const { events } = await running(subject)
    const output = (await events()).find((event) => event.type === 'output')!.output
    expect(await subject.farm.open(output, { offset: 0 }, ctx)).toEqual({ unavailable: 'payment' })
    await subject.pay!()
    expect(await subject.farm.open(output, { offset: 0 }, ctx)).toMatchObject({ bytes: output.bytes })
    await subject.close!()
  })
})

describe('at the network boundary', () => {
  const network = setupServer()
  beforeAll(() => network.listen({ onUnhandledFrame: 'bypass' }))
  afterAll(() => network.close())
  it('the partner lane calls nothing but the gateway, with its token, and passes refusals on', async () => {
    const seen: string[] = []
    network.use(
      http.all('https://*', ({ request }) => {
        seen.push(`${new URL(request.url).host} ${request.headers.get('authorization')}`)
        return HttpResponse.json(
          { error: { code: 'farm-refused', message: 'in arrears', details: { class: 'payment' } } },
          { status: 422 },
        )
      }),
    )
    const farm = rebusFarm({ lane: 'partner', url: 'https://gateway.example', token: TOKEN })
    await expect(farm.describe(ctx)).rejects.toMatchObject({ code: 'farm-refused', details: { class: 'payment' } })
    expect(seen).toEqual([`gateway.example Bearer ${TOKEN}`])
  })
})

describe('prices', () => {
  const quote = async (options: object) => {
    const subject = await operatorSubject(
      { scenario: 'plain', network: new Network() },
      { picture, make: (folders) => rebusFarm({ lane: 'desktop', ...folders, ...options }) },
    )
    const estimate = { work: [1], low: 1, high: 1, classes: [{ id: 'a', memoryMiB: 1 }], basis: [], probeMs: 0 }
    const answer = await subject.farm.quote({ spec: subject.job, estimate, atMs: Date.now() }, { key: 'q' })
    await subject.close!()
    return answer
  }
  it('are left empty where nobody published them: CPU and unrated hosts are declined, and the message says what to give', async () => {
    expect(REBUSFARM_PRICES.find(({ device }) => device === 'cpu')).not.toHaveProperty('rate')
    expect(await quote({ device: 'cpu' })).toMatchObject({
      kind: 'decline',
      reason: 'policy',
      message: expect.stringContaining('`prices`') as string,
    })
    expect(await quote({})).toMatchObject({ kind: 'decline', message: expect.stringContaining('`host.rating`') as string })
  })
  it('of the third party are marked as such, with their age', async () => {
    const answer = await quote({ host: { rating: 2_000, hosts: 5 } })
    if (answer.kind !== 'quote') throw new Error(answer.message)
    expect(answer.offers[0]!.price.perHostHour).toBe(9_000_000n)
    expect(answer.basis.join('\n')).toMatch(/trust B[\s\S]*warning: .* days old/)
    expect(answer.basis.join('\n')).toContain('prepay')
  })
})

describe('honesty', () => {
  it('the adapter says that there is no public API and how it was verified', async () => {
    const subject = await gateway()
    expect(await subject.farm.describe(ctx)).toMatchObject({
      name: 'RebusFarm',
      lane: 'partner',
      verification: 'contract-simulated',
      ext: { rebusfarm: { apiVisibility: 'none', affiliated: false } },
    })
    await subject.close!()
  })
})

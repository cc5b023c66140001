import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { farmConformance, Network, type FarmSupports } from '@pictor/core/conformance'
import { isPictorError } from '@pictor/core/contract'
import { encodePng } from '@pictor/image'
import { smallFarm, supports as small } from '../../../core/test/conformance/small-farm.ts'
import { operatorSubject } from '../../../protocol/test/operator-subject.ts'
import { served, TOKEN } from '../../../protocol/test/served.ts'
import { garageFarm, GARAGEFARM_PRICES } from '../src/index.ts'

const picture = (width: number, height: number, frame: number) =>
  encodePng(width, height, 4, new Uint8Array(width * height * 4).fill(frame))

const byHand: FarmSupports = {
  lane: 'desktop',
  scenarios: ['failing-frame'],
  capabilities: {
    cancelQueued: 'manual',
    cancelRunning: 'manual',
    hold: 'none',
    priority: 'none',
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
    const make = (wish: Parameters<typeof operatorSubject>[0]) =>
      operatorSubject(wish, { picture, make: (options) => garageFarm({ lane, ...options }) })
    for (const { name, skip, run } of farmConformance({ supports: { ...byHand, lane }, make }))
      it.skipIf(skip !== undefined)(name, run)
  })

describe('the partner lane keeps the rules', () => {
  const supports: FarmSupports = { ...small, lane: 'partner', http: true }
  const cases = farmConformance({
    supports,
    make: async (wish) => {
      const inner = await smallFarm(wish)
      const { server, close } = await served(inner.farm)
      return {
        ...inner,
        farm: garageFarm({ lane: 'partner', url: server.url, token: TOKEN, fetch: wish.network.fetch() }),
        close,
      }
    },
  })
  for (const { name, skip, run } of cases) it.skipIf(skip !== undefined)(name, run)
})

describe('at the network boundary', () => {
  const network = setupServer()
  beforeAll(() => network.listen({ onUnhandledFrame: 'bypass' }))
  afterEach(() => network.resetHandlers())
  afterAll(() => network.close())

  it('the partner lane calls nothing but the gateway, and passes its refusals on', async () => {
    const seen: string[] = []
    network.use(
      http.all('*', ({ request }) => {
        seen.push(new URL(request.url).host)
        return HttpResponse.json(
          { error: { code: 'farm-refused', message: 'no balance', details: { class: 'payment' } } },
          { status: 422 },
        )
      }),
    )
    const farm = garageFarm({ lane: 'partner', url: 'https://gateway.example', token: TOKEN })
    const error = await farm.describe({ key: 'k' }).catch((cause: unknown) => cause)
    expect(isPictorError(error, 'farm-refused') && error.details['class']).toBe('payment')
    expect(seen).toEqual(['gateway.example'])
  })

  it('the human lanes call nobody', async () => {
    const seen: string[] = []
    network.use(
      http.all('*', ({ request }) => {
        seen.push(request.url)
        return HttpResponse.error()
      }),
    )
    const subject = await operatorSubject(
      { scenario: 'plain', network: new Network() },
      { picture, make: (options) => garageFarm({ lane: 'desktop', ...options }) },
    )
    await subject.farm.stage(subject.job.bundle, subject.files, { key: 'k' })
    await subject.farm.poll({}, { key: 'k' })
    await subject.close!()
    expect(seen).toEqual([])
  })
})

describe('prices', () => {
  const quote = async (options: Partial<Parameters<typeof garageFarm>[0]> = {}) => {
    const subject = await operatorSubject(
      { scenario: 'plain', network: new Network() },
      { picture, make: (folders) => garageFarm({ lane: 'desktop', ...folders, ...(options as object) }) },
    )
    const estimate = { work: [1], low: 1, high: 1, classes: [{ id: 'a', memoryMiB: 1 }], basis: [], probeMs: 0 }
    const answer = await subject.farm.quote({ spec: subject.job, estimate, atMs: Date.now() }, { key: 'q' })
    await subject.close!()
    return answer
  }
  it('are the published ones, with source, date and trust, and nothing is made up', async () => {
    const answer = await quote()
    if (answer.kind !== 'quote') throw new Error(answer.message)
    expect(answer.offers.map(({ tier, hosts, price }) => [tier, hosts, price.perHostHour])).toEqual([['low', 100, 1_320_000n]])
    for (const { source, asOf, trust } of GARAGEFARM_PRICES)
      expect([source.startsWith('https://'), Number.isFinite(Date.parse(asOf)), trust]).toEqual([true, true, 'A'])
  })
  it('can be overridden, tier by tier', async () => {
    const answer = await quote({ lane: 'desktop', device: 'gpu', prices: { low: '0.0050', high: '0.01' } })
    if (answer.kind !== 'quote') throw new Error(answer.message)
    expect(answer.offers.map(({ tier, hosts, price }) => [tier, hosts, price.perHostHour])).toEqual([
      ['low', 10, 10_000_000n],
      ['high', 50, 20_000_000n],
    ])
    expect(answer.basis.join()).toContain('trust own')
  })
  it('warn when they are old', async () => {
    const answer = await quote({ lane: 'desktop', now: () => Date.parse('2027-06-01') })
    expect(answer.kind === 'quote' && answer.basis.some((line) => /warning: .* 191 days old/.test(line))).toBe(true)
  })
})

describe('honesty', () => {
  it('the adapter says that there is no public API and how it was verified', async () => {
    const subject = await operatorSubject(
      { scenario: 'plain', network: new Network() },
      { picture, make: (options) => garageFarm({ lane: 'manual', ...options }) },
    )
    expect(await subject.farm.describe({ key: 'd' })).toMatchObject({
      lane: 'manual',
      verification: 'contract-simulated',
      ext: { garagefarm: { apiVisibility: 'none', affiliated: false } },
    })
    await subject.close!()
  })
})

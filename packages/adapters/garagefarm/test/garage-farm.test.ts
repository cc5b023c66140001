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

describe('prices', () => {
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

describe('physical and logical cores', () => {
  const reference = { ghz: 3.5, physicalCores: 16, logicalCores: 32 }
  const msPerWork = async (options: object) => {
    const answer = await quote({ lane: 'desktop', reference, ...options })
    if (answer.kind !== 'quote') throw new Error(answer.message)
    return { ms: answer.offers[0]!.msPerWork[0]!, basis: answer.basis.join('\n') }
  }
  it('a farm that counts logical cores needs twice the GHz-hours of one that counts physical ones', async () => {
    const [physical, logical] = [await msPerWork({ coreCount: 'physical' }), await msPerWork({ coreCount: 'logical' })]
    expect(physical.ms).toBeCloseTo((1_000 * 3.5 * 16) / 55)
    expect(logical.ms).toBeCloseTo(2 * physical.ms)
  })
  it('while nobody knows, the dearer reading is taken, and the quote says so', async () => {
    const { ms, basis } = await msPerWork({})
    expect(ms).toBeCloseTo((1_000 * 3.5 * 32) / 55)
    expect(basis).toMatch(/does not publish which cores it counts.* 50 % of it/)
  })
})

describe('options that cannot be meant', () => {
  it.each([
    [{ lane: 'desk' }, 'lane'],
    [{ folder: '' }, 'folder'],
    [{ folder: undefined }, 'folder'],
    [{ downloads: 5 }, 'downloads'],
    [{ device: 'tpu' }, 'device'],
    [{ prices: { low: 0.02 } }, 'prices.low'],
    [{ prices: { low: '-1' } }, 'prices.low'],
    [{ prices: { low: '0.000' } }, 'prices.low'],
    [{ prices: { cheap: '1' } }, 'prices.cheap'],
    [{ host: { rating: 0, hosts: 1 } }, 'host.rating'],
    [{ host: { rating: 55, hosts: 1.5 } }, 'host.hosts'],
    [{ reference: NaN }, 'reference'],
    [{ reference: { ghz: 3, physicalCores: 0, logicalCores: 2 } }, 'reference.physicalCores'],
    [{ reference: { ghz: 3, physicalCores: 1, logicalCores: 2 }, device: 'gpu' }, 'reference'],
    [{ coreCount: 'both' }, 'coreCount'],
    [{ scanMs: -1 }, 'scanMs'],
  ])('%j is refused at %s before anything is written', (options, path) => {
    const make = () => garageFarm({ lane: 'desktop', folder: '/nowhere', ...options } as Parameters<typeof garageFarm>[0])
    expect(make).toThrow(expect.objectContaining({ code: 'invalid-input', details: { path } }) as Error)
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

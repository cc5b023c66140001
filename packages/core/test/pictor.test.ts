import { describe, expect, it } from 'vitest'
import {
  createPictor,
  memoryStore,
  money,
  signedRates,
  usd,
  type Farm,
  type Money,
  type Pictor,
  type PictorOptions,
  type Plan,
  type RateQuote,
  type RateSource,
} from '../src/index.ts'
import { drawnKey } from '../../../scripts/draws.ts'
import { memoryArtifacts } from '../src/artifacts/index.ts'
import { privateKeySigner, quoteHashOf, signRate } from '../src/proof/index.ts'
import { simulatedChecker, simulatedFarm, simulatedLedger, simulatedSigner, virtualClock } from '../src/simulate/index.ts'
import { simulatedInspector } from './simulated-inspector.ts'

const clock = virtualClock()

const farm = (id: string): Farm => simulatedFarm({ id, clock, msPerWork: 1000 })

const pictorOf = (farms: readonly Farm[] | (() => readonly Farm[]), more: Partial<PictorOptions> = {}) =>
  createPictor({
    inspector: simulatedInspector({ frames: '1-10', width: 64, height: 48 }),
    farms,
    checkers: [simulatedChecker({ id: 'checker', clock })],
    signer: simulatedSigner('creator'),
    ledger: simulatedLedger({ clock }),
    store: memoryStore(),
    artifacts: memoryArtifacts(),
    clock,
    ...more,
  })

describe('the farms of a Pictor', () => {
  it('may be a function, which is asked again at every plan', async () => {
    const farms = [farm('one')]
    const pictor = pictorOf(() => [...farms])
    const quoted = async (): Promise<string[]> => {
      let settled = false
      const plans = pictor.plan({ scene: 'scene.blend', deadline: '4h', budget: usd('10') }).finally(() => (settled = true))
      await clock.run(() => settled, { maxSteps: 10_000 })
      return (await plans).cheapest.quotes.map((quote) => quote.farm)
    }
    expect(await quoted()).toEqual(['one'])
    farms.push(farm('two'))
    expect((await quoted()).toSorted()).toEqual(['one', 'two'])
    await pictor[Symbol.asyncDispose]()
  })

  it('are refused by name when two have one id or one speaks another contract', () => {
    expect(() => pictorOf([farm('one'), farm('one')])).toThrow(/farms\[1\]\.id.*"one"/)
    expect(() => pictorOf([{ ...farm('old'), contract: 0 as 1 }])).toThrow(/farms\[0\] \(old\): contract 0/)
  })
})

describe('the terms of a job', () => {
  it('leave room for a farm a hundred times as dear as those planned, where the budget pays it, and for no other', async () => {
    const priced = (id: string, hourly: string): Farm => simulatedFarm({ id, clock, price: { perHostHour: usd(hourly).amount } })
    const pictor = pictorOf([priced('cheap', '0.05'), priced('dear', '5'), priced('beyond', '50000')])
    let settled = false
    const plans = pictor.plan({ scene: 'scene.blend', deadline: '4h', budget: usd('10') }).finally(() => (settled = true))
    await clock.run(() => settled, { maxSteps: 10_000 })
    const { cheapest } = await plans
    expect(cheapest.routes.map((route) => route.farm)).toEqual(['cheap'])
    const { terms } = await pictor.material((await pictor.submit(cheapest)).id)
    // A frame takes a second: .0014 USD at the dear farm, .000014 at the cheap one, 14 beyond.
    expect(Number(terms.frameCap) / 1e6).toBeGreaterThan(0.0014)
    expect(Number(terms.frameCap) / 1e6).toBeLessThan(0.01)
    await pictor[Symbol.asyncDispose]()
  })
})

describe('a deadline', () => {
  const refusal = async (deadline: string, frames: string): Promise<unknown> => {
    const pictor = pictorOf([farm('one')])
    let settled = false
    const answer = pictor
      .plan({ scene: 'scene.blend', deadline, frames, budget: usd('10') })
      .then((plans) => plans.cheapest)
      .catch((error: unknown) => error)
      .finally(() => (settled = true))
    await clock.run(() => settled, { maxSteps: 10_000 })
    await pictor[Symbol.asyncDispose]()
    return answer
  }

  it('that passes while farms are measured is named as such, and ends the measuring', async () => {
    const startedAtMs = clock.now()
    expect(await refusal('2s', '1-10')).toMatchObject({
      code: 'deadline-impossible',
      message: expect.stringMatching(/passed \d+ s ago, while the farms were being measured/),
      details: { path: 'deadline', hint: expect.stringContaining('allow more time') },
    })
    expect(clock.now() - startedAtMs).toBeLessThan(10_000)
  })

  it('that nobody can meet is refused in words for people', async () => {
    expect(await refusal('90s', '1-1000')).toMatchObject({
      code: 'deadline-impossible',
      message: expect.stringMatching(/the earliest finish is \d+ (s|min) from now, the deadline is in \d+ s$/),
      details: { fastestMs: expect.any(Number) },
    })
  })
})

describe('a budget in PICTOR', () => {
  const quoter = privateKeySigner(drawnKey())
  /** A quarter dollar each: one micro-dollar is 4 x 10^12 of its smallest units. */
  const RATE = { fromAmount: 250_000n, toAmount: 10n ** 18n }
  const rates = signedRates({ signer: quoter, source: 'a table', validForMs: 600_000, amountsOf: async () => RATE, clock })
  const paid = { price: { perHostHour: 3_600_001n, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 7n } }
  const paidFarm = (): Farm => simulatedFarm({ id: 'paid', clock, msPerWork: 1000, ...paid })

  const planWith = async (pictor: Pictor, budget: Money): Promise<Plan> => {
    let settled = false
    const plans = pictor.plan({ scene: 'scene.blend', deadline: '4h', budget }).finally(() => (settled = true))
    plans.catch(() => {})
    await clock.run(() => settled, { maxSteps: 10_000 })
    return (await plans).cheapest
  }
  const refusal = (pictor: Pictor, plan: Plan): Promise<unknown> => pictor.submit(plan).catch((error: unknown) => error)

  it('is planned at a signed rate: prices rounded up, the quote over when the rate is, the rate under the hash of the terms', async () => {
    const pictor = pictorOf([paidFarm()], { rates })
    const plan = await planWith(pictor, money('4000', 'PICTOR'))
    const [quote] = plan.quotes
    expect(quote).toMatchObject({ currency: 'PICTOR', rate: { ...RATE, from: 'USD', to: 'PICTOR', quoter: quoter.address } })
    expect(quote!.offers[0]!.price).toMatchObject({ perHostHour: 3_600_001n * 4n * 10n ** 12n, perFrame: 28n * 10n ** 12n })
    expect(quote!.validUntilAtMs).toBeLessThanOrEqual(quote!.rate!.expiresAtMs)
    const dollars = pictorOf([paidFarm()])
    const inDollars = await planWith(dollars, usd('1000'))
    const ratio = Number(plan.cost.amount) / Number(inDollars.cost.amount) / 4e12
    expect(ratio).toBeGreaterThan(0.999)
    expect(ratio).toBeLessThan(1.001)
    const run = await pictor.submit(plan)
    const { terms, quotes, work } = await pictor.material(run.id)
    expect(quotes[0]!.rate).toEqual(quote!.rate)
    expect(terms.quoteHash).toBe(quoteHashOf({ quotes, work }))
    const cheaper = quotes.map((one) => ({ ...one, rate: { ...one.rate!, toAmount: 1n } }))
    expect(quoteHashOf({ quotes: cheaper, work })).not.toBe(terms.quoteHash)
    await pictor[Symbol.asyncDispose]()
    await dollars[Symbol.asyncDispose]()
  })

  it('is not planned at a rate that is forged, expired, of another quoter or for another currency', async () => {
    const wrong: readonly (readonly [string, (rate: RateQuote) => RateQuote | Promise<RateQuote>])[] = [
      ['rate.signature', (rate) => ({ ...rate, toAmount: rate.toAmount * 2n })],
      ['rate.signature', (rate) => ({ ...rate, expiresAtMs: rate.expiresAtMs + 1 })],
      ['rate.quoter', (rate) => signRate(privateKeySigner(drawnKey()), rate)],
      ['rate.expiresAtMs', (rate) => signRate(quoter, { ...rate, expiresAtMs: clock.now() })],
      ['rate.to', (rate) => signRate(quoter, { ...rate, to: 'EURO' })],
      ['rate.fromAmount', (rate) => signRate(quoter, { ...rate, fromAmount: 0n })],
    ]
    for (const [path, change] of wrong) {
      const source: RateSource = { quoter: quoter.address, quote: async (pair, ctx) => change(await rates.quote(pair, ctx)) }
      const pictor = pictorOf([paidFarm()], { rates: source })
      await expect(planWith(pictor, money('4000', 'PICTOR')), path).rejects.toMatchObject({
        code: 'no-farm',
        message: expect.stringContaining(path),
      })
      await pictor[Symbol.asyncDispose]()
    }
  })

  it('is not locked when the rate of a kept plan was changed, has expired, or nobody here trusts its quoter', async () => {
    const pictor = pictorOf([paidFarm()], { rates })
    const plan = await planWith(pictor, money('4000', 'PICTOR'))
    const rated = (change: Partial<RateQuote>): Plan => ({
      ...plan,
      quotes: plan.quotes.map((quote) => ({ ...quote, rate: { ...quote.rate!, ...change } })),
    })
    expect(await refusal(pictor, rated({ fromAmount: 1n }))).toMatchObject({
      code: 'signature-invalid',
      details: { path: 'plan.quotes[0].rate.signature' },
    })
    const stranger = pictorOf([paidFarm()])
    expect(await refusal(stranger, plan)).toMatchObject({ code: 'invalid-input', details: { path: 'plan.quotes[0].rate' } })
    const afterwards = plan.quotes[0]!.rate!.expiresAtMs
    const late = pictorOf([paidFarm()], { rates, clock: { ...clock, now: () => afterwards } })
    const kept = { ...plan, validUntilAtMs: afterwards + 60_000 }
    expect(await refusal(late, kept)).toMatchObject({
      code: 'invalid-input',
      details: { path: 'plan.quotes[0].rate.expiresAtMs' },
    })
    await pictor[Symbol.asyncDispose]()
    await late[Symbol.asyncDispose]()
    await stranger[Symbol.asyncDispose]()
  })
})

import assert from 'node:assert/strict'
import type { Offer, Quote } from '../../contract/quote.ts'
import { failure, type Bench } from './bench.ts'
import type { Rule } from './rule.ts'

async function asked(bench: Bench): Promise<Quote> {
  const quote = await bench.quote()
  assert(quote, 'the farm declined a plain job (set supports.quotes to false when it has no prices)')
  return quote
}

const declines = (supports: { quotes?: boolean }) =>
  supports.quotes === false ? 'the farm has no prices (supports.quotes is false)' : undefined

/** Quotes and declines. */
export const quoteRules: readonly Rule[] = [
  {
    name: 'money in a quote is whole numbers of the smallest unit',
    change: 'compute prices as bigint (USD in micro-dollars); never carry a float or a string',
    skip: declines,
    async check(bench) {
      const quote = await asked(bench)
      assert.equal(quote.contract, 1)
      assert.equal(quote.farm, bench.farm.id)
      assert(quote.currency.length > 0, 'currency is empty')
      assert(quote.offers.length > 0, 'no offers')
      for (const { price } of quote.offers)
        for (const field of ['perHostHour', 'minCharge', 'fixed', 'perFrame'] as const) {
          assert.equal(typeof price[field], 'bigint', `price.${field} is a ${typeof price[field]}`)
          assert(price[field] >= 0n, `price.${field} is negative`)
        }
    },
  },
  {
    name: 'every offer can be priced and timed',
    change: 'fill hosts, times in milliseconds >= 0, one msPerWork for each memory class and ascending volume tiers',
    skip: declines,
    async check(bench) {
      const { offers } = await asked(bench)
      assert.equal(new Set(offers.map((offer) => offer.id)).size, offers.length, 'two offers share an id')
      for (const offer of offers) checkOffer(offer)
    },
  },
  {
    name: 'a quote ends, and not before it is given',
    change: 'set validUntilAtMs to a time in milliseconds after now, and give each quote an id',
    skip: declines,
    async check(bench) {
      const quote = await asked(bench)
      assert(Number.isSafeInteger(quote.validUntilAtMs), `validUntilAtMs is ${quote.validUntilAtMs}`)
      assert(quote.validUntilAtMs > Date.now(), 'the quote has ended already')
      assert(quote.id.length > 0, 'the quote has no id')
      assert(quote.basis.length > 0, 'the quote does not say what it rests on')
    },
  },
  {
    name: 'software that the farm lacks is declined with a reason, not thrown',
    change: "return { contract: 1, kind: 'decline', farm, reason: 'software', message } from quote()",
    async check(bench) {
      const { job } = bench.subject
      const spec = { ...job, render: { ...job.render, software: 'no-such-renderer', engine: 'NO_SUCH_ENGINE' } }
      const estimate = { work: [1], low: 1, high: 1, classes: [{ id: 'a', memoryMiB: 1 }], basis: [], probeMs: 0 }
      const answer = await bench.farm.quote({ spec, estimate, atMs: Date.now() }, bench.ctx('decline'))
      assert.equal(answer.kind, 'decline', 'the farm quoted software that it does not have')
      assert(
        answer.kind === 'decline' && ['software', 'engine', 'policy'].includes(answer.reason),
        'the reason is not the software',
      )
      assert(answer.message.length > 0, 'the decline has no message')
    },
  },
  {
    name: 'an offer of an expired quote is refused',
    change: 'throw farm-refused from submit() when task.offer belongs to a quote whose validUntilAtMs has passed',
    scenario: 'expired-quote',
    skip: declines,
    async check(bench) {
      const quote = await asked(bench)
      // Timers fire up to a millisecond before the clock shows their time.
      await bench.pass(Math.max(1, quote.validUntilAtMs - Date.now() + 10))
      const task = await bench.task()
      const offer = quote.offers[0]!.id
      await failure(bench.farm.submit({ ...task, offer }, bench.ctx('late')), ['farm-refused'])
    },
  },
]

function checkOffer(offer: Offer): void {
  const at = `offer ${offer.id}`
  assert(Number.isInteger(offer.hosts) && offer.hosts >= 1, `${at}: hosts is ${offer.hosts}`)
  for (const field of ['readyMs', 'startMs', 'perFrameMs', 'deliverMs'] as const)
    assert(Number.isFinite(offer[field]) && offer[field] >= 0, `${at}: ${field} is ${offer[field]}`)
  assert.equal(offer.msPerWork.length, 1, `${at}: one msPerWork for each memory class of the estimate`)
  for (const ms of offer.msPerWork) assert(ms === null || (Number.isFinite(ms) && ms > 0), `${at}: msPerWork is ${ms}`)
  assert(offer.price.stepMs >= 0, `${at}: stepMs is negative`)
  const { tiers } = offer.price
  if (!tiers) return
  assert.equal(tiers[0]?.fromHostMs, 0, `${at}: the first volume tier must start at 0`)
  for (const [i, tier] of tiers.entries()) {
    assert(Number.isInteger(tier.perMille) && tier.perMille >= 0, `${at}: perMille is ${tier.perMille}`)
    assert(i === 0 || tier.fromHostMs > tiers[i - 1]!.fromHostMs, `${at}: volume tiers must rise`)
  }
}

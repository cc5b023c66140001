import assert from 'node:assert/strict'
import { byHand, type Rule } from './rule.ts'

/** What a farm says about itself. */
export const describeRules: readonly Rule[] = [
  {
    name: 'describe names the contract, the farm, its lane and how it was verified',
    change: 'return contract 1, the same id as farm.id, the lane and verification in describe()',
    async check(bench) {
      const info = await bench.info()
      assert.equal(bench.farm.contract, 1)
      assert.equal(info.contract, 1)
      assert.equal(info.id, bench.farm.id, 'describe().id differs from farm.id')
      assert(info.name.length > 0, 'name is empty')
      assert.equal(info.lane, bench.supports.lane, 'lane differs from what supports.lane declares')
      assert(['live', 'contract-simulated', 'none'].includes(info.verification), `verification is ${info.verification}`)
      assert(['native', 'search', 'at-most-once'].includes(info.idempotency), `idempotency is ${info.idempotency}`)
      assert(Array.isArray(info.software), 'software is no list')
    },
  },
  {
    name: 'describe gives the capabilities that the adapter declares, and gives them twice',
    change: 'return one constant set of capabilities; supports.capabilities of the test must equal it',
    async check(bench) {
      const again = await bench.farm.describe(bench.ctx('describe-2'))
      assert.deepEqual(again, await bench.info())
      assert.deepEqual({ ...again.capabilities }, { ...bench.supports.capabilities })
    },
  },
  {
    name: 'a price book names its source and a date that is not in the future',
    change: 'give priceBook.source and priceBook.asOf (YYYY-MM-DD), or leave the price book out',
    async check(bench) {
      const book = (await bench.info()).priceBook
      if (!book) return
      assert(book.source.length > 0, 'source is empty')
      const asOfMs = Date.parse(book.asOf)
      assert(Number.isFinite(asOfMs) && asOfMs <= Date.now() + 86_400_000, `asOf is ${book.asOf}`)
    },
  },
  {
    name: 'what people do is not called native',
    change: "say 'manual' for changes that an operator makes on a desktop or manual lane",
    skip: (supports) => (byHand(supports) ? undefined : 'no human lane'),
    async check(bench) {
      const { cancelQueued, cancelRunning, hold, priority, bindingQuote } = (await bench.info()).capabilities
      for (const [name, value] of Object.entries({ cancelQueued, cancelRunning, hold, priority, bindingQuote }))
        assert(value === 'manual' || value === 'none', `${name} is ${value}`)
    },
  },
]

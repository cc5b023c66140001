// The same random commands on the escrow and on the local book: both must take or refuse the same ones, owe the same people the same sums and tell the same
// facts in the same order.
import { scenarioOn, type LedgerScenario, type LedgerSubject } from '@pictor/core/conformance'
import { isPictorError, type LedgerEvent } from '@pictor/core/contract'
import { localLedger } from '@pictor/core'
import { ZERO_ADDRESS, privateKeySigner } from '@pictor/core/proof'
import { Wallet } from 'ethers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { devAccounts, evmLedger } from '../src/index.ts'
import { devWorld, type DevWorld } from './dev-world.ts'

/** No window of the scenario ends within five minutes of a multiple of this, so seconds that the chain adds do not matter. */
const UNIT_S = 2500
const LEASES = 4

type Command =
  | { readonly kind: 'ready' | 'refund' | 'cancel' | 'lease-key' }
  | {
      readonly kind: 'attest'
      readonly mask: number
      readonly refused: number
      readonly missing: boolean
      readonly unsure: boolean
    }
  | { readonly kind: 'release' | 'approve'; readonly batch: number }
  | { readonly kind: 'final'; readonly leases: number }
  | { readonly kind: 'top-up'; readonly farm: number; readonly check: number }
  | { readonly kind: 'advance'; readonly units: number }

const commands: fc.Arbitrary<readonly Command[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('attest' as const),
        mask: fc.integer({ min: 1, max: 2 ** LEASES - 1 }),
        refused: fc.nat(10),
        missing: fc.boolean(),
        unsure: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('release' as const, 'approve' as const),
        batch: fc.integer({ min: 1, max: 3 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('advance' as const), units: fc.constantFrom(1, 3, 3, 40, 110) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('final' as const), leases: fc.nat(LEASES) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('top-up' as const), farm: fc.nat(1000), check: fc.nat(1000) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('ready' as const, 'refund' as const, 'cancel' as const, 'lease-key' as const),
      }),
    },
  ),
  { minLength: 4, maxLength: 14 },
)

async function perform(s: LedgerScenario, command: Command): Promise<void> {
  switch (command.kind) {
    case 'advance':
      return s.subject.advance(command.units * UNIT_S)
    case 'ready':
      return s.send({ kind: 'ready', ready: await s.ready() })
    case 'refund':
    case 'cancel':
      return s.send({ kind: command.kind })
    case 'lease-key':
      return s.send({ kind: 'lease-key', leaseKey: s.platform })
    case 'release':
    case 'approve':
      return s.send({ kind: command.kind, batch: command.batch })
    case 'top-up':
      return s.send({ kind: 'top-up', farmBudget: BigInt(command.farm), checkBudget: BigInt(command.check) })
    case 'final': {
      const { pending, released, refunded } = await s.subject.ledger.money(s.job, s.ctx())
      return s.final(pending + released + refunded + BigInt(command.leases) * 101_020n)
    }
    case 'attest': {
      const chosen = s.set0.leases.filter((_, i) => (command.mask >> i) & 1)
      const word = command.missing ? 'missing' : 'refuse'
      const results = chosen.map((lease) =>
        s.result(lease, (_, i) => (i < command.refused ? word : command.unsure && i === 9 ? 'unsure' : 'accept')),
      )
      await s.attest(results)
    }
  }
}

async function outcome(s: LedgerScenario, command: Command): Promise<string> {
  try {
    await perform(s, command)
    return 'done'
  } catch (error) {
    if (isPictorError(error, 'ledger-refused')) return 'refused'
    throw error
  }
}

async function state(s: LedgerScenario): Promise<unknown> {
  const { head: _head, ...money } = await s.subject.ledger.money(s.job, s.ctx())
  const accounts = [
    s.terms.creator,
    s.platform,
    ...s.farms.map(({ address }) => address),
    ...s.checkers.map(({ address }) => address),
  ]
  const credits = await Promise.all(accounts.map((account) => s.subject.ledger.credit(s.terms.token, account, s.ctx())))
  return { money, credits }
}

/** What an event says, without place, time and hashes that differ by domain. */
function fact(event: LedgerEvent): unknown {
  const { id: _id, job: _job, atMs: _at, tx: _tx, gas: _gas, head: _head, status: _status, ...rest } = event
  if (rest.type === 'opened') return { ...rest, creator: undefined, termsHash: undefined }
  if (rest.type === 'ready') return { type: 'ready', seq: rest.seq, checker: rest.checker }
  if (rest.type !== 'attested') return rest
  const records = rest.records?.map(({ completedAtMs: _ms, ...record }) => record)
  return { ...rest, records, batchHash: undefined, releaseAtS: undefined }
}

let world: DevWorld
beforeAll(async () => {
  world = await devWorld()
})
afterAll(() => world.stop())

async function pair(): Promise<readonly [LedgerScenario, LedgerScenario]> {
  await world.reset()
  const { address, privateKey } = devAccounts[0]!
  await world.fund(address)
  const creator = privateKeySigner(privateKey)
  const evm: LedgerSubject = {
    ledger: evmLedger({
      rpcUrl: world.rpcUrl,
      escrow: world.deployment.escrow,
      signer: new Wallet(privateKey),
      allowance: 'unlimited',
      timeoutMs: 120_000,
    }),
    creator,
    token: world.deployment.token,
    terms: { arbiter: devAccounts[1]!.address },
    nowS: () => world.nowS(),
    advance: (seconds) => world.advance(seconds),
  }
  let now = (await world.nowS()) * 1000
  const local: LedgerSubject = {
    ledger: localLedger({ signer: creator, path: ':memory:', clock: { now: () => now } }),
    creator,
    token: ZERO_ADDRESS,
    nowS: async () => Math.floor(now / 1000),
    async advance(seconds) {
      now += seconds * 1000
    },
  }
  const options = { leases: LEASES, terms: { farmBudget: 330_000n } }
  return [await scenarioOn(evm, options), await scenarioOn(local, options)]
}

it('escrow and local book agree on every random job', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const [evm, local] = await pair()
      await evm.open()
      await local.open()
      for (const [i, command] of list.entries()) {
        const where = `command ${i} of ${JSON.stringify(list)}`
        const [a, b] = [await outcome(evm, command), await outcome(local, command)]
        expect(a, `${where}: escrow ${a}, book ${b}`).toBe(b)
        expect(await state(evm), where).toEqual(await state(local))
      }
      expect((await evm.events()).map(fact)).toEqual((await local.events()).map(fact))
    }),
    {
      numRuns: Number(process.env['PICTOR_RUNS'] ?? 25),
      interruptAfterTimeLimit: 60_000,
      markInterruptAsFailure: false,
      ...(process.env['PICTOR_SEED'] ? { seed: Number(process.env['PICTOR_SEED']) } : {}),
    },
  )
})

import { ledgerConformance, ledgerScenario, namedSigner, type MakeLedger } from '@pictor/core/conformance'
import { ZERO_ADDRESS } from '@pictor/core/proof'
import { describe, expect, it } from 'vitest'
import { memoryLog, type LogChain } from '../src/log-chain.ts'
import { logLedger } from '../src/log-ledger.ts'

const creator = namedSigner('app')

const make =
  (wrap: (chain: LogChain) => LogChain = (chain) => chain, seen: LogChain[] = []): MakeLedger =>
  async () => {
    const chain = memoryLog(1_800_000_000_000)
    seen.push(chain)
    return {
      ledger: logLedger({ chain: wrap(chain), signer: creator }),
      creator,
      token: ZERO_ADDRESS,
      nowS: async () => chain.nowMs() / 1000,
      async advance(seconds) {
        chain.advance(seconds * 1000)
      },
    }
  }

describe('a ledger over a log', () => {
  const { supports } = logLedger({ chain: memoryLog(0), signer: creator })
  for (const { name, skip, run } of ledgerConformance({ make: make(), supports })) it.skipIf(skip !== undefined)(name, run)

  it('sends nothing twice for one key when the answer to its entry is lost', async () => {
    const seen: LogChain[] = []
    let lose = false
    const lossy = (chain: LogChain): LogChain => ({
      read: (from) => chain.read(from),
      async append(text) {
        await chain.append(text)
        if (lose) throw new Error('connection reset')
      },
    })
    const s = await ledgerScenario(make(lossy, seen))
    await s.open()
    const action = { kind: 'top-up', farmBudget: 7n, checkBudget: 0n } as const
    lose = true
    await expect(s.send(action, s.ctx('one'))).rejects.toThrow('connection reset')
    lose = false
    await s.send(action, s.ctx('one'))
    const { deposited } = await s.subject.ledger.money(s.job, s.ctx())
    expect(deposited).toBe(s.terms.farmBudget + s.terms.checkBudget + 7n)
    expect((await seen[0]!.read(1)).length).toBe(2)
  })

  it('is not moved by entries of strangers, by nonsense, or by an entry that is written again', async () => {
    const seen: LogChain[] = []
    const s = await ledgerScenario(make(undefined, seen))
    await s.open()
    const [log] = seen
    const own = (await log!.read(1))[0]!.text
    const stranger = logLedger({ chain: log!, signer: namedSigner('stranger') })
    await stranger.open({ ...s.terms, runId: s.job }, s.set0.set.setRoot, s.ctx()).catch(() => undefined)
    for (const text of ['', '{', 'null', own]) await log!.append(text)
    expect((await s.events()).map(({ type }) => type)).toEqual(['opened'])
    const reader = logLedger({ chain: log!, signer: creator })
    expect(await reader.money(s.job, s.ctx())).toEqual(await s.subject.ledger.money(s.job, s.ctx()))
  })
})

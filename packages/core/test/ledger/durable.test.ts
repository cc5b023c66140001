import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type LedgerScenario, ledgerScenario, namedSigner, scenarioOn } from '../../src/conformance/index.ts'
import { type Ledger, isPictorError } from '../../src/contract/index.ts'
import { localLedger } from '../../src/ledger/index.ts'
import { ZERO_ADDRESS, approveDigest, sha256Hex } from '../../src/proof/index.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pictor-ledger-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const app = namedSigner('app')
const START_S = 1_800_000_000

interface Opened {
  readonly ledger: Ledger
  readonly scenario: LedgerScenario
  advance(seconds: number): void
}

async function openBook(path: string, options: { limit?: bigint; run?: string; offsetS?: number } = {}): Promise<Opened> {
  let offsetS = options.offsetS ?? 0
  const ledger = localLedger({
    signer: app,
    path,
    clock: { now: () => (START_S + offsetS) * 1000 },
    ...(options.limit === undefined ? {} : { limit: options.limit }),
  })
  const subject = {
    ledger,
    creator: app,
    token: ZERO_ADDRESS,
    nowS: async () => START_S,
    advance: async (seconds: number) => void (offsetS += seconds),
  }
  return {
    ledger,
    scenario: await scenarioOn(subject, options.run ? { run: options.run } : {}),
    advance: (seconds) => void (offsetS += seconds),
  }
}

function write(path: string, prefix: string, count: number): { keys: string[]; kill(): void; done: Promise<number | null> } {
  const child = spawn(
    process.execPath,
    ['--conditions=source', new URL('./writer.ts', import.meta.url).pathname, path, prefix, String(count)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const keys: string[] = []
  let rest = ''
  child.stdout.on('data', (data: Buffer) => {
    const lines = (rest + data.toString()).split('\n')
    rest = lines.pop()!
    keys.push(...lines)
  })
  return { keys, kill: () => void child.kill('SIGKILL'), done: new Promise((resolve) => child.on('exit', resolve)) }
}

describe('the book', () => {
  it('keeps every acknowledged entry through kill -9, and repeats none', async () => {
    const path = join(dir, 'book.db')
    const writer = write(path, 'k', 100_000)
    while (writer.keys.length < 20) await new Promise((resolve) => setTimeout(resolve, 5))
    writer.kill()
    await writer.done
    const acknowledged = [...writer.keys]
    const { ledger, scenario } = await openBook(path)
    const before = await ledger.money(scenario.job, scenario.ctx())
    const entries = before.deposited - 1_100_000n
    // One entry may be written whose acknowledgement was lost.
    expect(entries === BigInt(acknowledged.length) || entries === BigInt(acknowledged.length + 1)).toBe(true)
    for (const key of acknowledged) await scenario.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }, { key })
    expect(await ledger.money(scenario.job, scenario.ctx())).toEqual(before)
    await scenario.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }, { key: 'after' })
    expect((await ledger.money(scenario.job, scenario.ctx())).deposited).toBe(before.deposited + 1n)
    await ledger.close?.()
  })

  it('is shared by processes without losing or doubling an entry', async () => {
    const path = join(dir, 'book.db')
    const writers = ['a', 'b', 'c'].map((prefix) => write(path, prefix, 15))
    expect(await Promise.all(writers.map(({ done }) => done))).toEqual([0, 0, 0])
    const { ledger, scenario } = await openBook(path)
    expect((await ledger.money(scenario.job, scenario.ctx())).deposited).toBe(1_100_045n)
    await ledger.close?.()
  })

  it('sees what another handle wrote, while both are open', async () => {
    const path = join(dir, 'book.db')
    const one = await openBook(path)
    const two = await openBook(path)
    await one.scenario.open()
    await Promise.all(
      [one, two, one, two].map(({ scenario }, i) =>
        scenario.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }, { key: `mixed ${i}` }),
      ),
    )
    expect((await two.ledger.money(two.scenario.job, two.scenario.ctx())).deposited).toBe(1_100_004n)
    expect(await one.scenario.events()).toEqual(await two.scenario.events())
    await one.ledger.close?.()
    await two.ledger.close?.()
  })

  it.each([
    ['a changed amount', "UPDATE entries SET body = replace(body, '1000000', '9000000') WHERE seq = 1"],
    ['a removed entry', 'DELETE FROM entries WHERE seq = 1'],
    ['a changed key', "UPDATE entries SET key = 'x' WHERE seq = 2"],
    ['a changed signature', 'UPDATE entries SET signature = (SELECT signature FROM entries WHERE seq = 1) WHERE seq = 2'],
  ])('does not open with %s', async (_name, sql) => {
    const path = join(dir, 'book.db')
    const { ledger, scenario } = await openBook(path)
    await scenario.open()
    await scenario.send({ kind: 'cancel' })
    await ledger.close?.()
    const db = new DatabaseSync(path)
    db.exec(sql)
    db.close()
    expect(() => localLedger({ signer: app, path })).toThrow(expect.objectContaining({ code: 'signature-invalid' }))
  })

  it("does not open another app's book, nor a file that is none", async () => {
    const path = join(dir, 'book.db')
    const { ledger, scenario } = await openBook(path)
    await scenario.open()
    await ledger.close?.()
    expect(() => localLedger({ signer: namedSigner('other app'), path })).toThrow(
      expect.objectContaining({ code: 'signature-invalid' }),
    )
    expect(() => localLedger({ signer: app, path: join(dir, 'no', 'such', 'folder') })).toThrow(
      expect.objectContaining({ code: 'store-failed' }),
    )
  })

  it('refuses a key that was used for something else', async () => {
    const { scenario } = await openBook(':memory:')
    await scenario.open()
    await scenario.send({ kind: 'top-up', farmBudget: 1n, checkBudget: 0n }, { key: 'once' })
    await expect(scenario.send({ kind: 'top-up', farmBudget: 2n, checkBudget: 0n }, { key: 'once' })).rejects.toMatchObject({
      code: 'conflict',
    })
    await expect(scenario.send({ kind: 'cancel' }, { key: 'once' })).rejects.toMatchObject({ code: 'conflict' })
  })

  it('keeps to its budget limit over all jobs, and frees it with refunds', async () => {
    const path = join(dir, 'book.db')
    const first = await openBook(path, { limit: 2_000_000n, run: 'first' })
    const second = await openBook(path, { limit: 2_000_000n, run: 'second' })
    await first.scenario.open()
    await expect(second.scenario.open()).rejects.toMatchObject({ code: 'ledger-refused', details: { reason: 'limit' } })
    await expect(first.scenario.send({ kind: 'top-up', farmBudget: 900_001n, checkBudget: 0n })).rejects.toMatchObject({
      details: { reason: 'limit' },
    })
    await first.scenario.final(0n)
    await second.scenario.open()
    await first.ledger.close?.()
    await second.ledger.close?.()
  })

  it('is stricter than an escrow where it can see more: weights follow from records', async () => {
    const { scenario: s } = await openBook(':memory:')
    await s.open()
    const result = s.result(s.set0.leases[0]!, (_, i) => (i === 0 ? 'refuse' : 'accept'))
    await expect(s.attest([{ ...result, acceptedWeight: result.acceptedWeight + 1 }])).rejects.toMatchObject({
      details: { reason: 'lease' },
    })
  })

  it('takes nothing back by a top-up', async () => {
    const { scenario: s } = await openBook(':memory:')
    await s.open()
    await expect(s.send({ kind: 'top-up', farmBudget: -1n, checkBudget: 2n })).rejects.toMatchObject({
      details: { reason: 'terms' },
    })
  })

  it('asks a creator with another key for its signature of an early approval', async () => {
    const creator = namedSigner('somebody else')
    const ledger = localLedger({ signer: app, path: ':memory:', clock: { now: () => START_S * 1000 } })
    const subject = { ledger, creator, token: ZERO_ADDRESS, nowS: async () => START_S, advance: async () => undefined }
    const s = await scenarioOn(subject)
    await s.open()
    await s.attest([s.result(s.set0.leases[0]!)])
    const approve = async (signer: typeof creator, batch: number): Promise<void> =>
      s.send({ kind: 'approve', batch: 1, signature: await signer.signDigest(approveDigest(ledger.domain, s.job, batch)) })
    const refusal = { details: { reason: 'signature' } }
    await expect(s.send({ kind: 'approve', batch: 1 })).rejects.toMatchObject(refusal)
    await expect(approve(app, 1)).rejects.toMatchObject(refusal)
    await expect(approve(creator, 2)).rejects.toMatchObject(refusal)
    await approve(creator, 1)
    await s.send({ kind: 'release', batch: 1 })
  })

  it('says what it does not do', async () => {
    const { scenario, ledger } = await openBook(':memory:')
    await scenario.open()
    expect(ledger.label).toContain('custody: none')
    const dispute = scenario.send({ kind: 'dispute', batch: 1, farm: app.address, reasonHash: sha256Hex('x') })
    await expect(dispute).rejects.toMatchObject({ code: 'ledger-refused', details: { reason: 'unsupported' } })
    const drawn = { ...scenario.terms, runId: sha256Hex('drawn'), checkers: [], registryDraw: 3 }
    await expect(ledger.open(drawn, sha256Hex('set'), scenario.ctx())).rejects.toMatchObject({
      details: { reason: 'unsupported' },
    })
    await expect(ledger.poll({ job: scenario.job, cursor: 'x' }, scenario.ctx())).rejects.toMatchObject({ code: 'invalid-input' })
    const aborted = AbortSignal.abort(new Error('stop'))
    await expect(ledger.send({ kind: 'cancel', terms: scenario.terms }, { key: 'k', signal: aborted })).rejects.toThrow('stop')
  })
})

describe('any order of actions', () => {
  const actions = [
    'attest 1',
    'attest 2',
    'attest 3 4',
    'attest 5',
    'release 1',
    'release 2',
    'approve 1',
    'final',
    'cancel',
    'refund',
    'top-up',
    'withdraw',
    'day',
    'ten days',
  ] as const

  it('conserves money, and the file tells the same book again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...actions), { minLength: 4, maxLength: 14 }), fc.nat(), async (script, salt) => {
        const path = join(dir, `${salt}-${script.length}.db`)
        rmSync(path, { force: true })
        let elapsedS = 0
        const make = async (): Promise<LedgerScenario['subject']> => ({
          ledger: localLedger({ signer: app, path, clock: { now: () => (START_S + elapsedS) * 1000 } }),
          creator: app,
          token: ZERO_ADDRESS,
          nowS: async () => START_S + elapsedS,
          advance: async (seconds) => void (elapsedS += seconds),
        })
        const s = await ledgerScenario(make, { leases: 5, checkers: 1 })
        await s.open()
        let withdrawn = 0n
        const creditsOf = async (ledger: Ledger): Promise<bigint[]> =>
          Promise.all(
            [...s.farms, ...s.checkers, app, { address: s.platform }].map(({ address }) =>
              ledger.credit(ZERO_ADDRESS, address, s.ctx()),
            ),
          )
        for (const action of script) {
          if (action === 'withdraw') withdrawn += await s.subject.ledger.credit(ZERO_ADDRESS, app.address, s.ctx())
          await perform(s, action, salt).catch((error: unknown) => {
            if (!isPictorError(error, 'ledger-refused')) throw error
          })
          const { deposited, locked, pending, released, refunded } = await s.subject.ledger.money(s.job, s.ctx())
          expect(locked + pending + released + refunded).toBe(deposited)
          expect([locked, pending, released, refunded].every((amount) => amount >= 0n)).toBe(true)
          const owed = (await creditsOf(s.subject.ledger)).reduce((sum, credit) => sum + credit, 0n)
          expect(owed + withdrawn).toBe(released + refunded)
        }
        const before = [await s.subject.ledger.money(s.job, s.ctx()), await creditsOf(s.subject.ledger), await s.events()]
        await s.subject.ledger.close?.()
        const again = (await make()).ledger
        const page = await again.poll({ job: s.job }, s.ctx())
        expect([await again.money(s.job, s.ctx()), await creditsOf(again), page.events]).toEqual(before)
        await again.close?.()
      }),
      { numRuns: 25 },
    )
  })
})

async function perform(s: LedgerScenario, action: string, salt: number): Promise<unknown> {
  const [kind, ...numbers] = action.split(' ')
  const result = (id: number): ReturnType<LedgerScenario['result']> =>
    s.result(
      s.set0.leases[id - 1]!,
      (frame, i) => (['accept', 'refuse', 'unsure', 'missing', 'accept'] as const)[(frame + i + salt) % 5]!,
    )
  switch (kind) {
    case 'attest':
      return s.attest(numbers.map((id) => result(Number(id))))
    case 'release':
    case 'approve':
      return s.send({ kind, batch: Number(numbers[0]) })
    case 'final':
      return s.final(BigInt(200_000 + (salt % 900_000)))
    case 'cancel':
    case 'refund':
      return s.send({ kind })
    case 'top-up':
      return s.send({ kind: 'top-up', farmBudget: BigInt(salt % 1000), checkBudget: 7n })
    case 'withdraw':
      return s.subject.ledger.send({ kind: 'withdraw', token: ZERO_ADDRESS, to: app.address }, s.ctx())
    default:
      return s.subject.advance(action === 'day' ? 3 * 3600 : 240 * 3600)
  }
}

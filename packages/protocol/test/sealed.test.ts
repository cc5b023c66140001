import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { farmConformance, Network, type FarmSubject, type FarmSupports, type SubjectWish } from '@pictor/core/conformance'
import type { Bytes32, Farm, FarmEvent, LedgerDomain, Output, Task } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { fileKeyOf, readLeaseSecret, unseal } from '@pictor/core/sealing'
import { afterEach, describe, expect, it } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { smallFarm, smallTask, supports as small } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm, sealedFarm, signedFarm } from '../src/index.ts'
import { dressed, sealKeyOf, sealSecretOf } from './lease.ts'
import { served, TOKEN } from './served.ts'

const CHAIN: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'33'.repeat(20)}` }
const SECRET = Buffer.alloc(32, 3)
const signer = privateKeySigner(drawnKey())
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function sealedSubject(wish: SubjectWish): Promise<FarmSubject> {
  const inner = await smallFarm(wish)
  const farm = sealedFarm(signedFarm(inner.farm, { signer }), {
    secret: SECRET,
    book: ':memory:',
    preview: (bytes) => Buffer.from(`preview of ${bytes.length} bytes`),
  })
  const { server, close } = await served(farm)
  const remote = remoteFarm({ url: server.url, token: TOKEN, fetch: wish.network.fetch(), key: signer.address })
  return { ...inner, farm: remote, close, dress: (task) => dressed(signer, task, CHAIN) }
}

const supports: FarmSupports = { ...small, leases: true }
/** Sealing reads an output when it is told of: what its farm gives only later, or no more, is told of when it can be read. */
const LATER = /behind a payment|have expired/

describe('a farm that seals, behind a server, keeps the rules', () => {
  for (const { name, skip, run } of farmConformance({ supports, make: sealedSubject }))
    it.skipIf(skip !== undefined || LATER.test(name))(
      skip || LATER.test(name) ? `${name} (${skip ?? 'told of when it can be sealed'})` : name,
      run,
    )
})

async function rendered(dress: (task: Task) => Promise<Task> | Task) {
  const folder = mkdtempSync(join(tmpdir(), 'pictor-sealed-'))
  closing.push(() => rmSync(folder, { recursive: true, force: true }))
  const inner = await smallFarm({ scenario: 'plain', network: new Network() })
  const signed = signedFarm(inner.farm, { signer })
  const start = (book = join(folder, 'book.db'), of: Farm = signed): Farm => sealedFarm(of, { secret: SECRET, book })
  const farm = start()
  const stage = await farm.stage(inner.job.bundle, inner.files, { key: 's' })
  const task = await dress(smallTask(inner.job, stage, [1, 2]))
  const submit = () => farm.submit(task, { key: 'k' })
  const finish = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) await inner.advance!(10)
  }
  return { inner, farm, start, task, submit, finish }
}

async function outputsOf(farm: Farm): Promise<Output[]> {
  const { events } = await farm.poll({}, { key: 'p' })
  return events.flatMap((event) => (event.type === 'output' ? [event.output] : []))
}

async function bytesOf(farm: Farm, output: Output, offset = 0): Promise<Buffer> {
  const body = await farm.open(output, { offset }, { key: 'o' })
  if ('unavailable' in body) throw new Error(body.unavailable)
  return gathered(body.stream)
}

async function gathered(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const sha256 = (bytes: Uint8Array): string => `0x${createHash('sha256').update(bytes).digest('hex')}`

describe('sealedFarm', () => {
  it('gives every checker of the lease, and nobody by open(), what was rendered; the same bytes after a restart, from any offset', async () => {
    const { inner, farm, start, task, submit, finish } = await rendered((one) => dressed(signer, one, CHAIN))
    await submit()
    await finish()
    const outputs = await outputsOf(farm)
    expect(outputs).toHaveLength(2)
    const again = start()
    expect(await outputsOf(again)).toEqual(outputs)
    for (const output of outputs) {
      const sealed = await bytesOf(farm, output)
      expect([sha256(sealed), sealed.length]).toEqual([output.sealed!.hash, output.sealed!.bytes])
      for (const offset of [1, 100, sealed.length - 1])
        expect((await bytesOf(again, output, offset)).equals(sealed.subarray(offset))).toBe(true)
      const { sealed: _, ...bare } = output
      const plain = await bytesOf(inner.farm, bare)
      expect((await bytesOf(farm, bare)).equals(sealed)).toBe(true)
      expect(sealed.includes(plain.subarray(0, 32))).toBe(false)
      for (const checker of task.lease!.terms.checkers) {
        const about = { job: task.lease!.job, lease: 1, checker }
        const keyOf = (head: Buffer) => fileKeyOf(readLeaseSecret(head, about, sealSecretOf(checker)), output.hash)
        expect((await gathered(unseal(once(sealed), keyOf, output.hash))).equals(plain)).toBe(true)
      }
    }
    await again.close?.()
    await farm.close?.()
  })

  it('seals a frame that was rendered again anew, and tells of nothing whose bytes are not those that were named', async () => {
    const { inner, start, task, submit, finish, farm } = await rendered((one) => dressed(signer, one, CHAIN))
    await submit()
    await finish()
    const [first] = await outputsOf(farm)
    await farm.close?.()
    // The inner farm as it would be after it rendered the frame again: other bytes under the name.
    const again = Buffer.from('the frame as it was rendered the second time')
    let named = first!.hash
    const other: Farm = {
      ...inner.farm,
      async poll(query, ctx) {
        const page = await inner.farm.poll(query, ctx)
        const change = (event: FarmEvent): FarmEvent =>
          event.type === 'output' && event.output.name === first!.name
            ? { ...event, output: { ...event.output, hash: named, bytes: again.length } }
            : event
        return { ...page, events: page.events.map(change) }
      },
      open: async (_output, { offset }) => ({ bytes: again.length - offset, stream: once(again.subarray(offset)) }),
    }
    const resealed = start(undefined, other)
    named = `0x${'99'.repeat(32)}`
    expect((await outputsOf(resealed)).map(({ name }) => name)).not.toContain(first!.name)
    named = sha256(again) as Bytes32
    const output = (await outputsOf(resealed)).find(({ name }) => name === first!.name)!
    expect(output.sealed!.hash).not.toBe(first!.sealed!.hash)
    const about = { job: task.lease!.job, lease: 1, checker: task.lease!.terms.checkers[0]! }
    const keyOf = (head: Buffer) => fileKeyOf(readLeaseSecret(head, about, sealSecretOf(about.checker)), named)
    expect((await gathered(unseal(once(await bytesOf(resealed, output)), keyOf, named))).equals(again)).toBe(true)
    await resealed.close?.()
  })

  it('leaves open what no ledger holds money for', async () => {
    const { farm, submit, finish } = await rendered((one) => dressed(signer, one))
    await submit()
    await finish()
    for (const output of await outputsOf(farm)) {
      expect(output.sealed).toBeUndefined()
      expect(sha256(await bytesOf(farm, output))).toBe(output.hash)
    }
    await farm.close?.()
  })

  it('holds back what it does not remember: a lost book gives nothing away', async () => {
    const { farm, start, submit, finish } = await rendered((one) => dressed(signer, one, CHAIN))
    await submit()
    await finish()
    const [output] = await outputsOf(farm)
    const forgetful = start(':memory:')
    expect(await outputsOf(forgetful)).toEqual([])
    expect(await forgetful.open(output!, { offset: 0 }, { key: 'o' })).toEqual({ unavailable: 'gone' })
    await farm.close?.()
  })

  it.each([true, false])(
    'seals to checkers that the registry drew, and not to a key that the creator lists beside them',
    async (follows) => {
      const outsider = privateKeySigner(drawnKey())
      const inner = await smallFarm({ scenario: 'plain', network: new Network() })
      const stage = await inner.farm.stage(inner.job.bundle, inner.files, { key: 's' })
      const terms = { checkers: [], registryDraw: 3 }
      const bare = await dressed(signer, smallTask(inner.job, stage, [1]), CHAIN, { terms })
      const { job, sealKeys = [], ready } = bare.lease!
      const task = { ...bare, lease: { ...bare.lease!, sealKeys: [await sealKeyOf(outsider, CHAIN), ...sealKeys] } }
      const drawn = sealKeys.map(({ checker }) => checker)
      const base = { job, atMs: 1, status: 'final' as const }
      const opened = { ...base, id: '1', type: 'opened' as const, creator: signer.address, farmBudget: 1n, checkBudget: 1n }
      const events = [
        { ...opened, setRoot: bare.lease!.set.setRoot },
        { ...base, id: '2', type: 'drawn' as const, committee: drawn },
      ]
      const ledger = { domain: CHAIN, poll: async () => ({ events, cursor: '2', waitMs: 1 }) }
      const options = { secret: SECRET, book: ':memory:', ...(follows ? { ledger } : {}) }
      const farm = sealedFarm(signedFarm(inner.farm, { signer, ledger }), options)
      await farm.submit(task, { key: 'k' })
      for (let i = 0; i < 6; i++) await inner.advance!(10)
      const { events: seen } = await farm.poll({}, { key: 'p' })
      const { output } = seen.find((event) => event.type === 'output')!
      const head = (await bytesOf(farm, output)).toString('latin1')
      const opens = (checker: string) => head.includes(checker)
      expect(opens(outsider.address)).toBe(false)
      expect(drawn.filter(opens)).toEqual(follows ? drawn : ready.map(({ checker }) => checker))
    },
  )

  it('takes no lease that too few checkers could open, or whose keys are not theirs', async () => {
    const few = await rendered(async (one) => {
      const task = await dressed(signer, one, CHAIN)
      return { ...task, lease: { ...task.lease!, sealKeys: task.lease!.sealKeys!.slice(0, 1) } }
    })
    await expect(few.submit()).rejects.toMatchObject({ code: 'farm-refused', details: { reason: 'sealing' } })
    const forged = await rendered(async (one) => {
      const task = await dressed(signer, one, CHAIN)
      const [first, ...rest] = task.lease!.sealKeys!
      return {
        ...task,
        lease: { ...task.lease!, sealKeys: [{ ...first!, publicKey: `0x${'77'.repeat(32)}` as const }, ...rest] },
      }
    })
    await expect(forged.submit()).rejects.toMatchObject({ code: 'signature-invalid' })
    expect(() => sealedFarm(few.farm, { secret: Buffer.alloc(16), book: ':memory:' })).toThrow(/32 bytes/)
  })
})

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  streamOf,
  type Bytes32,
  type Commit,
  type DigestSigner,
  type Lease,
  type Ledger,
  type LedgerDomain,
  type LedgerEvent,
  type PictorError,
  type SealedOutput,
  type SealKey,
} from '@pictor/core/contract'
import { privateKeySigner, requireSigner, sealKeyDigest, signCommit } from '@pictor/core/proof'
import { fileKeyOf, leaseSecretOf, readKeys, requestKeys, sealedFile, sealHead, unseal } from '@pictor/core/sealing'
import { encodePng } from '@pictor/image'
import { afterEach, describe, expect, it } from 'vitest'
import { drawnBytes, drawnKey } from '../../../scripts/draws.ts'
import { createChecker, type CheckerOptions, type LocalChecker } from '../src/index.ts'
import { memoryArtifacts } from './artifacts.ts'
import { act, batchOf, makeJob, only, type TestJob } from './job.ts'
import { NOISE_BUILD, noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
const DOMAIN: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'33'.repeat(20)}` }
const FARM_SECRET = Buffer.alloc(32, 5)
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** A ledger that tells what it is told to; simulated, since nothing but its events is read. */
function simulatedLedger(): Pick<Ledger, 'domain' | 'poll'> & { readonly events: LedgerEvent[] } {
  const events: LedgerEvent[] = []
  return {
    domain: DOMAIN,
    events,
    poll: async ({ cursor }) => ({ events: events.slice(Number(cursor ?? 0)), cursor: String(events.length), waitMs: 100 }),
  }
}

const entry = (event: object): LedgerEvent => ({ status: 'final', id: drawnKey(), atMs: 0, ...event }) as unknown as LedgerEvent

interface Sealed {
  readonly test: TestJob
  readonly lease: Lease
  readonly checker: LocalChecker
  readonly key: SealKey
  readonly ledger: ReturnType<typeof simulatedLedger>
  /** The checker again, as after kill -9: opened on the same store. */
  restart(): LocalChecker
}

async function sealedJob(options: Partial<CheckerOptions> = {}, leased: Partial<Lease> = {}): Promise<Sealed> {
  const secret = drawnKey()
  const folder = mkdtempSync(join(tmpdir(), 'pictor-sealed-'))
  closing.push(() => rmSync(folder, { recursive: true, force: true }))
  const signer = privateKeySigner(drawnKey())
  const ledger = simulatedLedger()
  const artifacts = memoryArtifacts()
  const open = (): LocalChecker => {
    const checker = createChecker({
      signer,
      secret,
      renderer: noiseFarm(SCENE),
      sampling: { full: 0 },
      store: join(folder, 'checker.db'),
      patienceMs: 0,
      artifacts,
      ledger,
      ...options,
    })
    closing.push(() => checker.close?.())
    return checker
  }
  const checker = open()
  const test = await makeJob([signer], { domain: DOMAIN })
  const lease = test.lease(1, [1, 2], leased)
  const set = await test.set(0, [lease])
  ledger.events.push(entry({ type: 'opened', job: test.job.job, setRoot: set.setRoot }))
  const key = await checker.sealing!.key(DOMAIN, { key: 'key' })
  requireSigner(sealKeyDigest(DOMAIN, key.publicKey), key.signature, signer.address, 'key')
  only(await act(checker, { kind: 'ready', job: test.job, set, leases: [lease] }), 'ready')
  return { test, lease, checker, key, ledger, restart: open }
}

/** The lease's frames as its farm seals them; only what is sealed lies among the job's files. `spoil` is what a hostile farm does to each. */
async function seal(
  { test, lease, key }: Sealed,
  spoil: (sealed: Buffer, i: number) => Buffer = (sealed) => sealed,
  secretOf: (i: number) => Buffer = () => FARM_SECRET,
  render = (frame: number): Uint8Array => renderNoise(frame, SCENE),
): Promise<{ commit: Commit; sealed: readonly SealedOutput[]; frames: ReadonlyMap<Bytes32, Uint8Array> }> {
  const sealed: SealedOutput[] = []
  const frames = new Map<Bytes32, Uint8Array>()
  const outputs = []
  for (const [i, frame] of lease.frames.entries()) {
    const picture = render(frame)
    const outputHash = hashOf(picture)
    frames.set(outputHash, picture)
    outputs.push({ frame, part: 0, outputHash, completedAtMs: Date.UTC(2026, 10, 1) })
    const bytes = spoil(await sealedBytes({ test, lease, key }, picture, secretOf(i)), i)
    sealed.push({ outputHash, sealedHash: (await test.files.put(bytes)).hash })
  }
  const commit = await signCommit(test.farm, DOMAIN, { job: test.job.job, lease: lease.id, index: 0, outputs })
  return { commit, sealed, frames }
}

const hashOf = (bytes: Uint8Array): Bytes32 => `0x${createHash('sha256').update(bytes).digest('hex')}`

/** A file as the lease's farm seals it. */
async function sealedBytes(
  { test, lease, key }: Pick<Sealed, 'test' | 'lease' | 'key'>,
  plain: Uint8Array,
  secret: Buffer,
): Promise<Buffer> {
  const head = sealHead(secret, test.job.job, lease.id, [key])
  const fileKey = fileKeyOf(leaseSecretOf(secret, test.job.job, lease.id), hashOf(plain))
  return gathered(sealedFile(head, fileKey, once(plain)))
}

async function gathered(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

const hold = ({ checker, test, lease }: Sealed, commit: Commit, sealed: readonly SealedOutput[]) =>
  act(checker, { kind: 'hold', job: test.job, lease, commit, farm: lease.farm, sealed })

describe('a checker of sealed outputs', () => {
  it('holds, checks and votes on what is in them, and serves the keys of accepted frames once its batch is on the ledger, also after kill -9', async () => {
    const world = await sealedJob()
    const { test, lease, checker, ledger } = world
    const { commit, sealed, frames } = await seal(world)
    only(await hold(world, commit, sealed), 'held')
    for (const hash of frames.keys()) expect(await test.files.has(hash)).toBe(false)
    only(await act(checker, { kind: 'check', job: test.job, lease, commits: [commit], software: [NOISE_BUILD] }), 'checked')
    const { votes, seed } = only(await act(checker, { kind: 'reveal', job: test.job, lease: 1 }), 'votes')
    expect(votes.map(({ verdict }) => verdict)).toEqual(['accept', 'accept'])

    const secret = drawnBytes(32)
    const creator = test.farm
    const ask = async (one: LocalChecker, fields: { signer?: DigestSigner; lease?: number; validUntilS?: number } = {}) => {
      const about = { job: test.job.job, lease: fields.lease ?? 1, validUntilS: fields.validUntilS ?? 2 ** 32 }
      const request = await requestKeys(fields.signer ?? creator, DOMAIN, about, secret)
      return one.sealing!.keys(request, { key: 'keys' }).then(
        (answer) => readKeys(request, answer, secret),
        (error: PictorError) => error.details['reason'],
      )
    }
    expect(await ask(checker)).toBe('not-signed')
    const batch = batchOf(test, lease, [commit], votes)
    only(await act(checker, { kind: 'sign-batch', job: test.job, batch, votes, seeds: [seed] }), 'batch-signature')
    expect(await ask(checker)).toBe('not-attested')
    // A batch of others about the lease, or one that is not final, is not what was signed here.
    const attested = { type: 'attested', job: test.job.job, batch: 1, leases: [1] }
    ledger.events.push(entry({ ...attested, batchHash: `0x${'44'.repeat(32)}` }))
    ledger.events.push({ ...entry({ ...attested, batchHash: batch.batchHash }), status: 'tentative' } as LedgerEvent)
    expect(await ask(checker)).toBe('not-attested')
    await checker.close?.()

    const again = world.restart()
    expect((await again.sealing!.key(DOMAIN, { key: 'key' })).publicKey).toBe(world.key.publicKey)
    ledger.events.push(entry({ ...attested, batchHash: batch.batchHash }))
    expect(await ask(again, { signer: privateKeySigner(drawnKey()) })).toBe('not-creator')
    expect(await ask(again, { validUntilS: 1 })).toBe('expired')
    expect(await ask(again, { lease: 2 })).toBe('not-signed')
    for (const signer of [creator, test.leaseKey]) {
      const keys = (await ask(again, { signer })) as ReadonlyMap<Bytes32, Uint8Array>
      expect([...keys.keys()].sort()).toEqual([...frames.keys()].sort())
      for (const { outputHash, sealedHash } of sealed)
        expect(await gathered(unseal(streamOf(test.files, sealedHash), keys.get(outputHash)!, outputHash))).toEqual(
          Buffer.from(frames.get(outputHash)!),
        )
    }
    // A leaseKey that the creator replaced asks in vain.
    ledger.events.push(entry({ type: 'lease-key-replaced', job: test.job.job, leaseKey: `0x${'55'.repeat(20)}` }))
    expect(await ask(again, { signer: test.leaseKey })).toBe('not-creator')
  })

  it('serves no key of a refused frame', async () => {
    const world = await sealedJob()
    const { test, lease, checker, ledger } = world
    const spoilt = (frame: number) => renderNoise(frame, frame === 2 ? { ...SCENE, samples: 2 } : SCENE)
    const { commit, sealed, frames } = await seal(world, undefined, undefined, spoilt)
    only(await hold(world, commit, sealed), 'held')
    only(await act(checker, { kind: 'check', job: test.job, lease, commits: [commit], software: [NOISE_BUILD] }), 'checked')
    const { votes, seed } = only(await act(checker, { kind: 'reveal', job: test.job, lease: 1 }), 'votes')
    expect(votes.map(({ verdict }) => verdict)).toEqual(['accept', 'refuse'])
    const batch = batchOf(test, lease, [commit], votes)
    only(await act(checker, { kind: 'sign-batch', job: test.job, batch, votes, seeds: [seed] }), 'batch-signature')
    ledger.events.push(entry({ type: 'attested', job: test.job.job, batch: 1, batchHash: batch.batchHash, leases: [1] }))
    const secret = drawnBytes(32)
    const request = await requestKeys(test.farm, DOMAIN, { job: test.job.job, lease: 1, validUntilS: 2 ** 32 }, secret)
    const keys = readKeys(request, await checker.sealing!.keys(request, { key: 'keys' }), secret)
    expect([...keys.keys()]).toEqual([[...frames.keys()][0]])
  })

  it('holds the layers that sealed pictures name, sealed as they are, and neither without the other', async () => {
    const artifacts = memoryArtifacts()
    const world = await sealedJob({ artifacts }, { checkClass: 'sidecar' })
    const layersOf = (frame: number) => Buffer.from(`layers of frame ${frame}`)
    const naming = (frame: number) =>
      encodePng(4, 4, 3, new Uint8Array(48).fill(frame), { text: { 'pictor.layers': hashOf(layersOf(frame)) } })
    const { commit, sealed } = await seal(world, undefined, undefined, naming)
    const layers = async (frame: number, secret = FARM_SECRET, spoil = (bytes: Buffer) => bytes): Promise<SealedOutput> => {
      const { hash } = await world.test.files.put(spoil(await sealedBytes(world, layersOf(frame), secret)))
      return { outputHash: hashOf(layersOf(frame)), sealedHash: hash }
    }
    const reason = async (beside: readonly SealedOutput[]) =>
      only(await hold(world, commit, [...sealed, ...beside]), 'alarm').reason
    expect(await reason([])).toBe('bytes-missing')
    expect(await reason([await layers(1)])).toBe('bytes-missing')
    expect(await reason([await layers(1), await layers(2, Buffer.alloc(32, 6))])).toBe('sealed-otherwise')
    expect(await reason([await layers(1), { ...(await layers(2)), outputHash: hashOf(layersOf(1)) }])).toBe('signature-invalid')
    only(await hold(world, commit, [...sealed, await layers(1), await layers(2)]), 'held')
    for (const frame of [1, 2]) {
      expect(await world.test.files.has(hashOf(layersOf(frame)))).toBe(false)
      expect(Buffer.from(await artifacts.read(hashOf(layersOf(frame))))).toEqual(layersOf(frame))
    }
  })

  it.each([
    ['garbage in place of a sealed file', (bytes: Buffer) => Buffer.alloc(bytes.length, 1), 'invalid-input'],
    ['one byte changed', (bytes: Buffer) => (bytes.writeUInt8(bytes.at(-1)! ^ 1, bytes.length - 1), bytes), 'signature-invalid'],
    ['a file that is cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 40), 'signature-invalid'],
    ['an empty file', () => Buffer.alloc(0), 'invalid-input'],
  ])('does not hold %s', async (_, spoil, reason) => {
    const world = await sealedJob()
    const { commit, sealed } = await seal(world, (bytes, i) => (i === 1 ? spoil(bytes) : bytes))
    expect(only(await hold(world, commit, sealed), 'alarm')).toMatchObject({ action: 'hold', reason })
  })

  it('does not hold what is sealed to others, or with two secrets, or other frames than were committed to, or without files of its own', async () => {
    const world = await sealedJob()
    const two = await seal(world, undefined, (i) => Buffer.alloc(32, i))
    expect(only(await hold(world, two.commit, two.sealed), 'alarm').reason).toBe('sealed-otherwise')
    const stranger = await sealedJob()
    const others = await seal({ ...world, key: stranger.key })
    expect(only(await hold(world, others.commit, others.sealed), 'alarm')).toMatchObject({
      reason: 'invalid-input',
      message: expect.stringContaining('did not seal to this checker') as string,
    })
    const { commit, sealed } = await seal(world)
    const [first, second] = sealed
    const swapped = [
      { ...first!, sealedHash: second!.sealedHash },
      { ...second!, sealedHash: first!.sealedHash },
    ]
    expect(only(await hold(world, commit, swapped), 'alarm').reason).toBe('signature-invalid')
    only(await hold(world, commit, sealed), 'held')

    const plain = createChecker({ signer: privateKeySigner(drawnKey()), secret: drawnKey(), renderer: noiseFarm(SCENE) })
    closing.push(() => plain.close?.())
    await expect(plain.sealing!.key(DOMAIN, { key: 'key' })).rejects.toMatchObject({ details: { reason: 'cannot-seal' } })
  })
})

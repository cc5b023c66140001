import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { folderArtifacts } from '@pictor/core'
import {
  streamOf,
  type Bytes32,
  type CheckerAction,
  type CheckerEvent,
  type LedgerDomain,
  type SealedOutput,
} from '@pictor/core/contract'
import { privateKeySigner, signCommit } from '@pictor/core/proof'
import {
  fileKeyOf,
  leaseSecretOf,
  readKeys,
  requestKeys,
  sealedFile,
  sealHead,
  sealPublicKey,
  unseal,
} from '@pictor/core/sealing'
import { httpChecker, shareFiles } from '@pictor/farm-protocol/checker'
import { drawnBytes, drawnKey } from '../../../scripts/draws.ts'
import { createChecker } from '../src/index.ts'
import { batchOf, makeJob, only, SPEC } from './job.ts'
import { insist, patiently, startDying } from './kill-service.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

/** Large enough for several chunks a picture. */
const SCENE: NoiseScene = { width: 320, height: 240, samples: 8, seed: 1 }
const DOMAIN: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'33'.repeat(20)}` }
const folder = mkdtempSync(join(tmpdir(), 'checker-kill-sealed-'))
const closing: (() => void)[] = []
afterAll(() => {
  for (const close of closing) close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** All files below a folder. */
const filesBelow = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile())
const hashOf = (bytes: Uint8Array): Bytes32 => `0x${createHash('sha256').update(bytes).digest('hex')}`
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
async function gathered(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('killed with -9 while it fetches, opens and keeps what is sealed, a checker votes once and serves its keys; nothing sealed lies open afterwards but what it holds, and no longer than it must', async () => {
  const ledger = (events: readonly object[]): void =>
    writeFileSync(join(folder, 'ledger.json'), JSON.stringify({ domain: DOMAIN, events }))
  ledger([])
  const key = drawnKey()
  const { address } = privateKeySigner(key)
  const runner = folderArtifacts(join(folder, 'runner'))
  const spec = { ...SPEC, output: { ...SPEC.output, width: SCENE.width, height: SCENE.height } }
  const world = await makeJob([{ address }], { files: runner, domain: DOMAIN, spec })
  const { job } = world
  const lease = world.lease(1, [1, 2])
  const set = await world.set(0, [lease])
  const entry = { status: 'final', atMs: 0, job: job.job }
  const openedEvent = { ...entry, id: '1', type: 'opened', setRoot: set.setRoot }
  ledger([openedEvent])

  const service = await startDying(folder, key, 'sealing')
  closing.push(() => service.stop())
  const share = await shareFiles()
  const remote = httpChecker({ url: `http://127.0.0.1:${service.port}`, token: 'a-token-for-tests', address, share })
  const ask = (action: CheckerAction, type: CheckerEvent['type']) => insist(remote, action, (event) => event.type === type)
  only(await ask({ kind: 'ready', job, set, leases: [lease] }, 'ready'), 'ready')

  const sealKey = await patiently('key', () => remote.sealing!.key(DOMAIN, { key: 'seal-key' }))
  const secret = drawnBytes(32)
  const pictures = new Map<Bytes32, Buffer>()
  const sealed: SealedOutput[] = []
  const outputs = []
  for (const frame of lease.frames) {
    const picture = Buffer.from(renderNoise(frame, SCENE))
    expect(picture.length).toBeGreaterThan(2 * 65_536)
    const outputHash = hashOf(picture)
    pictures.set(outputHash, picture)
    outputs.push({ frame, part: 0, outputHash, completedAtMs: Date.UTC(2026, 10, 1) })
    const fileKey = fileKeyOf(leaseSecretOf(secret, job.job, lease.id), outputHash)
    const bytes = await gathered(sealedFile(sealHead(secret, job.job, lease.id, [sealKey]), fileKey, once(picture)))
    sealed.push({ outputHash, sealedHash: (await runner.put(bytes)).hash })
  }
  const commit = await signCommit(world.farm, DOMAIN, { job: job.job, lease: lease.id, index: 0, outputs })
  await ask({ kind: 'hold', job, lease, commit, farm: lease.farm, sealed }, 'held')
  await ask({ kind: 'check', job, lease, commits: [commit] }, 'checked')
  const { votes, seed } = only(await ask({ kind: 'reveal', job, lease: lease.id }, 'votes'), 'votes')
  expect(votes.map(({ verdict }) => verdict)).toEqual(['accept', 'accept'])
  const batch = batchOf(world, lease, [commit], votes)
  await ask({ kind: 'sign-batch', job, batch, votes, seeds: [seed] }, 'batch-signature')
  ledger([openedEvent, { ...entry, id: '2', type: 'attested', batch: 1, batchHash: batch.batchHash, leases: [1] }])

  const own = drawnBytes(32)
  const about = { job: job.job, lease: lease.id, validUntilS: 2 ** 32 }
  const request = await requestKeys(world.farm, DOMAIN, about, own)
  expect(request.recipient).toBe(sealPublicKey(own))
  const answer = await patiently('keys', () => remote.sealing!.keys(request, { key: 'keys' }))
  const keys = readKeys(request, answer, own)
  for (const { outputHash, sealedHash } of sealed) {
    const opened = await gathered(unseal(streamOf(runner, sealedHash), keys.get(outputHash)!, outputHash))
    expect(opened.equals(pictures.get(outputHash)!)).toBe(true)
  }
  service.stop()
  await share.close()

  const boundaries = service.boundaries()
  for (const where of [
    'before keeping a download',
    'after opening chunk 1',
    'after opening the last chunk',
    'after keeping what was sealed',
  ])
    expect(boundaries).toContain(where)

  // What was sealed lies open at the checker where it keeps what it holds, and where it died while it wrote.
  const openAt = (): string[] =>
    filesBelow(folder).filter((path) => {
      const bytes = readFileSync(path)
      return [...pictures.values()].some((picture) => bytes.includes(picture.subarray(1_000, 1_064)))
    })
  const kept = [...pictures.keys()].map((hash) => join(folder, 'files', hash.slice(2, 4), hash.slice(2)))
  const strays = filesBelow(join(folder, 'files', 'tmp'))
  expect(strays.length).toBeGreaterThan(0)
  expect(
    openAt()
      .filter((path) => !strays.includes(path))
      .sort(),
  ).toEqual(kept.sort())
  expect(filesBelow(join(folder, 'partial'))).toEqual([])
  // An hour later the strays go with the next file that is stored, and all of it when the job is over.
  const hourAgo = Date.now() / 1_000 - 3_601
  for (const path of strays) utimesSync(path, hourAgo, hourAgo)
  const artifacts = folderArtifacts(join(folder, 'files'))
  await artifacts.put(Buffer.from('another job'))
  expect(openAt().sort()).toEqual(kept.sort())
  const checker = createChecker({
    signer: privateKeySigner(key),
    renderer: noiseFarm(SCENE),
    store: join(folder, 'checker.db'),
    artifacts,
    now: () => (job.terms.refundAfterS + job.terms.resolveByS + 1) * 1_000,
  })
  await checker.sweep(0, async (hash) => rmSync(join(folder, 'files', hash.slice(2, 4), hash.slice(2)), { force: true }))
  await checker.close?.()
  expect(openAt()).toEqual([])
}, 300_000)

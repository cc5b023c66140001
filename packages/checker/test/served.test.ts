import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { folderArtifacts } from '@pictor/core'
import { isPictorError, type Checker } from '@pictor/core/contract'
import { privateKeySigner, requireSigner, batchDigest, finalDigest, sha256Hex } from '@pictor/core/proof'
import { httpChecker, serveChecker, shareFiles, type CheckerServer } from '@pictor/farm-protocol/checker'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker, type CheckerOptions } from '../src/index.ts'
import { encodePng } from '@pictor/image'
import { act, batchOf, checkLease, makeJob, only, SPEC } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
const TOKEN = 'a-token-for-tests'
const honest = (frames: readonly number[]) => new Map(frames.map((frame) => [frame, renderNoise(frame, SCENE)]))

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'served-'))
  closing.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A checker that keeps everything below `folder`, and its server. */
async function serve(folder: string, key: `0x${string}`, options: Partial<CheckerOptions> = {}) {
  const farm = noiseFarm(SCENE)
  const checker = createChecker({
    signer: privateKeySigner(key),
    secret: key,
    renderer: farm,
    store: join(folder, 'checker.db'),
    sampling: { full: 0 },
    patienceMs: 2_000,
    ...options,
  })
  const server = await serveChecker(checker, {
    tokens: [
      { token: TOKEN },
      { token: 'the-token-of-a-stranger', tenant: 'stranger' },
      { token: 'a-token-for-metrics', scopes: ['metrics'] },
    ],
    files: folderArtifacts(join(folder, 'files')),
    partial: join(folder, 'partial'),
    inbox: join(folder, 'inbox.db'),
  })
  const close = async (): Promise<void> => {
    await server.close()
    await checker.close?.()
  }
  closing.push(close)
  return { checker, server, farm, close }
}

async function connect(server: CheckerServer, address: `0x${string}`): Promise<Checker> {
  const share = await shareFiles()
  closing.push(() => share.close())
  return httpChecker({ url: server.url, token: TOKEN, address, share })
}

test('a lease goes its whole way over HTTP: scene and frames fetched by hash, votes, pictures, signatures', async () => {
  const folder = temporary()
  const signer = privateKeySigner(drawnKey())
  const key = drawnKey()
  const { server } = await serve(folder, key)
  const remote = await connect(server, privateKeySigner(key).address)
  const test = await makeJob([remote, signer, privateKeySigner(drawnKey())], {
    files: folderArtifacts(join(folder, 'runner')),
  })
  const lease = test.lease(1, [1, 2])
  const frames = new Map([...honest([1]), [2, renderNoise(2, { ...SCENE, samples: 2 })]])
  const { votes, reports } = await checkLease(remote, test, lease, frames)
  expect(votes.map((vote) => vote.verdict)).toEqual(['accept', 'refuse'])
  // The difference picture came along with the votes.
  expect(await test.files.has(reports[1]!.picture!)).toBe(true)
  const { job } = test
  const keep = lease.price + 200n
  const final = only(await act(remote, { kind: 'sign-final', job, keep }), 'final-signature')
  requireSigner(finalDigest(job.domain, job.job, keep), final.signature.signature, remote.address, 'signature')
})

test('a batch is signed over HTTP', async () => {
  const folder = temporary()
  const key = drawnKey()
  const { server } = await serve(folder, key)
  const remote = await connect(server, privateKeySigner(key).address)
  const test = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const lease = test.lease(1, [1, 2])
  const { votes, seed, commit, reports } = await checkLease(remote, test, lease, honest([1, 2]))
  const { job } = test
  const batch = batchOf(test, lease, [commit], votes)
  const shown = reports.map((report) => ({ ...report, checker: remote.address }))
  const signed = only(
    await act(remote, { kind: 'sign-batch', job, batch, votes, seeds: [seed], reports: shown }),
    'batch-signature',
  )
  requireSigner(batchDigest(job.domain, batch), signed.signature.signature, remote.address, 'signature')
})

test('a killed checker does by itself what it had taken, once it is back', async () => {
  const folder = temporary()
  const key = drawnKey()
  const first = await serve(folder, key, { renderer: noiseFarm(SCENE, { failing: true }) })
  const remote = await connect(first.server, privateKeySigner(key).address)
  const test = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const { job } = test
  const lease = test.lease(1, [1, 2])
  only(await act(remote, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const commit = await test.commit(lease, honest([1, 2]))
  only(await act(remote, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
  // Taken and acknowledged; closed before the lane comes to it, as a kill would.
  const sent = remote.send({ kind: 'check', job, lease, commits: [commit] }, { key: 'the check' })
  await sent
  await first.close()
  // Nothing is sent again: the inbox of the new process knows.
  const second = await serve(folder, key)
  for (let i = 0; i < 6_000; i++) {
    const { events } = await second.checker.poll({ job: job.job }, { key: 'poll' })
    if (events.some((event) => event.type === 'checked')) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { events } = await second.checker.poll({ job: job.job }, { key: 'poll' })
  expect(events.map((event) => event.type)).toContain('checked')
})

test('strangers see nothing, tokens are needed, another checker behind the URL gets no scene', async () => {
  const folder = temporary()
  const key = drawnKey()
  const { server } = await serve(folder, key)
  const share = await shareFiles()
  closing.push(() => share.close())
  const { address } = privateKeySigner(key)
  const remote = httpChecker({ url: server.url, token: TOKEN, address, share })
  const test = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const lease = test.lease(1, [1])
  await checkLease(remote, test, lease, honest([1]))
  const stranger = httpChecker({ url: server.url, token: 'the-token-of-a-stranger', address, share })
  expect((await stranger.poll({ job: test.job.job }, { key: 'poll' })).events).toEqual([])
  await expect(stranger.send({ kind: 'reveal', job: test.job, lease: 1 }, { key: 'x' })).rejects.toThrow('not known')
  const nobody = httpChecker({ url: server.url, token: 'no-token-of-this-checker', address, share })
  await expect(nobody.poll({ job: test.job.job }, { key: 'poll' })).rejects.toThrow('bearer')
  const other = httpChecker({ url: server.url, token: TOKEN, address: `0x${'33'.repeat(20)}`, share })
  await expect(other.send({ kind: 'reveal', job: test.job, lease: 1 }, { key: 'x' })).rejects.toThrow('is the checker')
  const metrics = await fetch(`${server.url}/v1/metrics`, { headers: { authorization: 'Bearer a-token-for-metrics' } })
  expect(await metrics.text()).toMatch(/pictor_checker_requests_total\{operation="act",status="202"\} \d+/)
  expect(await (await fetch(`${server.url}/v1/health`)).json()).toMatchObject({ status: 'ok', address })
})

test('files are shared for the asked job only, resume in the middle, and wrong bytes are never handed on', async () => {
  const folder = temporary()
  const share = await shareFiles()
  closing.push(() => share.close())
  const files = folderArtifacts(join(folder, 'runner'))
  const one = await files.put(new Uint8Array(100_000).fill(7))
  const secret = await files.put(new Uint8Array(10))
  const [job, other] = [`0x${'01'.repeat(32)}`, `0x${'02'.repeat(32)}`] as const
  const source = share.grant(job, files, [one.hash])
  const get = (url: string, token: string, headers: Record<string, string> = {}) =>
    fetch(`${share.url}/v1/jobs/${url}`, { headers: { authorization: `Bearer ${token}`, ...headers } })
  expect((await get(`${job}/files/${one.hash}`, source.token)).status).toBe(200)
  const rest = await get(`${job}/files/${one.hash}`, source.token, { range: 'bytes=99990-' })
  expect([rest.status, (await rest.arrayBuffer()).byteLength]).toEqual([206, 10])
  expect((await get(`${job}/files/${one.hash}`, source.token, { range: 'bytes=100000-' })).status).toBe(416)
  expect((await get(`${job}/files/${secret.hash}`, source.token)).status).toBe(404)
  expect((await get(`${other}/files/${one.hash}`, source.token)).status).toBe(401)
  expect((await get(`${job}/files/${one.hash}`, 'wrong')).status).toBe(401)
})

test('a runner that serves other bytes than it names is found out and nothing is kept', async () => {
  const folder = temporary()
  const liar = createServer((request, response) => {
    const body = Buffer.from('not a scene')
    response.writeHead(200, { 'content-length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve))
  closing.push(() => liar.close())
  const key = drawnKey()
  const { server } = await serve(folder, key)
  const lying = {
    url: `http://127.0.0.1:${(liar.address() as AddressInfo).port}`,
    grant: () => ({ url: lying.url, token: 'whatever-token-it-is' }),
    close: async () => {},
  }
  const remote = httpChecker({ url: server.url, token: TOKEN, address: privateKeySigner(key).address, share: lying })
  const test = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const lease = test.lease(1, [1])
  const alarm = only(
    await act(remote, { kind: 'ready', job: test.job, set: await test.set(0, [lease]), leases: [lease] }),
    'alarm',
  )
  expect(alarm).toMatchObject({ action: 'ready', reason: 'hash' })
  expect(await folderArtifacts(join(folder, 'files')).has(sha256Hex(new TextEncoder().encode('not a scene')))).toBe(false)
})

test('layers that a picture names are held with it', async () => {
  const folder = temporary()
  const key = drawnKey()
  const { server } = await serve(folder, key)
  const remote = await connect(server, privateKeySigner(key).address)
  const runner = folderArtifacts(join(folder, 'runner'))
  const test = await makeJob([remote], { files: runner, spec: { ...SPEC, checkClass: 'sidecar' } })
  const layers = await runner.put(new TextEncoder().encode('layers'))
  const lease = test.lease(1, [1], { checkClass: 'sidecar' })
  const { job } = test
  only(await act(remote, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] }), 'ready')
  const picture = encodePng(4, 4, 3, new Uint8Array(48), { text: { 'pictor.layers': layers.hash } })
  const commit = await test.commit(lease, new Map([[1, picture]]))
  only(await act(remote, { kind: 'hold', job, lease, commit, farm: lease.farm }), 'held')
  expect(await folderArtifacts(join(folder, 'files')).has(layers.hash)).toBe(true)
})

test('a runner that is away for a moment costs no alarm', async () => {
  const folder = temporary()
  const key = drawnKey()
  const { server } = await serve(folder, key)
  const remote = await connect(server, privateKeySigner(key).address)
  const test = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const lease = test.lease(1, [1])
  // Its files appear half a second after it was asked about.
  const files = { ...test.job.files }
  const opensAtMs = Date.now() + 500
  files.path = (hash) => (Date.now() < opensAtMs ? Promise.reject(new Error('the disk sleeps')) : test.job.files.path(hash))
  const job = { ...test.job, files }
  const events = await act(remote, { kind: 'ready', job, set: await test.set(0, [lease]), leases: [lease] })
  expect(events.map((event) => event.type)).toEqual(['ready'])
})

test('what is no action is refused with the field that is wrong', async () => {
  const folder = temporary()
  const { server } = await serve(folder, drawnKey())
  const post = async (body: unknown, headers: Record<string, string> = { 'idempotency-key': 'k' }) => {
    const response = await fetch(`${server.url}/v1/actions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, error: ((await response.json()) as { error?: { message: string } }).error?.message }
  }
  expect(await post('{')).toMatchObject({ status: 400 })
  expect(await post({ kind: 'dance' })).toMatchObject({ status: 400, error: expect.stringContaining('body.kind') as string })
  expect(await post({ kind: 'ready' })).toMatchObject({ status: 400, error: expect.stringContaining('body.job') as string })
  expect(await post({ kind: 'ready' }, { 'idempotency-key': '' })).toMatchObject({ status: 400 })
  const error = (() => {
    try {
      return httpChecker({ url: 'http://10.0.0.1', token: TOKEN, address: `0x${'11'.repeat(20)}`, share: undefined as never })
    } catch (thrown) {
      return thrown
    }
  })()
  expect(isPictorError(error, 'invalid-input')).toBe(true)
})

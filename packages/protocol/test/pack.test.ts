import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { Network } from '@pictor/core/conformance'
import type { Artifacts, BundleManifest } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'
import { drawnBytes } from '../../../scripts/draws.ts'
import { memoryArtifacts } from '../../core/src/artifacts/index.ts'
import { smallFarm } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm, type FetchLike, type ServeFarmOptions } from '../src/index.ts'
import { MAX_PACK_BYTES, MAX_PACKED_FILE, packFiles, packGroups, unpackFiles } from '../src/pack.ts'
import { sendFiles } from '../src/send-files.ts'
import { farmHttp } from '../src/farm-http.ts'
import { served, TOKEN, type Served } from './served.ts'

const shaOf = (bytes: Uint8Array): `0x${string}` => `0x${createHash('sha256').update(bytes).digest('hex')}`
const hashed = (data: Uint8Array) => ({ hash: shaOf(data), data })

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function unpacked(bytes: Uint8Array, size = 1000): Promise<Buffer[]> {
  const found: Buffer[] = []
  for await (const { data } of unpackFiles(inChunks(bytes, size))) found.push(Buffer.from(data))
  return found
}

describe('a pack', () => {
  it('gives back its files, however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 700 }),
        async (files, size) => {
          expect(await unpacked(packFiles(files.map(hashed)), size)).toEqual(files.map((one) => Buffer.from(one)))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('is refused with more in it than its limits, than it says, or less', async () => {
    const refused = { code: 'invalid-input' }
    const good = packFiles([hashed(drawnBytes(100)), hashed(drawnBytes(50))])
    await expect(unpacked(good.subarray(0, -1))).rejects.toMatchObject({ ...refused, details: { path: 'body.files[1]' } })
    await expect(unpacked(Buffer.concat([good, Buffer.alloc(1)]))).rejects.toMatchObject(refused)
    await expect(unpacked(Buffer.from([0xff, 0xff, 0xff, 0xff]))).rejects.toMatchObject(refused)
    const headed = (files: unknown): Buffer => {
      const head = Buffer.from(JSON.stringify({ files }))
      const length = Buffer.alloc(4)
      length.writeUInt32BE(head.length)
      return Buffer.concat([length, head])
    }
    // Sizes are judged by what the head says, before any byte of a file is taken.
    const huge = { hash: shaOf(Buffer.alloc(0)), bytes: MAX_PACKED_FILE }
    const many = Array.from({ length: MAX_PACK_BYTES / MAX_PACKED_FILE + 1 }, () => huge)
    await expect(unpacked(headed(many))).rejects.toMatchObject(refused)
    await expect(unpacked(headed([{ ...huge, bytes: MAX_PACKED_FILE + 1 }]))).rejects.toMatchObject(refused)
    await expect(unpacked(headed([{ ...huge, bytes: -1 }]))).rejects.toMatchObject(refused)
    await expect(unpacked(headed('all of them'))).rejects.toMatchObject(refused)
  })

  it('is within its limits when the client makes it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 * MAX_PACKED_FILE }), { maxLength: 200 }), (sizes) => {
        const groups = packGroups(sizes.map((bytes) => ({ hash: shaOf(Buffer.alloc(0)), bytes })))
        expect(groups.flat().length).toBe(sizes.filter((bytes) => bytes <= MAX_PACKED_FILE).length)
        for (const group of groups) {
          expect(group.length).toBeGreaterThan(0)
          expect(group.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(MAX_PACK_BYTES)
        }
      }),
    )
  })
})

describe('many small files', () => {
  const open: Served[] = []
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close()
  })

  async function host(options: Partial<ServeFarmOptions> = {}) {
    const { farm } = await smallFarm({ scenario: 'plain', network: new Network() })
    const one = await served(farm, options)
    open.push(one)
    const requests: string[] = []
    let before: ((path: string, init: RequestInit | undefined) => Response | undefined) | undefined
    const counting: FetchLike = async (input, init) => {
      const { pathname } = new URL(input instanceof Request ? input.url : input)
      requests.push(pathname.replace(/0x.*/, ''))
      return before?.(pathname, init) ?? fetch(input, init)
    }
    const http = farmHttp({ url: one.server.url, headers: { authorization: `Bearer ${TOKEN}` }, fetch: counting })
    return {
      ...one,
      requests,
      on: (hook: typeof before) => (before = hook),
      send: (bundle: BundleManifest, files: Artifacts) => sendFiles(http, 'v1', bundle, files, { key: 'k' }),
    }
  }
  async function bundleOf(count: number, seed: string): Promise<{ bundle: BundleManifest; files: Artifacts }> {
    const files = memoryArtifacts()
    const list = []
    for (let i = 0; i < count; i++)
      list.push({ path: `tex/${String(i).padStart(5, '0')}.png`, ...(await files.put(Buffer.from(`${seed} ${i} `.repeat(40)))) })
    return { files, bundle: { root: bundleRoot(list), entry: list[0]!.path, files: list } }
  }

  it('are staged in a few requests, within the usual rate of a token', async () => {
    const at = await host({ rate: { perSecond: 50, burst: 200 } })
    const { bundle, files } = await bundleOf(2000, 'a')
    await at.send(bundle, files)
    expect(at.requests).toEqual(['/v1/stages/missing', '/v1/packs'])
    for (const { hash } of bundle.files) expect(await at.files.has(hash)).toBe(true)
    // Only what is missing is sent: of a bundle with one more file, that one.
    const more = await files.put(Buffer.from('one more'))
    const next = [...bundle.files, { path: 'tex/new.png', ...more }]
    await at.send({ ...bundle, root: bundleRoot(next), files: next }, files)
    expect(at.requests.slice(2)).toEqual(['/v1/stages/missing', '/v1/files/', '/v1/files/'])
  })

  it('that had arrived when a connection broke are not sent again', async () => {
    const at = await host()
    const { bundle, files } = await bundleOf(40, 'b')
    const parts = await Promise.all(bundle.files.map(async ({ hash }) => ({ hash, data: await files.read(hash) })))
    const body = packFiles(parts)
    const cut = body.length - 3_000
    // The real thing: a client that is cut off in the middle of the body.
    await new Promise<void>((resolve) => {
      const socket = connect(at.server.port, '127.0.0.1', () => {
        socket.write(
          `POST /v1/packs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: ${body.length}\r\n\r\n`,
        )
        socket.write(body.subarray(0, cut), () => setTimeout(() => socket.destroy(), 50))
      })
      socket.on('close', () => resolve())
      socket.on('error', () => {})
    })
    const kept = await Promise.all(bundle.files.map(({ hash }) => at.files.has(hash)))
    expect(kept.filter(Boolean).length).toBeGreaterThan(10)
    expect(kept.filter(Boolean).length).toBeLessThan(40)
    await at.send(bundle, files)
    for (const { hash } of bundle.files) expect(await at.files.has(hash)).toBe(true)
  })

  it('are sent again by themselves where a try failed, and one by one to a farm that knows no packs', async () => {
    const at = await host()
    const { bundle, files } = await bundleOf(5, 'c')
    let fails = 2
    at.on((path) => (path === '/v1/packs' && fails-- > 0 ? new Response('', { status: 503 }) : undefined))
    await at.send(bundle, files)
    expect(at.requests.filter((path) => path === '/v1/packs')).toHaveLength(3)

    const old = await host()
    old.on((path) => (path === '/v1/packs' ? new Response('', { status: 404 }) : undefined))
    await old.send(bundle, files)
    for (const { hash } of bundle.files) expect(await old.files.has(hash)).toBe(true)
  })

  it('are refused with bytes that are not what their hash says, and beyond the quota of a tenant', async () => {
    const at = await host({ maxTenantBytes: 1000 })
    const post = (body: Uint8Array) =>
      fetch(`${at.server.url}/v1/packs`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}` },
        body: body as unknown as BodyInit,
      })
    const [good, bad] = [drawnBytes(100), drawnBytes(100)]
    const wrong = await post(packFiles([hashed(good), { hash: shaOf(good), data: bad }, { hash: shaOf(bad), data: good }]))
    expect(wrong.status).toBe(422)
    expect(await at.files.has(shaOf(good))).toBe(true)
    expect(await at.files.has(shaOf(bad))).toBe(false)
    expect((await post(packFiles([hashed(drawnBytes(901))]))).status).toBe(413)
    expect((await post(packFiles([hashed(drawnBytes(900))]))).status).toBe(201)
    const none = await fetch(`${at.server.url}/v1/packs`, { method: 'POST', body: 'x' })
    expect(none.status).toBe(401)
  })

  it('are a stage that a client can submit with', async () => {
    const { farm, job, files } = await smallFarm({ scenario: 'plain', network: new Network() })
    const one = await served(farm)
    open.push(one)
    const client = remoteFarm({ url: one.server.url, token: TOKEN })
    expect((await client.stage(job.bundle, files, { key: 's' })).ref).not.toBe('')
  })
})

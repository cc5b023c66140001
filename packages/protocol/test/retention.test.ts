import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Network } from '@pictor/core/conformance'
import type { Artifacts, BundleManifest } from '@pictor/core/contract'
import { afterEach, describe, expect, it } from 'vitest'
import { folderArtifacts } from '../../core/src/artifacts/index.ts'
import { smallFarm } from '../../core/test/conformance/small-farm.ts'
import { packFiles } from '../src/pack.ts'
import { remoteFarm, serveFarm } from '../src/index.ts'
import { uploadsInto, type Uploads } from '../src/server/uploads.ts'
import { TOKEN } from './served.ts'

const DAY_MS = 86_400_000
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pictor-retention-'))
  closing.push(() => rm(path, { recursive: true, force: true }))
  return path
}

const bodyOf = (bytes: Uint8Array): IncomingMessage => Readable.from([bytes]) as IncomingMessage
const file = (text: string) => {
  const data = Buffer.from(text)
  return { data, bytes: data.length, hash: `0x${createHash('sha256').update(data).digest('hex')}` as const }
}
const manifest = (...files: readonly ReturnType<typeof file>[]) =>
  ({ files: files.map(({ hash, bytes }, i) => ({ path: String(i), hash, bytes })) }) as unknown as BundleManifest

/** The desk for uploads, at a time of its own; `restart` is the same folder in a new process. */
async function desk(maxTenantBytes: number) {
  const root = await folder()
  const files: Artifacts = folderArtifacts(join(root, 'files'))
  let day = 0
  const start = (): Uploads => {
    const uploads = uploadsInto(files, {
      folder: join(root, 'uploads'),
      maxFileBytes: 1000,
      maxTenantBytes,
      now: () => day * DAY_MS,
    })
    closing.push(() => uploads.close())
    return uploads
  }
  let uploads = start()
  const send = (tenant: string, { data, hash }: ReturnType<typeof file>, sent = data.length) =>
    uploads.put(tenant, hash, { offset: 0, bytes: data.length }, bodyOf(data.subarray(0, sent)))
  const restart = (): void => {
    uploads.close()
    closing.pop()
    uploads = start()
  }
  return {
    files,
    send,
    restart,
    at: (d: number) => (day = d),
    desk: () => uploads,
    partial: async () => (await readdir(join(root, 'uploads'))).filter((name) => !name.startsWith('book.db')),
  }
}

describe('what tenants sent', () => {
  it('counts against their quota after a restart too, parts and packs included', async () => {
    const { send, restart, desk: uploads } = await desk(100)
    await send('a', file('x'.repeat(40)))
    await send('a', file('y'.repeat(30)), 10) // breaks off
    restart()
    await expect(send('a', file('z'.repeat(31)))).rejects.toMatchObject({ status: 413 })
    const small = file('p'.repeat(31))
    await expect(uploads().putPack('a', bodyOf(packFiles([small])))).rejects.toMatchObject({ status: 413 })
    await uploads().putPack('a', bodyOf(packFiles([file('p'.repeat(30))])))
    restart()
    await expect(send('a', file('q'))).rejects.toMatchObject({ status: 413 })
    await send('b', file('q')) // another tenant has a quota of its own
    // A file that is finished counts once.
    const rest = file('y'.repeat(30))
    expect(await uploads().offset('a', rest.hash)).toEqual({ offset: 10, complete: false })
    const end = await uploads().put('a', rest.hash, { offset: 10, bytes: 30 }, bodyOf(rest.data.subarray(10)))
    expect(end.complete).toBe(true)
  })

  it('stays theirs after a restart: nothing is sent twice, and nobody is lent another’s', async () => {
    const { send, restart, desk: uploads } = await desk(1000)
    const one = file('mine')
    await send('a', one)
    restart()
    expect(await uploads().missing('a', manifest(one))).toEqual([])
    expect(await uploads().missing('b', manifest(one))).toEqual([one.hash])
  })

  it('is swept when it was not used for long, not while anybody uses it, and then asked for again', async () => {
    const { send, restart, desk: uploads, files, at, partial } = await desk(100)
    const [used, shared, old] = [file('used '.repeat(8)), file('shared'), file('old '.repeat(10))]
    for (const one of [used, shared, old]) await send('a', one)
    await send('b', shared)
    await send('b', file('never finished'), 3)
    at(20)
    expect(await uploads().missing('a', manifest(used))).toEqual([])
    expect(await uploads().missing('b', manifest(shared))).toEqual([])
    restart()
    at(31)
    expect(await uploads().sweep(30 * DAY_MS)).toBe(3) // a's shared and old, b's part
    expect([await files.has(used.hash), await files.has(shared.hash), await files.has(old.hash)]).toEqual([true, true, false])
    expect(await partial()).toEqual([])
    expect(await uploads().missing('a', manifest(used, shared, old))).toEqual([shared.hash, old.hash])
    expect(await uploads().missing('b', manifest(shared))).toEqual([])
    await send('a', old) // its quota is free again
    expect(await uploads().missing('a', manifest(old))).toEqual([])
  })

  it('is asked for again when somebody removed it behind the farm’s back', async () => {
    const { send, desk: uploads, files } = await desk(100)
    const one = file('gone')
    await send('a', one)
    await rm(await files.path(one.hash))
    expect(await uploads().missing('a', manifest(one))).toEqual([one.hash])
    await send('a', one)
    expect(await uploads().missing('a', manifest(one))).toEqual([])
  })
})

it('a client that comes back to a swept farm sends its bundle again by itself', async () => {
  const root = await folder()
  const { farm, job, files } = await smallFarm({ scenario: 'plain', network: new Network() })
  const kept = folderArtifacts(join(root, 'files'))
  const serve = async (keepMs?: number) => {
    const server = await serveFarm(farm, {
      tokens: [{ token: TOKEN, tenant: 'a' }],
      files: kept,
      uploads: join(root, 'uploads'),
      rate: { perSecond: 10_000, burst: 10_000 },
      ...(keepMs === undefined ? {} : { keepMs }),
    })
    return { server, client: remoteFarm({ url: server.url, token: TOKEN }) }
  }
  const one = await serve()
  await one.client.stage(job.bundle, files, { key: 's1' })
  await one.server.close()
  const two = await serve(-1) // longer ago than the present: everything
  closing.push(() => two.server.close())
  for (const { hash } of job.bundle.files) expect(await kept.has(hash)).toBe(false)
  expect((await two.client.stage(job.bundle, files, { key: 's2' })).ref).not.toBe('')
  for (const { hash } of job.bundle.files) expect(await kept.has(hash)).toBe(true)
})

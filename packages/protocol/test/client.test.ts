import { http, HttpResponse, delay } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Network } from '@pictor/core/conformance'
import type { Output } from '@pictor/core/contract'
import { smallFarm, smallTask } from '../../core/test/conformance/small-farm.ts'
import { farmHttp, pathOf, readHint, remoteFarm, retryAfter, serveFarm, signHint, SIGNATURE_HEADER } from '../src/index.ts'
import { served, TOKEN } from './served.ts'

const FARM = 'https://farm.example'
const network = setupServer()
beforeAll(() => network.listen({ onUnhandledFrame: 'bypass' }))
afterEach(() => network.resetHandlers())
afterAll(() => network.close())

const farm = () => remoteFarm({ url: FARM, token: TOKEN })
const ctx = { key: 'the-key' }
const output: Output = {
  task: { farm: 'farm.example', ref: 'a/../b' },
  frame: 1,
  part: 0,
  layer: 'L',
  name: 'ä & b.png',
  bytes: 10,
  hash: `0x${'0'.repeat(64)}`,
  completedAtMs: 1,
}

describe('the client at the network boundary', () => {
  it('sends the token, encodes names and asks for the range', async () => {
    let seen: Request | undefined
    network.use(
      http.get(`${FARM}/*`, ({ request }) => {
        seen = request
        return new HttpResponse('456789', { status: 206 })
      }),
    )
    const body = await farm().open(output, { offset: 4 }, ctx)
    expect('stream' in body && body.bytes).toBe(6)
    const url = new URL(seen!.url)
    expect(url.pathname).toBe('/v1/tasks/a%2F..%2Fb/output')
    expect(url.searchParams.get('name')).toBe('ä & b.png')
    expect(seen!.headers.get('authorization')).toBe(`Bearer ${TOKEN}`)
    expect(seen!.headers.get('range')).toBe('bytes=4-')
  })

  it('skips what a server without ranges sends again', async () => {
    network.use(http.get(`${FARM}/*`, () => new HttpResponse('0123456789', { status: 200 })))
    const body = await farm().open(output, { offset: 4 }, ctx)
    expect(await text(body)).toBe('456789')
  })

  it('refuses files that are longer than announced, and pictures larger than their spec', async () => {
    network.use(http.get(`${FARM}/*`, () => new HttpResponse('0123456789ABC')))
    await expect(farm().open(output, { offset: 0 }, ctx).then(text)).rejects.toMatchObject({ code: 'farm-refused' })
    await expect(farm().open({ ...output, bytes: 2 ** 40 }, { offset: 0 }, ctx)).rejects.toMatchObject({ code: 'farm-refused' })
  })

  it('gives up a download that stands still', async () => {
    const fetch = async () => new Response(new ReadableStream({ start: (control) => control.enqueue(new Uint8Array(3)) }))
    const slow = remoteFarm({ url: FARM, token: TOKEN, stallMs: 60, fetch })
    await expect(slow.open(output, { offset: 0 }, ctx).then(text)).rejects.toMatchObject({ code: 'timeout' })
  })

  it('tells the four reasons of an output that is not there apart', async () => {
    for (const [status, unavailable] of [
      [402, 'payment'],
      [425, 'not-yet'],
      [410, 'expired'],
      [410, 'gone'],
    ] as const) {
      network.use(http.get(`${FARM}/*`, () => HttpResponse.json({ unavailable }, { status })))
      expect(await farm().open(output, { offset: 0 }, ctx)).toEqual({ unavailable })
    }
  })

  it('follows no redirect, also not to the same host', async () => {
    let followed = false
    network.use(
      http.get(`${FARM}/v1/farm`, () => new HttpResponse(null, { status: 302, headers: { location: 'http://127.0.0.1:1/' } })),
      http.get('http://127.0.0.1:1/', () => {
        followed = true
        return HttpResponse.json({})
      }),
    )
    await expect(farm().describe(ctx)).rejects.toMatchObject({ code: 'farm-refused', details: { status: 302 } })
    expect(followed).toBe(false)
  })

  it('does not let a farm speak for the ledger', async () => {
    network.use(
      http.get(`${FARM}/*`, () =>
        HttpResponse.json({ error: { code: 'ledger-refused', message: 'x', details: {} } }, { status: 422 }),
      ),
    )
    await expect(farm().describe(ctx)).rejects.toMatchObject({ code: 'farm-refused' })
  })

  it('ends at the deadline and at the abort, and sends the key with mutations', async () => {
    network.use(
      http.post(`${FARM}/*`, async ({ request }) =>
        HttpResponse.json({ result: request.headers.get('idempotency-key') === 'the-key' ? 'done' : 'manual' }),
      ),
    )
    expect(await farm().set(output.task, { priority: 1 }, ctx)).toBe('done')
    network.use(http.get(`${FARM}/*`, () => delay('infinite')))
    await expect(farm().describe({ ...ctx, deadlineAtMs: Date.now() + 40 })).rejects.toMatchObject({ code: 'timeout' })
  })

  it.each(['ftp://farm.example', 'http://farm.example', 'https://user:pw@farm.example', 'farm'])('refuses the URL %s', (url) => {
    expect(() => remoteFarm({ url, token: TOKEN })).toThrowError(expect.objectContaining({ code: 'invalid-input' }))
  })

  it('refuses a token that cannot be a header', () => {
    expect(() => remoteFarm({ url: FARM, token: 'line\nbreak-0123456789' })).toThrowError(
      expect.objectContaining({ code: 'invalid-input' }),
    )
  })
})

async function text(body: Awaited<ReturnType<ReturnType<typeof farm>['open']>>): Promise<string> {
  if (!('stream' in body)) throw new Error(body.unavailable)
  const chunks: Uint8Array[] = []
  for await (const chunk of body.stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('farmHttp', () => {
  it('keeps names from becoming path syntax', () => {
    expect(pathOf('a/b', '..', 'c d', 7)).toBe('a%2Fb/%2E%2E/c%20d/7')
  })
  it('stays on its origin', async () => {
    const api = farmHttp({ url: FARM })
    await expect(api.call({ path: 'https://evil.example/x' }, ctx)).rejects.toMatchObject({ code: 'invalid-input' })
  })
  it('reads Retry-After in seconds and as a date', () => {
    expect(retryAfter('7')).toBe(7_000)
    expect(retryAfter('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('2015-10-21T07:27:50Z'))).toBe(10_000)
    expect(retryAfter('soon')).toBeUndefined()
    expect(retryAfter(null)).toBeUndefined()
    expect(retryAfter('999999999')).toBe(86_400_000)
  })
})

describe('webhooks', () => {
  const secret = 'agreed-secret-0123'
  const body = Buffer.from('{"tasks":["t1"]}')
  it('are read when signature and time fit, and refused otherwise', () => {
    const headers = { 'Pictor-Signature': signHint(secret, body, 1_000_000) }
    expect(readHint(secret, headers, body, 1_100_000)).toEqual(['t1'])
    const refused = expect.objectContaining({ code: 'signature-invalid' })
    expect(() => readHint('another-secret-012', headers, body, 1_100_000)).toThrowError(refused)
    expect(() => readHint(secret, headers, Buffer.from('{"tasks":["t2"]}'), 1_100_000)).toThrowError(refused)
    expect(() => readHint(secret, headers, body, 1_400_000)).toThrowError(refused)
    expect(() => readHint(secret, {}, body, 1_100_000)).toThrowError(refused)
    const nonsense = Buffer.from('[]')
    const signed = { [SIGNATURE_HEADER]: signHint(secret, nonsense, 0) }
    expect(() => readHint(secret, signed, nonsense, 0)).toThrowError(expect.objectContaining({ code: 'invalid-input' }))
  })

  it('tell the receiver which task to poll', async () => {
    const subject = await smallFarm({ scenario: 'plain', network: new Network() })
    const got: { headers: Record<string, string>; body: Uint8Array }[] = []
    network.use(
      http.post('https://studio.example/hook', async ({ request }) => {
        got.push({ headers: Object.fromEntries(request.headers), body: new Uint8Array(await request.arrayBuffer()) })
        return new HttpResponse(null, { status: 204 })
      }),
    )
    const { server, close } = await served(subject.farm, { hints: [{ url: 'https://studio.example/hook', secret }] })
    const client = remoteFarm({ url: server.url, token: TOKEN, id: 'host', hintSecret: secret })
    const stage = await client.stage(subject.job.bundle, subject.files, ctx)
    const ref = await client.submit(smallTask(subject.job, stage, [1], 'probe'), ctx)
    await subject.advance!(10)
    await expect.poll(() => got.length).toBeGreaterThan(0)
    expect(await client.hint!(got[0]!.headers, got[0]!.body)).toEqual([{ farm: 'host', ref: ref.ref }])
    await close()
  })
})

describe('serveFarm', () => {
  it('says when its port is taken', async () => {
    const subject = await smallFarm({ scenario: 'plain', network: new Network() })
    const { server, close } = await served(subject.farm)
    const again = serveFarm(subject.farm, {
      tokens: [{ token: TOKEN }],
      files: subject.files,
      uploads: '/tmp',
      port: server.port,
    })
    await expect(again).rejects.toMatchObject({ code: 'conflict', cause: { code: 'EADDRINUSE' } })
    await close()
  })
})

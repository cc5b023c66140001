import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Network, type FarmSubject } from '@pictor/core/conformance'
import type { StageRef } from '@pictor/core/contract'
import { drawnBytes } from '../../../scripts/draws.ts'
import { smallFarm, smallTask } from '../../core/test/conformance/small-farm.ts'
import type { ServeFarmOptions } from '../src/index.ts'
import { served, TOKEN } from './served.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((item) => item.close()))
})

const OTHER = 'other-token-0123456789'

async function start(options: Partial<ServeFarmOptions> = {}) {
  const subject: FarmSubject = await smallFarm({ scenario: 'plain', network: new Network() })
  const host = await served(subject.farm, options)
  open.push(host)
  const call = async (
    method: string,
    path: string,
    init: { token?: string | null; json?: unknown; headers?: Record<string, string>; body?: BodyInit } = {},
  ) => {
    const token = init.token === undefined ? TOKEN : init.token
    const response = await fetch(`${host.server.url}${path}`, {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(init.json !== undefined && { 'content-type': 'application/json', 'idempotency-key': 'k1' }),
        ...init.headers,
      },
      ...(init.json !== undefined && {
        body: JSON.stringify(init.json, (_k, v: unknown) => (typeof v === 'bigint' ? `${v}` : v)),
      }),
      ...(init.body !== undefined && { body: init.body }),
    })
    const text = await response.text()
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    return { status: response.status, headers: response.headers, text, json: json as Record<string, never> }
  }
  return { subject, host, call, url: host.server.url }
}

const sha = (bytes: Uint8Array): string => `0x${createHash('sha256').update(bytes).digest('hex')}`

describe('access', () => {
  it('lets nobody in without a token, and says so with 401', async () => {
    const { call } = await start()
    for (const token of [null, 'wrong-token-0123456789', '']) {
      const answer = await call('GET', '/v1/farm', { token })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
      expect(answer.json).toMatchObject({ error: { code: 'farm-refused' } })
    }
  })

  it('keeps a token to its scopes', async () => {
    const { call } = await start({ tokens: [{ token: TOKEN, scopes: ['read'] }] })
    expect((await call('GET', '/v1/farm')).status).toBe(200)
    expect((await call('POST', '/v1/tasks', { json: {} })).status).toBe(403)
    expect((await call('GET', '/v1/metrics')).status).toBe(403)
  })

  it('stops a flood with 429 and says when to come back', async () => {
    const { call } = await start({ rate: { perSecond: 2, burst: 3 } })
    const statuses: number[] = []
    let retryAfter: string | null = null
    for (let i = 0; i < 5; i++) {
      const answer = await call('GET', '/v1/farm')
      statuses.push(answer.status)
      retryAfter ??= answer.headers.get('retry-after')
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(1)
  })

  it.each([
    [{ tokens: [] }, 'tokens'],
    [{ tokens: [{ token: 'short' }] }, 'tokens[0].token'],
    [{ tokens: [{ token: TOKEN, scopes: ['everything' as 'read'] }] }, 'tokens[0].scopes'],
    [{ rate: { perSecond: 0, burst: 1 } }, 'rate'],
  ])('refuses to start with %j', async (options, path) => {
    const { subject } = await start()
    await expect(served(subject.farm, options)).rejects.toMatchObject({ code: 'invalid-input', details: { path } })
  })
})

describe('bodies', () => {
  it('refuses what is too large, no JSON, of another type, or breaks the schema, and names the field', async () => {
    const { call, subject } = await start({ maxBodyBytes: 2_000 })
    const json = { 'content-type': 'application/json' }
    expect((await call('POST', '/v1/tasks', { headers: json, body: 'x'.repeat(3_000) })).status).toBe(413)
    expect((await call('POST', '/v1/tasks', { headers: json, body: '{' })).status).toBe(400)
    expect((await call('POST', '/v1/tasks', { headers: { 'content-type': 'text/plain' }, body: '{}' })).status).toBe(400)
    const wrong = await call('POST', '/v1/stages/missing', {
      json: { ...subject.job.bundle, files: [{ path: '../x', hash: '0x', bytes: -1 }] },
    })
    expect(wrong.status).toBe(400)
    expect(wrong.json).toMatchObject({ error: { code: 'invalid-input', details: { path: 'body.files[0].path' } } })
    expect((await call('GET', '/v1/nothing')).status).toBe(404)
    expect((await call('GET', '/v1/files/%E0%A4%A')).status).toBe(404)
  })

  it('cuts a body that drips in', async () => {
    // Left to itself the server waits 20 seconds.
    const { url } = await start({ bodyTimeoutMs: 100 })
    const { hostname, port } = new URL(url)
    const startMs = Date.now()
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          `POST /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{`,
        )
      })
      socket.on('close', () => resolve())
      socket.on('error', () => {})
    })
    expect(Date.now() - startMs).toBeLessThan(15_000)
  })

  it('never lets a body reach the prototype of an object', async () => {
    const { call, subject } = await start()
    const body = `{"__proto__":{"admin":true},"root":"${subject.job.bundle.root}","entry":"a","files":[]}`
    const answer = await call('POST', '/v1/stages/missing', { headers: { 'content-type': 'application/json' }, body })
    expect(answer.status).toBe(200)
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('hides what a farm throws that is no Pictor error', async () => {
    const subject = await smallFarm({ scenario: 'plain', network: new Network() })
    const logged: unknown[] = []
    const farm = { ...subject.farm, describe: () => Promise.reject(new Error('password=hunter2')) }
    const host = await served(farm, { log: (_message, fields) => logged.push(fields) })
    open.push(host)
    const response = await fetch(`${host.server.url}/v1/farm`, { headers: { authorization: `Bearer ${TOKEN}` } })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('hunter2')
    expect(JSON.stringify(logged)).toContain('hunter2')
  })
})

describe('uploads', () => {
  it('go on at the byte where they stopped, refuse other offsets and other bytes', async () => {
    const { call, host } = await start()
    const bytes = drawnBytes(10_000)
    const path = `/v1/files/${sha(bytes)}`
    const put = (offset: number, end: number, body: Uint8Array = bytes) =>
      call('PUT', `${path}?bytes=10000`, {
        headers: { 'upload-offset': String(offset) },
        body: body.subarray(offset, end) as unknown as BodyInit,
      })
    expect((await put(0, 4_000)).status).toBe(202)
    expect((await call('HEAD', path)).headers.get('upload-offset')).toBe('4000')
    const wrong = await put(0, 4_000)
    expect([wrong.status, wrong.headers.get('upload-offset')]).toEqual([409, '4000'])
    expect((await put(4_000, 10_000)).status).toBe(201)
    expect((await call('HEAD', path)).headers.get('upload-complete')).toBe('?1')
    expect(Buffer.from(await host.files.read(sha(bytes) as `0x${string}`))).toEqual(bytes)

    const other = `/v1/files/0x${'ab'.repeat(32)}`
    const spoiled = await call('PUT', `${other}?bytes=3`, { headers: { 'upload-offset': '0' }, body: 'abc' })
    expect(spoiled.status).toBe(422)
    expect((await call('HEAD', other)).headers.get('upload-offset')).toBe('0')
    const long = await call('PUT', `${other}?bytes=3`, { headers: { 'upload-offset': '0' }, body: 'abcdef' })
    expect(long.status).toBe(400)
  })

  it('keep to the limits for one file and one tenant', async () => {
    const { call } = await start({ maxFileBytes: 100, maxTenantBytes: 150 })
    const send = (bytes: Uint8Array) =>
      call('PUT', `/v1/files/${sha(bytes)}?bytes=${bytes.length}`, {
        headers: { 'upload-offset': '0' },
        body: bytes as unknown as BodyInit,
      })
    expect((await send(drawnBytes(101))).status).toBe(413)
    expect((await send(drawnBytes(100))).status).toBe(201)
    expect((await send(drawnBytes(100))).status).toBe(413)
    // Parts of files that are never finished count too.
    const part = (name: string) =>
      call('PUT', `/v1/files/0x${name.repeat(64)}?bytes=40`, { headers: { 'upload-offset': '0' }, body: 'x'.repeat(30) })
    expect((await part('a')).status).toBe(202)
    expect((await part('b')).status).toBe(413)
  })

  it('of one tenant are not lent to another who only knows the hash', async () => {
    const { call, subject } = await start({
      tokens: [
        { token: TOKEN, tenant: 'a' },
        { token: OTHER, tenant: 'b' },
      ],
    })
    const { bundle } = subject.job
    for (const file of bundle.files) {
      const body = (await subject.files.read(file.hash)) as unknown as BodyInit
      await call('PUT', `/v1/files/${file.hash}?bytes=${file.bytes}`, { headers: { 'upload-offset': '0' }, body })
    }
    expect((await call('POST', '/v1/stages/missing', { json: bundle })).json).toEqual({ missing: [] })
    expect((await call('POST', '/v1/stages/missing', { json: bundle, token: OTHER })).json).toEqual({
      missing: bundle.files.map(({ hash }) => hash),
    })
    expect((await call('POST', '/v1/stages', { json: bundle, token: OTHER })).status).toBe(424)
  })
})

async function submitted(context: Awaited<ReturnType<typeof start>>, token = TOKEN): Promise<string> {
  const { call, subject } = context
  const { bundle } = subject.job
  for (const file of bundle.files) {
    const body = (await subject.files.read(file.hash)) as unknown as BodyInit
    await call('PUT', `/v1/files/${file.hash}?bytes=${file.bytes}`, { headers: { 'upload-offset': '0' }, body, token })
  }
  const stage = (await call('POST', '/v1/stages', { json: bundle, token })).json as unknown as StageRef
  const task = smallTask(subject.job, stage, [1, 2], 'probe')
  const answer = await call('POST', '/v1/tasks', { json: task, token })
  expect(answer.status).toBe(200)
  return (answer.json as unknown as { ref: string }).ref
}

describe('tenants', () => {
  it('see their own tasks only, and one key of two tenants is two tasks', async () => {
    const context = await start({
      tokens: [
        { token: TOKEN, tenant: 'a' },
        { token: OTHER, tenant: 'b' },
      ],
    })
    const a = await submitted(context)
    const b = await submitted(context, OTHER)
    expect(a).not.toBe(b)
    for (const [token, own, foreign] of [
      [TOKEN, a, b],
      [OTHER, b, a],
    ] as const) {
      const page = (await context.call('GET', '/v1/events', { token })).text
      expect(page).toContain(own)
      expect(page).not.toContain(foreign)
      expect((await context.call('POST', `/v1/tasks/${foreign}/changes`, { token, json: { desired: 'cancel' } })).status).toBe(
        404,
      )
      expect((await context.call('POST', `/v1/tasks/${own}/changes`, { token, json: { desired: 'hold' } })).status).toBe(200)
    }
  })
})

describe('stages', () => {
  it('of one tenant are not lent to another who only knows their handle', async () => {
    const context = await start({
      tokens: [
        { token: TOKEN, tenant: 'a' },
        { token: OTHER, tenant: 'b' },
      ],
    })
    await submitted(context)
    const { call, subject } = context
    const own = await subject.files.put(Buffer.from('a scene of b'))
    await call('PUT', `/v1/files/${own.hash}?bytes=${own.bytes}`, {
      headers: { 'upload-offset': '0' },
      body: 'a scene of b',
      token: OTHER,
    })
    const bundle = { root: own.hash, entry: 'b.blend', files: [{ path: 'b.blend', ...own }] }
    const stolen = { farm: 'small', ref: subject.job.bundle.root }
    const head = { contract: 1, run: 'r', id: 9, attempt: 1, purpose: 'probe', spec: subject.job.render } as const
    const task = { ...head, bundle, stage: stolen, work: { kind: 'frames', frames: [1] } }
    const answer = await call('POST', '/v1/tasks', { json: task, token: OTHER })
    expect(answer.json).toMatchObject({ error: { code: 'asset-missing', details: { path: 'body.stage' } } })
  })
})

describe('outputs', () => {
  it('carry length, hash and ranges', async () => {
    const context = await start()
    const ref = await submitted(context)
    for (let i = 0; i < 6; i++) await context.subject.advance!(10)
    const events = (await context.call('GET', '/v1/events')).json as unknown as {
      events: { type: string; output: { name: string; hash: string; bytes: number } }[]
    }
    const { output } = events.events.find((event) => event.type === 'output')!
    const path = `/v1/tasks/${ref}/output?frame=1&part=0&layer=ViewLayer&name=${encodeURIComponent(output.name)}`
    const whole = await context.call('GET', path)
    expect(whole.status).toBe(200)
    expect(whole.headers.get('etag')).toBe(`"${output.hash.slice(2)}"`)
    expect(whole.headers.get('repr-digest')).toBe(`sha-256=:${Buffer.from(output.hash.slice(2), 'hex').toString('base64')}:`)
    const rest = await context.call('GET', path, { headers: { range: 'bytes=5-' } })
    expect([rest.status, rest.text]).toEqual([206, whole.text.slice(5)])
    expect(rest.headers.get('content-range')).toBe(`bytes 5-${output.bytes - 1}/${output.bytes}`)
    expect((await context.call('GET', path, { headers: { range: `bytes=${output.bytes}-` } })).status).toBe(416)
    expect((await context.call('GET', path, { headers: { range: 'bytes=0-1,3-4' } })).status).toBe(416)
    expect((await context.call('GET', path.replace('frame=1', 'frame=7'))).status).toBe(404)
  })
})

describe('streams', () => {
  it('send pages with their cursor, count in the metrics, and are limited', async () => {
    const context = await start({ maxStreams: 1, tokens: [{ token: TOKEN, scopes: ['read', 'stage', 'submit', 'metrics'] }] })
    const ref = await submitted(context)
    const control = new AbortController()
    const headers = { authorization: `Bearer ${TOKEN}`, accept: 'text/event-stream' }
    const response = await fetch(`${context.url}/v1/events`, { headers, signal: control.signal })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const reader = response.body!.getReader()
    let text = ''
    while (!text.includes('event: page')) text += new TextDecoder().decode((await reader.read()).value)
    expect(text).toMatch(/id: \d+\nevent: page\ndata: \{/)
    expect(text).toContain(ref)
    expect((await context.call('GET', '/v1/events', { headers: { accept: 'text/event-stream' } })).status).toBe(429)
    expect((await context.call('GET', '/v1/metrics')).text).toContain('pictor_farm_open_streams 1')
    control.abort()
    await expect.poll(async () => (await context.call('GET', '/v1/metrics')).text).toContain('pictor_farm_open_streams 0')
    const metrics = (await context.call('GET', '/v1/metrics')).text
    expect(metrics).toMatch(/pictor_farm_requests_total\{operation="submit",status="200"\} 1/)
    expect(metrics).toMatch(/pictor_farm_upload_bytes_total [1-9]/)
  })

  it('answer a bad cursor before they begin', async () => {
    const { call } = await start()
    expect((await call('GET', '/v1/events?cursor=zzz', { headers: { accept: 'text/event-stream' } })).status).toBe(400)
  })
})

describe('metrics', () => {
  it('tell what the farm knows of its GPUs, and nothing of a farm that has none', async () => {
    const { subject } = await start()
    const described = async (gpus: unknown): Promise<string> => {
      const info = await subject.farm.describe({ key: 'look' })
      const host = await served(
        { ...subject.farm, describe: () => Promise.resolve({ ...info, ext: { gpus } }) },
        { tokens: [{ token: TOKEN, scopes: ['metrics'] }] },
      )
      open.push(host)
      return await (await fetch(`${host.server.url}/v1/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })).text()
    }
    const text = await described([
      { name: 'NVIDIA "A"', bus: '0000:65:00', utilizationPct: 37, memoryUsedMiB: 512, memoryMiB: 16376 },
      { name: 7, bus: '0000:66:00', utilizationPct: 'much', temperatureC: 55 },
    ])
    expect(text).toContain('pictor_gpu_utilization_percent{name="NVIDIA \\"A\\"",bus="0000:65:00"} 37\n')
    expect(text).toContain('pictor_gpu_memory_mebibytes{name="NVIDIA \\"A\\"",bus="0000:65:00"} 16376\n')
    expect(text).toContain('pictor_gpu_temperature_celsius{name="",bus="0000:66:00"} 55\n')
    expect(text.match(/# TYPE pictor_gpu_utilization_percent gauge/g)).toHaveLength(1)
    for (const none of [undefined, 3, [], [null]]) expect(await described(none)).not.toContain('pictor_gpu')
  })
})

describe('health', () => {
  it('needs no token and tells whether the farm answers', async () => {
    const { call, subject } = await start()
    expect((await call('GET', '/v1/health', { token: null })).json).toEqual({ status: 'ok' })
    const host = await served({ ...subject.farm, describe: () => Promise.reject(new Error('down')) })
    open.push(host)
    expect((await fetch(`${host.server.url}/v1/health`)).status).toBe(503)
  })
})

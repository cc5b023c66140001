import { createHash } from 'node:crypto'

/** How the fake farm behaves. */
export interface FakeOptions {
  readonly failingFrame?: number
  readonly locked?: boolean
  readonly expired?: boolean
  readonly strangeState?: boolean
  readonly aheadMs?: number
}

/** The fake, and the levers that the tests pull. */
export interface FakeFarm {
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** One step of the farm's work. */
  tick(): void
  pay(): void
}

interface Job {
  readonly id: string
  readonly body: string
  state: string
  readonly frames: number[]
  readonly files: { frame: number; name: string; bytes: number; sha256: string; atMs: number }[]
  readonly failed: number[]
  updatedAtMs: number
}

const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex')
const json = (value: unknown, status = 200): Response => Response.json(value, { status })

/** Your farm's API in memory. Make it answer as your farm does; the kit then tests the adapter without a network. */
export function fakeFarm(options: FakeOptions = {}): FakeFarm {
  const jobs = new Map<string, Job>()
  const keys = new Map<string, Job>()
  const held = new Set<string>()
  const pixels = (job: Job, frame: number) => new TextEncoder().encode(`pixels of frame ${frame} of ${job.id}`)
  let locked = options.locked ?? false
  const move = (job: Job, state: string): void => {
    Object.assign(job, { state, updatedAtMs: Date.now() + (options.aheadMs ?? 0) })
  }

  async function answer(request: Request): Promise<Response> {
    const [, , kind, id, part, name] = new URL(request.url).pathname.split('/').map(decodeURIComponent)
    if (request.headers.get('authorization') !== 'Bearer test-token') return json({ message: 'who are you?' }, 401)
    if (kind === 'account') return json({ name: 'test' })
    if (kind === 'prices') return json({ microUsdPerHostHour: '1200000', hosts: 4 })
    if (kind === 'files') return file(request, id!)
    if (kind !== 'jobs') return json({ message: 'no such operation' }, 404)
    if (id === undefined) return request.method === 'POST' ? create(request) : json({ jobs: [...jobs.values()].map(shown) })
    const job = jobs.get(id)
    if (!job) return json({ message: 'no such job' }, 404)
    if (part === 'actions') return act(job, ((await request.json()) as { action: string }).action)
    return part === 'files' ? download(request, job, name!) : json(shown(job))
  }
  const shown = ({ body: _body, ...job }: Job) => ({
    ...job,
    message: job.state === 'failed' ? 'a frame could not be rendered' : '',
  })

  async function file(request: Request, hash: string): Promise<Response> {
    if (request.method === 'HEAD') return new Response(null, { status: held.has(hash) ? 200 : 404 })
    if (sha256(new Uint8Array(await request.arrayBuffer())) !== hash) return json({ message: 'the hash differs' }, 400)
    held.add(hash)
    return new Response(null, { status: 204 })
  }
  async function create(request: Request): Promise<Response> {
    const body = await request.text()
    const key = request.headers.get('idempotency-key') ?? ''
    const known = keys.get(key)
    if (known) return known.body === body ? json({ id: known.id }) : json({ message: 'key used' }, 409)
    const { frames } = JSON.parse(body) as { frames: number[] }
    const job: Job = {
      id: `job-${sha256(key).slice(0, 12)}`,
      body,
      state: 'waiting',
      frames,
      files: [],
      failed: [],
      updatedAtMs: 0,
    }
    move(job, 'waiting')
    keys.set(key, job)
    jobs.set(job.id, job)
    return json({ id: job.id }, 201)
  }
  function act(job: Job, action: string): Response {
    if (['done', 'failed', 'canceled'].includes(job.state)) return json({ message: 'the job has ended' }, 422)
    move(job, action === 'pause' ? 'pausing' : action === 'cancel' ? 'canceling' : 'waiting')
    return new Response(null, { status: 202 })
  }
  function download(request: Request, job: Job, name: string): Response {
    const found = job.files.find((item) => item.name === name)
    if (!found) return json({ message: 'not yet' }, 404)
    if (locked) return json({ message: 'pay first' }, 402)
    if (options.expired) return json({ message: 'deleted' }, 410)
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.get('range') ?? '')?.[1] ?? 0)
    return new Response(pixels(job, found.frame).subarray(start), { status: start > 0 ? 206 : 200 })
  }
  function render(job: Job): void {
    const frame = job.frames.find((item) => !job.failed.includes(item) && !job.files.some((done) => done.frame === item))
    if (frame === undefined) return move(job, job.failed.length > 0 ? 'failed' : 'done')
    const data = pixels(job, frame)
    if (frame === options.failingFrame) job.failed.push(frame)
    else job.files.push({ frame, name: `${frame}.png`, bytes: data.length, sha256: sha256(data), atMs: Date.now() })
  }
  function tick(): void {
    for (const job of jobs.values()) {
      if (job.state === 'pausing') move(job, 'paused')
      else if (job.state === 'canceling') move(job, 'canceled')
      else if (job.state === 'waiting') move(job, options.strangeState && job.files.length === 0 ? 'dreaming' : 'rendering')
      else if (job.state === 'dreaming') move(job, 'rendering')
      else if (job.state === 'rendering') render(job)
    }
  }
  return {
    fetch: async (input: string | URL | Request, init?: RequestInit) => answer(new Request(input, init)),
    tick,
    pay: () => {
      locked = false
    },
  }
}

import { createHash, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { parseFrames } from '@pictor/core/contract'

interface Job {
  readonly id: string
  readonly created: string
  updated: string
  status: string
  activity: string
  priority: number
  readonly name: string
  readonly settings: { frames: string; render_output_path: string; image_file_extension: string }
  readonly metadata: Record<string, string>
  readonly tasks: {
    id: string
    name: string
    status: string
    updated: string
    priority: number
    task_type: string
    frame: number
  }[]
}

/** A small Flamenco manager in memory: jobs, tasks and Shaman as its OpenAPI document says, with workers that render one frame a tick into shared storage. */
export interface FlamencoServer {
  readonly url: string
  tick(): Promise<void>
  close(): Promise<void>
}

export async function flamencoServer(
  storage: string,
  options: { strangeState?: boolean; aheadMs?: number } = {},
): Promise<FlamencoServer> {
  const jobs = new Map<string, Job>()
  const files = new Set<string>()
  const checkouts = new Set<string>()
  const now = () => new Date(Date.now() + (options.aheadMs ?? 0)).toISOString()
  const move = (job: Job, status: string): void => {
    Object.assign(job, { status, updated: now() })
  }

  const routes: [string, RegExp, (match: string[], body: Buffer) => [number, unknown?]][] = [
    ['GET', /^\/version$/, () => [200, { version: '3.7', shortversion: '3.7', name: 'Test manager', git: 'none' }]],
    [
      'POST',
      /^\/shaman\/checkout\/requirements$/,
      (_m, body) => {
        const wanted = need(body, { files: 'array' })['files'] as { sha: string; size: number }[]
        return [
          200,
          {
            files: wanted.filter(({ sha, size }) => !files.has(`${sha}/${size}`)).map((file) => ({ ...file, status: 'unknown' })),
          },
        ]
      },
    ],
    [
      'POST',
      /^\/shaman\/files\/([0-9a-f]{64})\/(\d+)$/,
      ([sha, size], body) => {
        if (files.has(`${sha}/${size}`)) return [208]
        const fits = createHash('sha256').update(body).digest('hex') === sha && body.length === Number(size)
        if (!fits) return [417, { code: 417, message: 'checksum mismatch' }]
        files.add(`${sha}/${size}`)
        return [204]
      },
    ],
    [
      'POST',
      /^\/shaman\/checkout\/create$/,
      (_m, body) => {
        const { files: wanted, checkoutPath } = need(body, { files: 'array', checkoutPath: 'string' }) as {
          files: { sha: string; size: number }[]
          checkoutPath: string
        }
        if (wanted.some(({ sha, size }) => !files.has(`${sha}/${size}`)))
          return [424, { code: 424, message: 'files are missing' }]
        if (checkouts.has(checkoutPath)) return [409, { code: 409, message: 'checkout exists' }]
        checkouts.add(checkoutPath)
        return [200, { checkoutPath }]
      },
    ],
    [
      'POST',
      /^\/jobs$/,
      (_m, body) => {
        const sent = need(body, {
          name: 'string',
          type: 'string',
          priority: 'number',
          submitter_platform: 'string',
        }) as unknown as Job & { storage?: { shaman_checkout_id?: string } }
        if (!checkouts.has(sent.storage?.shaman_checkout_id ?? '')) return [400, { code: 400, message: 'no such checkout' }]
        const job: Job = {
          ...sent,
          id: randomUUID(),
          created: now(),
          updated: now(),
          status: 'queued',
          activity: 'queued',
          tasks: parseFrames(sent.settings.frames).map((frame) => ({
            id: randomUUID(),
            name: `render-${frame}`,
            status: 'queued',
            updated: now(),
            priority: 50,
            task_type: 'blender',
            frame,
          })),
        }
        jobs.set(job.id, job)
        return [200, shown(job)]
      },
    ],
    [
      'POST',
      /^\/jobs\/query$/,
      (_m, body) => {
        const { metadata = {} } = JSON.parse(body.toString()) as { metadata?: Record<string, string> }
        const fits = (job: Job) => Object.entries(metadata).every(([key, value]) => job.metadata[key] === value)
        return [200, { jobs: [...jobs.values()].filter(fits).map(shown) }]
      },
    ],
    ['GET', /^\/jobs\/([^/]+)$/, ([id]) => withJob(id, (job) => [200, shown(job)])],
    [
      'GET',
      /^\/jobs\/([^/]+)\/tasks$/,
      ([id]) => withJob(id, (job) => [200, { tasks: job.tasks.map(({ frame: _frame, ...task }) => task) }]),
    ],
    [
      'POST',
      /^\/jobs\/([^/]+)\/setpriority$/,
      ([id], body) =>
        withJob(id, (job) => {
          const { priority } = need(body, { priority: 'number' }) as { priority: number }
          if (!(priority >= 0 && priority <= 100)) return [422, { code: 422, message: 'priority' }]
          job.priority = priority
          return [204]
        }),
    ],
    [
      'POST',
      /^\/jobs\/([^/]+)\/setstatus$/,
      ([id], body) =>
        withJob(id, (job) => {
          const { status } = need(body, { status: 'string', reason: 'string' }) as { status: string }
          const from: Record<string, string[]> = {
            'pause-requested': ['queued', 'active'],
            'cancel-requested': ['queued', 'active', 'paused', 'pause-requested'],
            queued: ['paused', 'pause-requested'],
          }
          if (!from[status]?.includes(job.status)) return [422, { code: 422, message: `not from ${job.status}` }]
          move(job, status)
          return [204]
        }),
    ],
  ]
  const withJob = (id: string | undefined, act: (job: Job) => [number, unknown?]): [number, unknown?] => {
    const job = jobs.get(id ?? '')
    return job ? act(job) : [404, { code: 404, message: 'no such job' }]
  }
  const shown = ({ tasks: _tasks, ...job }: Job) => job

  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = new URL(request.url ?? '/', 'http://x').pathname.replace(/^\/api\/v3/, '')
      let answer: [number, unknown?] = [404, { code: 404, message: 'no such operation' }]
      try {
        for (const [method, pattern, act] of routes) {
          const match = pattern.exec(path)
          if (match && method === request.method) answer = act(match.slice(1), body)
        }
      } catch (error) {
        answer = [400, { code: 400, message: (error as Error).message }]
      }
      response.writeHead(answer[0], { 'content-type': 'application/json' })
      response.end(answer[1] === undefined ? undefined : JSON.stringify(answer[1]))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async tick() {
      for (const job of jobs.values()) await work(job)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function work(job: Job): Promise<void> {
    if (job.status === 'pause-requested') return move(job, 'paused')
    if (job.status === 'cancel-requested') return move(job, 'canceled')
    if (job.status === 'queued' && options.strangeState && job.activity === 'queued') {
      job.activity = 'pondering'
      return move(job, 'pondering')
    }
    if (job.status === 'pondering') return move(job, 'queued')
    if (job.status === 'queued') return move(job, 'active')
    if (job.status !== 'active') return
    const task = job.tasks.find(({ status }) => status === 'queued')
    if (!task) return move(job, 'completed')
    const { render_output_path: pattern, image_file_extension: ending } = job.settings
    const name = pattern.replace('/shared', '').replace('######', String(task.frame).padStart(6, '0'))
    const path = join(storage, `${name}${ending}`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, `pixels of frame ${task.frame} of ${job.name}`)
    Object.assign(task, { status: 'completed', updated: now() })
  }
}

function need(body: Buffer, fields: Record<string, string>): Record<string, unknown> {
  const value = JSON.parse(body.toString()) as Record<string, unknown>
  for (const [name, type] of Object.entries(fields)) {
    const found = Array.isArray(value[name]) ? 'array' : typeof value[name]
    if (found !== type) throw new Error(`${name} is a ${found}, not a ${type}`)
  }
  return value
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

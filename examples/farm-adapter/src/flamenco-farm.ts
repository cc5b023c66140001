import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonicalJson,
  formatFrames,
  invalid,
  parseFrames,
  PictorError,
  type BundleManifest,
  type CallContext,
  type Farm,
  type Output,
  type Task,
  type TaskRef,
} from '@pictor/core/contract'
import { farmHttp, pathOf, snapshotLog, type FetchLike, type TaskSnapshot } from '@pictor/farm-protocol'
import { CAPABILITIES, stateOf, type FlamencoJob, type FlamencoTask } from './flamenco-words.ts'

/** Options of {@link flamencoFarm}. */
export interface FlamencoOptions {
  readonly url: string
  /** Shared storage as Flamenco's workers see it, and as this machine sees it: Flamenco has no download API. */
  readonly storage: { readonly farm: string; readonly local: string }
  /** Workers, and what one costs an hour in micro-dollars: Flamenco knows no prices. */
  readonly workers: number
  readonly perHostHour: bigint
  readonly id?: string
  readonly pollMs?: number
  readonly fetch?: FetchLike
}

const API = 'api/v3'

/** A Flamenco 3 manager as a Pictor farm (its OpenAPI: /api/v3). It has no idempotency keys, so a submit searches for its key in the job metadata first. */
export function flamencoFarm(options: FlamencoOptions): Farm {
  const { id = 'flamenco', storage, workers, perHostHour, pollMs = 2_000 } = options
  const http = farmHttp({ ...options, allowInsecure: true })
  const log = snapshotLog()
  const submits = new Map<string, Promise<TaskRef>>()
  const hashes = new Map<string, Pick<Output, 'hash' | 'bytes'>>()
  const folderOf = (job: string): string => `pictor-${job.slice(0, 16)}`

  async function jobsWith(metadata: Record<string, string>, ctx: CallContext): Promise<FlamencoJob[]> {
    const { json } = await http.call({ method: 'post', path: `${API}/jobs/query`, json: { metadata } }, ctx)
    const { jobs } = (json ?? {}) as { jobs?: FlamencoJob[] }
    if (!Array.isArray(jobs)) throw new PictorError('farm-unreachable', 'Flamenco answered a query without a list of jobs')
    return jobs
  }

  async function findOrCreate(task: Task, ctx: CallContext): Promise<TaskRef> {
    if (task.work.kind !== 'frames') throw new PictorError('farm-refused', `work of the kind ${task.work.kind} is not done here`)
    const digest = createHash('sha256').update(canonicalJson(task)).digest('hex')
    const [known] = await jobsWith({ 'pictor.key': ctx.key }, ctx)
    if (known && known.metadata?.['pictor.digest'] !== digest)
      throw new PictorError('conflict', 'the key was used for another task')
    if (known) return { farm: id, ref: known.id }
    const folder = folderOf(ctx.key)
    const settings = {
      blendfile: `{jobs}/${task.stage.ref}/${task.bundle.entry}`,
      render_output_root: `${storage.farm}/${folder}`,
      render_output_path: `${storage.farm}/${folder}/######`,
      frames: formatFrames(task.work.frames),
      chunk_size: 1,
      format: task.spec.output.format,
      image_file_extension: task.spec.output.format === 'PNG' ? '.png' : '.exr',
    }
    const metadata = { 'pictor.farm': id, 'pictor.key': ctx.key, 'pictor.digest': digest }
    const job = {
      name: folder,
      type: 'simple-blender-render',
      priority: task.priority ?? 50,
      submitter_platform: 'linux',
      settings,
      metadata,
    }
    const storageInfo = { storage: { shaman_checkout_id: task.stage.ref } }
    const { json } = await http.call({ method: 'post', path: `${API}/jobs`, json: { ...job, ...storageInfo } }, ctx)
    return { farm: id, ref: (json as FlamencoJob).id }
  }

  async function snapshot(job: FlamencoJob, ctx: CallContext): Promise<TaskSnapshot> {
    const { json } = await http.call({ path: `${API}/jobs/${pathOf(job.id)}/tasks` }, ctx)
    const tasks = ((json as { tasks?: FlamencoTask[] }).tasks ?? []).filter((task) => task.name.startsWith('render-'))
    const framesOf = (task: FlamencoTask): number[] => parseFrames(task.name.slice('render-'.length))
    const ref: TaskRef = { farm: id, ref: job.id }
    const outputs: Output[] = []
    for (const task of tasks) {
      if (task.status !== 'completed') continue
      for (const frame of framesOf(task)) outputs.push(await outputOf(job, ref, frame, Date.parse(task.updated)))
    }
    const failed = tasks.filter((task) => task.status === 'failed').flatMap(framesOf)
    return {
      ref,
      state: stateOf(job.status),
      raw: job.status,
      framesTotal: parseFrames(String(job.settings?.['frames'])).length,
      outputs,
      failedFrames: failed.map((frame) => ({ class: 'scene', message: job.activity, frame })),
      atMs: Date.parse(job.updated),
      ...(job.status === 'failed' && { failure: { class: 'scene', message: job.activity } }),
    }
  }

  async function outputOf(job: FlamencoJob, task: TaskRef, frame: number, completedAtMs: number): Promise<Output> {
    const name = `${folderOf(job.metadata!['pictor.key']!)}/${String(frame).padStart(6, '0')}${String(job.settings?.['image_file_extension'])}`
    let known = hashes.get(name)
    if (!known) {
      const bytes = await readFile(join(storage.local, name))
      known = { bytes: bytes.length, hash: `0x${createHash('sha256').update(bytes).digest('hex')}` }
      hashes.set(name, known)
    }
    return { task, frame, part: 0, layer: 'ViewLayer', name, ...known, completedAtMs }
  }

  return {
    contract: 1,
    id,
    async describe(ctx) {
      const { json } = await http.call({ path: `${API}/version` }, ctx)
      const { name, version } = json as { name: string; version: string }
      const software = [{ name: 'blender', version: '*', engines: ['CYCLES', 'BLENDER_EEVEE_NEXT'], devices: ['CPU'] }]
      const book = { source: 'options of the adapter', asOf: '2026-11-24', kind: 'own' } as const
      const info = {
        contract: 1,
        id,
        name: `${name} (Flamenco ${version})`,
        lane: 'api',
        verification: 'contract-simulated',
      } as const
      return { ...info, capabilities: CAPABILITIES, idempotency: 'search', software, slots: workers, priceBook: book }
    },
    async quote({ spec, estimate, atMs }, ctx) {
      ctx.signal?.throwIfAborted()
      const head = { contract: 1, farm: id } as const
      if (spec.render.software !== 'blender')
        return { ...head, kind: 'decline', reason: 'software', message: 'this farm has only Blender' }
      const price = { perHostHour, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n }
      const times = { readyMs: 0, startMs: 5_000, billStart: true, perFrameMs: 0, deliverMs: 1_000 }
      const offer = {
        id: 'standard',
        tier: 'standard',
        hosts: workers,
        ...times,
        msPerWork: estimate.classes.map(() => 1_000),
        price,
      }
      const terms = {
        currency: 'USD',
        validUntilAtMs: atMs + 3_600_000,
        firmness: 'estimate',
        basis: ['price given in the adapter’s options'],
      } as const
      return { ...head, kind: 'quote', id: `${id}-${atMs}`, offers: [offer], ...terms }
    },
    async stage(manifest, files, ctx) {
      const list = shamanFiles(manifest)
      const { json } = await http.call(
        { method: 'post', path: `${API}/shaman/checkout/requirements`, json: { files: list } },
        ctx,
      )
      for (const { sha, size } of (json as { files: typeof list }).files) {
        const body = await files.read(`0x${sha}`)
        // 208: somebody else has sent it in the meantime. 417: the bytes are not what the hash says.
        const sent = await http.call(
          { method: 'post', path: `${API}/shaman/files/${sha}/${size}`, body, accept: [208, 417] },
          ctx,
        )
        if (sent.status === 417) throw invalid('manifest.files', `bytes with the sha256 ${sha}`, 'others')
      }
      const checkoutPath = `pictor/${createHash('sha256').update(JSON.stringify(list)).digest('hex').slice(0, 24)}`
      const checkout = { files: list, checkoutPath }
      await http.call({ method: 'post', path: `${API}/shaman/checkout/create`, json: checkout, accept: [409] }, ctx)
      return { farm: id, ref: checkoutPath }
    },
    async submit(task, ctx) {
      ctx.signal?.throwIfAborted()
      // One submit at a time for each key: the search and the creation are two calls.
      const turn = (submits.get(ctx.key) ?? Promise.resolve()).then(
        () => findOrCreate(task, ctx),
        () => findOrCreate(task, ctx),
      )
      submits.set(ctx.key, turn)
      return turn.finally(() => submits.get(ctx.key) === turn && submits.delete(ctx.key))
    },
    async poll(query, ctx) {
      const jobs = await jobsWith({ 'pictor.farm': id }, ctx)
      log.observe(await Promise.all(jobs.map((job) => snapshot(job, ctx))))
      return log.page(query, pollMs)
    },
    async set(ref, change, ctx) {
      const path = `${API}/jobs/${pathOf(ref.ref)}`
      const { status } = (await http.call({ path }, ctx)).json as FlamencoJob
      if (['completed', 'failed', 'canceled'].includes(status))
        return { refused: true, reason: 'ended', message: `the job is ${status}` }
      if (change.priority !== undefined)
        await http.call({ method: 'post', path: `${path}/setpriority`, json: { priority: change.priority } }, ctx)
      const wanted = { hold: 'pause-requested', cancel: 'cancel-requested', run: 'queued', erase: undefined }[
        change.desired ?? 'erase'
      ]
      if (wanted === undefined) return 'done'
      const json = { status: wanted, reason: 'asked by Pictor' }
      const answer = await http.call({ method: 'post', path: `${path}/setstatus`, json, accept: [422] }, ctx)
      if (answer.status === 422) return { refused: true, reason: 'state', message: `a job that is ${status} cannot be ${wanted}` }
      return 'accepted'
    },
    async open(output, { offset }, ctx) {
      ctx.signal?.throwIfAborted()
      if (offset < 0 || offset > output.bytes) throw invalid('offset', `0 to ${output.bytes}`, offset)
      const path = hashes.has(output.name) ? join(storage.local, output.name) : undefined
      const size = path === undefined ? undefined : (await stat(path).catch(() => undefined))?.size
      if (path === undefined || size !== output.bytes) return { unavailable: 'gone' }
      return { bytes: size - offset, stream: offset === size ? empty() : createReadStream(path, { start: offset }) }
    },
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}

function shamanFiles(manifest: BundleManifest): { sha: string; size: number; path: string }[] {
  return manifest.files.map(({ hash, bytes, path }) => {
    if (/^\/|\\|(^|\/)\.\.(\/|$)/.test(path)) throw invalid('manifest.files.path', 'a path inside the bundle', path)
    return { sha: hash.slice(2), size: bytes, path }
  })
}

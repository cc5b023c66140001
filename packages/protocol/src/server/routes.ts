import { createHash } from 'node:crypto'
import {
  downloadsOf,
  invalid,
  PictorError,
  type Artifacts,
  type BundleManifest,
  type CallContext,
  type Farm,
  type Output,
  type TaskRef,
} from '@pictor/core/contract'
import type { Operation } from '../document.ts'
import { toWire } from '../schema.ts'
import { changeSchema, hashSchema, manifestSchema, quoteRequestSchema, taskSchema } from '../wire.ts'
import { answer, readJson } from './exchange.ts'
import type { Visit } from './listen.ts'
import { gpuText, taskText, type Metrics } from './metrics.ts'
import { rangeStart, sendBytes } from './send-bytes.ts'
import { taskOf, visible, type Owners } from './owners.ts'
import { streamPages } from './pages.ts'
import type { Uploads } from './uploads.ts'

/** What the routes work with. */
export interface Desk {
  readonly farm: Farm
  readonly files: Artifacts
  readonly uploads: Uploads
  readonly owners: Owners
  readonly metrics: Metrics
  readonly limits: { readonly maxBodyBytes: number; readonly bodyTimeoutMs: number; readonly maxStreams: number }
  readonly closing: AbortSignal
  /** Outputs seen in polls, so that a download needs no reconcile. */
  readonly outputs: Map<string, Output>
}

type Route = (desk: Desk, visit: Visit) => Promise<void>

const MAX_OUTPUTS = 200_000

const outputKey = (output: Pick<Output, 'name' | 'frame' | 'part' | 'layer'>, ref: string): string =>
  JSON.stringify([ref, output.frame, output.part, output.layer, output.name])

/** Handlers by operation id. */
export const ROUTES: Readonly<Record<Operation['id'], Route>> = {
  async describe({ farm }, { response, signal }) {
    answer(response, 200, await farm.describe({ key: 'describe', signal }))
  },
  async quote({ farm, limits }, { request, response, signal }) {
    const asked = quoteRequestSchema.read(await readJson(request, limits.maxBodyBytes, limits.bodyTimeoutMs), 'body')
    const key = createHash('sha256').update(toWire(asked)).digest('hex')
    answer(response, 200, await farm.quote(asked, { key, signal }))
  },
  async missing({ uploads, limits }, { request, response, caller }) {
    const manifest = manifestSchema.read(await readJson(request, limits.maxBodyBytes, limits.bodyTimeoutMs), 'body')
    answer(response, 200, { missing: await uploads.missing(caller.tenant, manifest) })
  },
  async fileState({ uploads }, { response, caller, params }) {
    const { offset, complete } = await uploads.offset(caller.tenant, hashSchema.read(params['hash'], 'hash'))
    response.writeHead(200, {
      'upload-offset': String(offset),
      'upload-complete': complete ? '?1' : '?0',
      'cache-control': 'no-store',
    })
    response.end()
  },
  async putFile({ uploads, metrics }, { request, response, caller, params, url }) {
    const hash = hashSchema.read(params['hash'], 'hash')
    const bytes = wholeNumber(url.searchParams.get('bytes'), 'bytes')
    const offset = wholeNumber(request.headers['upload-offset'], 'Upload-Offset')
    const state = await uploads.put(caller.tenant, hash, { offset, bytes }, request)
    metrics.add('upload_bytes', state.offset - offset)
    response.writeHead(state.complete ? 201 : 202, { 'upload-offset': String(state.offset), 'content-length': 0 })
    response.end()
  },
  async putPack({ uploads, metrics }, { request, response, caller }) {
    metrics.add('upload_bytes', await uploads.putPack(caller.tenant, request))
    response.writeHead(201, { 'content-length': 0 })
    response.end()
  },
  async stage({ farm, files, uploads, owners, limits }, visit) {
    const manifest = manifestSchema.read(await readJson(visit.request, limits.maxBodyBytes, limits.bodyTimeoutMs), 'body')
    await requireFiles(uploads, visit, manifest)
    const ref = await farm.stage(manifest, files, context(visit))
    await owners.set(stageKey(visit.caller.tenant, ref.ref), visit.caller.tenant)
    answer(visit.response, 200, { ...ref, farm: farm.id })
  },
  async submit(desk, visit) {
    const { farm, owners, uploads, limits } = desk
    const task = taskSchema.read(await readJson(visit.request, limits.maxBodyBytes, limits.bodyTimeoutMs), 'body')
    await requireFiles(uploads, visit, task.bundle)
    // A stage of another tenant would lend his scene. The private tenant has nobody to steal from, and its stages outlive a restart.
    const { tenant } = visit.caller
    if (tenant !== '' && (await owners.get(stageKey(tenant, task.stage.ref))) !== tenant)
      throw new PictorError('asset-missing', 'the stage of the task is not known: stage the bundle again', {
        details: { path: 'body.stage' },
      })
    const ref = await farm.submit({ ...task, stage: { ...task.stage, farm: farm.id } }, context(visit))
    if (tenant !== '') await owners.set(ref.ref, tenant)
    answer(visit.response, 200, { ...ref, farm: farm.id })
  },
  async poll(desk, visit) {
    if (/\btext\/event-stream\b/.test(visit.request.headers.accept ?? '')) return streamPages(desk, visit, readPage)
    const cursor = visit.url.searchParams.get('cursor') ?? undefined
    answer(visit.response, 200, await readPage(desk, visit, cursor))
  },
  async change({ farm, owners, limits }, visit) {
    const change = changeSchema.read(await readJson(visit.request, limits.maxBodyBytes, limits.bodyTimeoutMs), 'body')
    const ref = await ownTask(farm, owners, visit)
    answer(visit.response, 200, { result: await farm.set(ref, change, context(visit)) })
  },
  open: (desk, visit) => sendOutput(desk, visit),
  async health({ farm }, { response, signal }) {
    const control = AbortSignal.any([signal, AbortSignal.timeout(5_000)])
    const healthy = await farm.describe({ key: 'health', signal: control }).then(
      () => true,
      () => false,
    )
    answer(response, healthy ? 200 : 503, { status: healthy ? 'ok' : 'unavailable' })
  },
  async metrics({ farm, metrics }, { response, signal }) {
    const control = AbortSignal.any([signal, AbortSignal.timeout(5_000)])
    const ext = await farm.describe({ key: 'metrics', signal: control }).then(
      (info) => info.ext,
      () => undefined,
    )
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
    response.end(metrics.text() + gpuText(ext?.['gpus']) + taskText(ext?.['tasks']))
  },
}

const stageKey = (tenant: string, ref: string): string => JSON.stringify(['stage', tenant, ref])

async function requireFiles(uploads: Uploads, { caller }: Visit, manifest: BundleManifest): Promise<void> {
  const missing = await uploads.missing(caller.tenant, manifest)
  if (missing.length === 0) return
  throw new PictorError('asset-missing', `${missing.length} files have not been sent`, {
    details: { files: missing.slice(0, 100) },
  })
}

/** Idempotency keys of tenants never meet: each tenant has its own. */
function context({ request, caller, signal }: Visit): CallContext {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string' || key.length === 0 || key.length > 256)
    throw invalid('Idempotency-Key', '1 to 256 characters', key)
  if (caller.tenant === '') return { key, signal }
  return {
    key: createHash('sha256')
      .update(JSON.stringify([caller.tenant, key]))
      .digest('hex'),
    signal,
  }
}

function wholeNumber(value: unknown, path: string): number {
  if (typeof value !== 'string' || !/^\d{1,15}$/.test(value)) throw invalid(path, 'a whole number', value)
  return Number(value)
}

async function ownTask(farm: Farm, owners: Owners, { params, caller }: Visit): Promise<TaskRef> {
  const ref = params['ref']!
  // A stranger's task is not found rather than forbidden: its reference is nobody else's business.
  if (((await owners.get(ref)) ?? '') !== caller.tenant) throw new PictorError('not-found', `task ${ref} is not known`)
  return { farm: farm.id, ref }
}

async function readPage(desk: Desk, { url, caller, signal }: Visit, cursor: string | undefined) {
  const { farm, owners, outputs } = desk
  const refs = url.searchParams.getAll('task')
  const scope = refs.length > 0 ? { scope: refs.map((ref) => ({ farm: farm.id, ref })) } : {}
  const page = await farm.poll({ ...scope, ...(cursor !== undefined && { cursor }) }, { key: 'poll', signal })
  const events = await visible(page.events, caller.tenant, owners)
  for (const event of events) {
    if (event.type !== 'output') continue
    while (outputs.size >= MAX_OUTPUTS) outputs.delete(outputs.keys().next().value!)
    for (const file of downloadsOf(event.output)) outputs.set(outputKey(file, file.task.ref), file)
  }
  return { ...page, events }
}

async function findOutput(desk: Desk, ref: TaskRef, visit: Visit): Promise<Output> {
  const query = visit.url.searchParams
  const wanted = {
    name: query.get('name') ?? '',
    layer: query.get('layer') ?? '',
    frame: Number(query.get('frame') ?? NaN),
    part: wholeNumber(query.get('part'), 'part'),
  }
  if (!Number.isInteger(wanted.frame)) throw invalid('frame', 'a whole number', query.get('frame'))
  const key = outputKey(wanted, ref.ref)
  const seen = desk.outputs.get(key)
  if (seen) return seen
  const { events } = await desk.farm.poll({ scope: [ref] }, { key: 'reconcile', signal: visit.signal })
  for (const event of events)
    if (event.type === 'output' && taskOf(event)?.ref === ref.ref)
      for (const file of downloadsOf(event.output)) desk.outputs.set(outputKey(file, ref.ref), file)
  const found = desk.outputs.get(key)
  if (!found) throw new PictorError('not-found', `frame ${wanted.frame} of task ${ref.ref} has no output ${wanted.name}`)
  return found
}

const UNAVAILABLE = { payment: 402, 'not-yet': 425, expired: 410, gone: 410 } as const

async function sendOutput(desk: Desk, visit: Visit): Promise<void> {
  const { request, response, signal } = visit
  const output = await findOutput(desk, await ownTask(desk.farm, desk.owners, visit), visit)
  const offset = rangeStart(request, output.bytes)
  const body = await desk.farm.open(output, { offset }, { key: 'open', signal })
  if ('unavailable' in body) {
    const { retryAfterMs } = body
    const headers = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) }
    answer(response, UNAVAILABLE[body.unavailable], body, headers)
    return
  }
  desk.metrics.add('download_bytes', await sendBytes(response, { ...output, offset }, body.stream, signal))
}

import {
  invalid,
  PictorError,
  type CallContext,
  type Farm,
  type FarmEvent,
  type FarmInfo,
  type Task,
  type TaskRef,
} from '@pictor/core/contract'
import { readAnswer } from './answers.ts'
import { PROTOCOL } from './document.ts'
import { farmHttp, pathOf, type FarmHttpOptions } from './farm-http.ts'
import { livePages } from './live-pages.ts'
import { pinnedKey } from './pinned-key.ts'
import { sendFiles } from './send-files.ts'
import { readHint } from './webhook.ts'
import {
  changeAnswerSchema,
  farmInfoSchema,
  pollSchema,
  quoteSchema,
  stageRefSchema,
  taskRefSchema,
  unavailableSchema,
} from './wire.ts'

/** Options of {@link remoteFarm}. */
export interface RemoteFarmOptions extends Omit<FarmHttpOptions, 'headers'> {
  /** Bearer token that the farm gave. */
  readonly token: string
  /** Name of the farm here. Default: host and port of the URL. */
  readonly id?: string
  /** The farm's signing key, known beforehand. A farm that shows another key, or signs with another, is refused. */
  readonly key?: `0x${string}`
  /** Takes news from an event stream where the farm offers one, and polls while it does not. Default false. */
  readonly live?: boolean
  /** With `live`: how long a poll waits for news on a silent stream, in milliseconds. Default 1,000. */
  readonly liveWaitMs?: number
  /** Agreed with the farm for webhooks; without it `hint` refuses everything. */
  readonly hintSecret?: string
  /** Bytes of one part of an upload. Default 8 MiB. */
  readonly partBytes?: number
  /** Largest output that is downloaded, whatever the farm says. Default 4 GiB; for tasks submitted here also what their spec allows. */
  readonly maxOutputBytes?: number
}

/** Bytes that a picture of this spec may have at most: uncompressed 32-bit RGBA for each layer and pass, and room for metadata. */
export function outputCap({ spec, window }: Pick<Task, 'spec' | 'window'>): number {
  const { width, height, passes = [] } = spec.output
  const scale = (window?.resolutionPct ?? 100) / 100
  const pixels = Math.ceil(width * Math.max(1, scale)) * Math.ceil(height * Math.max(1, scale))
  return pixels * 16 * (1 + passes.length) * Math.max(1, spec.viewLayers.length) + 2 ** 20
}

/**
 * A farm that speaks the farm protocol, as a `Farm`. Two hosts on two ports are two farms.
 * @throws invalid-input when the URL or the token cannot be used
 * @example const farm = remoteFarm({ url: 'https://farm.example', token })
 */
export function remoteFarm(options: RemoteFarmOptions): Farm {
  const { token, key, hintSecret, maxOutputBytes = 4 * 2 ** 30 } = options
  if (!/^[\x21-\x7e]{16,4096}$/.test(token))
    throw invalid('token', 'a token of at least 16 visible characters', `${token.length} characters`)
  const http = farmHttp({ ...options, headers: { authorization: `Bearer ${token}` } })
  const id = options.id ?? new URL(options.url).host
  const base = PROTOCOL
  const pinned = pinnedKey(key)
  const caps = new Map<string, number>()
  const idempotent = (ctx: CallContext) => ({ 'idempotency-key': ctx.key })
  const mine = <T extends TaskRef>(ref: T): T => ({ ...ref, farm: id })
  const local = (event: FarmEvent): FarmEvent => {
    if (event.type === 'output') return { ...event, output: { ...event.output, task: mine(event.output.task) } }
    return 'task' in event && event.task ? { ...event, task: mine(event.task) } : event
  }
  const readPoll = (json: unknown) => {
    const page = readAnswer(pollSchema, json)
    return { ...page, events: page.events.map(local) }
  }
  const pages = options.live ? livePages(http, readPoll, options.liveWaitMs ?? 1_000) : undefined

  return {
    contract: 1,
    id,
    async describe(ctx): Promise<FarmInfo> {
      const { json } = await http.call({ path: `${base}/farm` }, ctx)
      const info = readAnswer(farmInfoSchema, json)
      pinned.check(info)
      return { ...info, id }
    },
    async quote(request, ctx) {
      const { json } = await http.call({ method: 'post', path: `${base}/quotes`, json: request }, ctx)
      return { ...readAnswer(quoteSchema, json), farm: id }
    },
    async stage(manifest, files, ctx) {
      await sendFiles(http, base, manifest, files, ctx, options.partBytes)
      const { json } = await http.call({ method: 'post', path: `${base}/stages`, headers: idempotent(ctx), json: manifest }, ctx)
      return { ...readAnswer(stageRefSchema, json), farm: id }
    },
    async submit(task, ctx) {
      const { json } = await http.call({ method: 'post', path: `${base}/tasks`, headers: idempotent(ctx), json: task }, ctx)
      const ref = readAnswer(taskRefSchema, json)
      pinned.accepted(task, ref)
      if (task.lease) pinned.remember(ref.ref, task.lease)
      if (caps.size >= 100_000) caps.delete(caps.keys().next().value!)
      caps.set(ref.ref, outputCap(task))
      return mine(ref)
    },
    async poll({ cursor, scope }, ctx) {
      const few = scope && scope.length <= 50 ? scope : undefined
      const query: [string, string][] = [
        ...(cursor === undefined ? [] : [['cursor', cursor] as [string, string]]),
        ...(few ?? []).map(({ ref }): [string, string] => ['task', ref]),
      ]
      const live = scope || cursor === undefined ? undefined : await pages?.next(`${base}/events`, cursor, ctx)
      const page = live ?? readPoll((await http.call({ path: `${base}/events`, query }, ctx)).json)
      const wanted = scope && !few ? new Set(scope.map(({ ref }) => ref)) : undefined
      const events = page.events.filter((event) => pinned.holds(event) && (!wanted || wanted.has(refOf(event) ?? '')))
      return { ...page, events }
    },
    async set(ref, change, ctx) {
      const path = `${base}/tasks/${pathOf(ref.ref)}/changes`
      const { json } = await http.call({ method: 'post', path, headers: idempotent(ctx), json: change }, ctx)
      return readAnswer(changeAnswerSchema, json).result
    },
    async open(output, { offset }, ctx) {
      const cap = Math.min(maxOutputBytes, caps.get(output.task.ref) ?? Infinity)
      if (output.bytes > cap)
        throw new PictorError(
          'farm-refused',
          `frame ${output.frame} has ${output.bytes} bytes, more than its spec can need (${cap})`,
          {
            details: { reason: 'too-large' },
          },
        )
      const query = (['name', 'frame', 'part', 'layer'] as const).map((name): [string, string] => [name, String(output[name])])
      const path = `${base}/tasks/${pathOf(output.task.ref)}/output`
      const got = await http.download({ path, query, bytes: output.bytes, offset, accept: [402, 410, 425] }, ctx)
      if ('body' in got) return got.body
      return readAnswer(unavailableSchema, got.refused.json)
    },
    async hint(headers, rawBody) {
      if (hintSecret === undefined) throw new PictorError('unsupported', 'no hintSecret was agreed with this farm')
      return readHint(hintSecret, headers, rawBody, Date.now()).map((ref) => ({ farm: id, ref }))
    },
    async close() {
      await pages?.close()
    },
  }
}

function refOf(event: FarmEvent): string | undefined {
  return (event.type === 'output' ? event.output.task : 'task' in event ? event.task : undefined)?.ref
}

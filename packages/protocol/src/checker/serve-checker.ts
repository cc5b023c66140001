import { stat } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import {
  invalid,
  PictorError,
  type Address,
  type Artifacts,
  type Bytes32,
  type CallContext,
  type Checker,
  type CheckerAction,
  type CheckerEvent,
  type CheckerSealing,
} from '@pictor/core/contract'
import { outputCap } from '../remote-farm.ts'
import { accessOf, type FarmToken, type RateLimit } from '../server/access.ts'
import { answer, readJson } from '../server/exchange.ts'
import { listen, type Visit } from '../server/listen.ts'
import { metricsOf } from '../server/metrics.ts'
import { rangeStart, sendBytes } from '../server/send-bytes.ts'
import { hashSchema } from '../wire.ts'
import { CHECKER_OPERATIONS } from './document.ts'
import { checkerInbox } from './inbox.ts'
import { dropPartial, remoteFiles } from './remote-files.ts'
import { actionSchema, keyRequestSchema, sealKeyAskSchema, type WireAction, type WireJob } from './wire.ts'

/** Options of {@link serveChecker}. */
export interface ServeCheckerOptions {
  /** Scopes: `submit` asks, `read` polls, `metrics`. Left out in a token: the first two. */
  readonly tokens: readonly FarmToken[]
  /** Checkers of the same jobs: each may read, with its token, what this one said about jobs whose checker it is. */
  readonly peers?: readonly { readonly token: string; readonly address: Address }[]
  /** The checkers that a registry drew for a job; left out, peers read of jobs only that name them in their terms. */
  readonly drawn?: (job: Bytes32) => readonly Address[] | undefined
  /** Hears of every request about a job that does not come from a peer: its runner is there. */
  readonly onRunner?: (job: Bytes32) => void
  /** Where scenes, outputs and pictures are kept. */
  readonly files: Artifacts
  /** Folder for files that are still arriving, of this server alone: what one that was killed left there is removed at the start. */
  readonly partial: string
  /** File of actions that were taken and not done; `:memory:` forgets them with the process. */
  readonly inbox: string
  /** Default 127.0.0.1. Put a TLS proxy in front before you name another address. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Default 50 a second with bursts of 200, for each token. */
  readonly rate?: RateLimit
  /** Largest action. Default 256 MiB. */
  readonly maxBodyBytes?: number
  /** Longest time for an action to arrive, in milliseconds. Default 60,000. */
  readonly bodyTimeoutMs?: number
  /** Largest scene file that is fetched. Default 64 GiB. */
  readonly maxFileBytes?: number
  /** Allows runners to serve their files over http:// from other machines. Default false. */
  readonly allowInsecure?: boolean
  /** Parts of the service that may be down, by name: `ok`, or what is wrong. */
  readonly health?: () => Promise<Readonly<Record<string, string>>>
  /** Further lines of the metrics page. */
  readonly metrics?: () => string
  readonly log?: CallContext['log']
}

/** A checker that listens. */
export interface CheckerServer {
  readonly url: string
  readonly port: number
  /** Ends connections. The checker itself stays open: it belongs to the caller. */
  close(): Promise<void>
}

/**
 * Serves any checker over the checker protocol (docs/checker-protocol.md). An action is on disk before it is acknowledged; at the next start, what had no effect yet is
 * asked of the checker again. Files of a job are fetched by sha256 from where its actions say, and kept.
 */
export async function serveChecker(checker: Checker, options: ServeCheckerOptions): Promise<CheckerServer> {
  const { host = '127.0.0.1', port = 0, rate = { perSecond: 50, burst: 200 }, log = () => {} } = options
  await dropPartial(options.partial)
  const metrics = metricsOf('checker', Date.now(), Date.now)
  const closing = new AbortController()
  const inbox = checkerInbox(options.inbox)
  const peers = new Map((options.peers ?? []).map(({ address }) => [`peer ${address}`, address]))
  const sources = new Map<string, Artifacts>()
  const pictures = new Map<Bytes32, Set<Bytes32>>()

  const filesOf = (job: WireJob): Artifacts => {
    const key = JSON.stringify([job.job, job.files])
    const known = sources.get(key)
    if (known) return known
    // Room for the layers that come beside a beauty.
    const largest = job.bundle.files.reduce((most, { bytes }) => Math.max(most, bytes), 4 * outputCap(job))
    const made = remoteFiles({
      job: job.job,
      source: job.files,
      cache: options.files,
      partial: options.partial,
      maxBytes: Math.min(options.maxFileBytes ?? 64 * 2 ** 30, largest),
      signal: closing.signal,
      allowInsecure: options.allowInsecure ?? false,
    })
    if (sources.size > 1_000) sources.delete(sources.keys().next().value!)
    sources.set(key, made)
    return made
  }
  const ask = (action: WireAction, key: string): Promise<void> =>
    checker.send({ ...action, job: { ...action.job, files: filesOf(action.job) } } as CheckerAction, { key, log })

  const pageOf = async (job: Bytes32, cursor: string | undefined, signal: AbortSignal) => {
    const page = await checker.poll({ job, ...(cursor === undefined ? {} : { cursor }) }, { key: 'poll', signal })
    note(job, page.events)
    return page
  }
  const note = (job: Bytes32, events: readonly CheckerEvent[]): void => {
    inbox.settle(job, events)
    const known = pictures.get(job) ?? new Set<Bytes32>()
    pictures.set(job, known)
    for (const event of events)
      if (event.type === 'votes') for (const { picture } of event.reports) if (picture) known.add(picture)
    if (pictures.size > 1_000) pictures.delete(pictures.keys().next().value!)
  }

  /** A stranger's job is not found rather than forbidden: that it exists is nobody else's business. */
  const ownJob = ({ params, caller }: Visit): Bytes32 => {
    const job = hashSchema.read(params['job'], 'job')
    const peer = peers.get(caller.tenant)
    const isPeer = (address: Address): boolean =>
      [inbox.context(job)?.terms.checkers, options.drawn?.(job)].some((known) => known?.includes(address))
    if (peer !== undefined ? !isPeer(peer) : inbox.owner(job) !== caller.tenant)
      throw new PictorError('not-found', `job ${job} is not known`)
    if (peer === undefined) options.onRunner?.(job)
    return job
  }

  const sealing = (): CheckerSealing => {
    if (checker.sealing) return checker.sealing
    throw new PictorError('unsupported', `${checker.id} opens no sealed files`)
  }

  const operations: Readonly<Record<string, (visit: Visit) => Promise<void>>> = {
    async describe({ response }) {
      answer(response, 200, { contract: 1, id: checker.id, address: checker.address })
    },
    async act({ request, response, caller }) {
      const key = keyOf(request.headers['idempotency-key'], caller.tenant)
      const body = await readJson(request, options.maxBodyBytes ?? 2 ** 28, options.bodyTimeoutMs ?? 60_000)
      const action = actionSchema.read(body, 'body')
      inbox.claim(action.job.job, caller.tenant)
      if (inbox.owner(action.job.job) !== caller.tenant) throw new PictorError('not-found', `job ${action.job.job} is not known`)
      options.onRunner?.(action.job.job)
      // A source that can never be read from is refused now, not later by an alarm.
      filesOf(action.job)
      inbox.add(key, action)
      await ask(action, key)
      answer(response, 202, {})
    },
    async events(visit) {
      const cursor = visit.url.searchParams.get('cursor') ?? undefined
      answer(visit.response, 200, await pageOf(ownJob(visit), cursor, visit.signal))
    },
    async picture(visit) {
      const job = ownJob(visit)
      const hash = hashSchema.read(visit.params['hash'], 'hash')
      if (!pictures.get(job)?.has(hash)) await readAll(job, visit.signal)
      if (!pictures.get(job)?.has(hash)) throw new PictorError('not-found', `no report of this job names the picture ${hash}`)
      const path = await options.files.path(hash)
      const bytes = (await stat(path)).size
      const offset = rangeStart(visit.request, bytes)
      metrics.add(
        'download_bytes',
        await sendBytes(visit.response, { bytes, hash, offset }, createReadStream(path, { start: offset }), visit.signal),
      )
    },
    async sealKey({ request, response, signal }) {
      const { domain } = sealKeyAskSchema.read(await readJson(request, 2 ** 16, 10_000), 'body')
      answer(response, 200, await sealing().key(domain, { key: 'seal-key', signal }))
    },
    async keys(visit) {
      const job = ownJob(visit)
      const asked = keyRequestSchema.read(await readJson(visit.request, 2 ** 16, 10_000), 'body')
      if (asked.job !== job) throw invalid('body.job', job, asked.job)
      answer(visit.response, 200, await sealing().keys(asked, { key: 'keys', signal: visit.signal }))
    },
    async health({ response }) {
      const parts = await (options.health?.() ?? Promise.resolve({}))
      const healthy = Object.values(parts).every((state) => state === 'ok')
      answer(response, healthy ? 200 : 503, { status: healthy ? 'ok' : 'unavailable', address: checker.address, ...parts })
    },
    async metrics({ response }) {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      response.end(metrics.text() + (options.metrics?.() ?? ''))
    },
  }
  const readAll = async (job: Bytes32, signal: AbortSignal): Promise<void> => {
    for (let cursor: string | undefined; ;) {
      const page = await pageOf(job, cursor, signal)
      if (page.events.length === 0) return
      cursor = page.cursor
    }
  }

  // What a killed process left undone. Effects that were reached without being polled are settled first.
  for (const job of new Set(inbox.open().map(({ action }) => action.job.job))) await readAll(job, closing.signal)
  for (const { key, action } of inbox.open()) await ask(actionSchema.read(action, 'inbox'), key)

  const listening = await listen({
    operations: CHECKER_OPERATIONS,
    access: accessOf([...options.tokens, ...(options.peers ?? []).map(peerToken)], rate, Date.now),
    metrics,
    host,
    port,
    maxConnections: 1_024,
    closing,
    log,
    perform: (operation, visit) => operations[operation]!(visit),
  })
  return {
    url: listening.url,
    port: listening.port,
    async close() {
      if (closing.signal.aborted) return
      await listening.close()
      inbox.close()
    },
  }
}

/** A peer reads, and asks for nothing. */
const peerToken = ({ token, address }: { readonly token: string; readonly address: Address }): FarmToken => ({
  token,
  tenant: `peer ${address}`,
  scopes: ['read'],
})

/** Idempotency keys of tenants never meet: each tenant has its own. */
function keyOf(header: string | string[] | undefined, tenant: string): string {
  if (typeof header !== 'string' || header.length === 0 || header.length > 256)
    throw invalid('Idempotency-Key', '1 to 256 characters', header)
  return tenant === '' ? header : JSON.stringify([tenant, header])
}

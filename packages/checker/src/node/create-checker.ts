import { followOpenings, fromHex } from '@pictor/core/proof'
import { sealPublicKey } from '@pictor/core/sealing'
import {
  isPictorError,
  type Artifacts,
  type Bytes32,
  type CallContext,
  type Checker,
  type CheckerAction,
  type CheckerEvent,
  type DigestSigner,
  type Farm,
  type Ledger,
} from '@pictor/core/contract'
import type { CropSize } from '../sampling/crop-size.ts'
import { DEFAULT_SAMPLING, type SamplingOptions } from '../sampling/rate.ts'
import { messageSigner, type MessageSigner } from '../signer/messages.ts'
import { createActions } from './actions.ts'
import { createLane, type Lane } from './lanes.ts'
import { pause } from './pause.ts'
import { refuse, reasonOf } from './refusal.ts'
import { sealSecretOf, serveKeys } from './sealed-outputs.ts'
import { emptyState, type JobState } from './state.ts'
import { openStore } from './store.ts'
import { sweepable } from './sweep.ts'
import { isLive, newsOf } from './watch.ts'

/** What a checker is made of. */
export interface CheckerOptions {
  /** Shown in logs and events; by default the signer's address. */
  readonly id?: string
  /** Signs Ready, Held, votes, batches and Final: a key of this process, or a signer process (`socketSigner`). */
  readonly signer: DigestSigner | MessageSigner
  /** At least 32 bytes that all draws derive from. Left out: made once and kept in the store. Whoever knows it can predict what is checked. */
  readonly secret?: Uint8Array | `0x${string}`
  /** The trusted renderer: any farm, usually one's own Blender. */
  readonly renderer: Farm
  /** Where this checker keeps what it swore to hold; left out, it relies on the job's own files staying there. */
  readonly artifacts?: Artifacts
  /** File of the checker's memory; left out, it is lost with the process. */
  readonly store?: string
  readonly sampling?: Partial<SamplingOptions>
  /** Size of the re-rendered crop, at least 64 x 48 pixels; when left out, 6 % of the picture up to 128 x 128. */
  readonly crop?: CropSize
  /** Own renders are given up when none came for this long; 15 minutes when left out. */
  readonly renderTimeoutMs?: number
  /** The ledger of its jobs: no Ready before the money is locked by these very terms. Left out (the local ledger of somebody else's app cannot be read), the runner's word is taken. */
  readonly ledger?: Pick<Ledger, 'domain' | 'poll'>
  /** How long an action whose cause of failure may pass by itself (a broken connection) is tried again before it becomes an alarm; 60 seconds when left out. */
  readonly patienceMs?: number
  /** How often leases are looked at for stalls and late commitments, in milliseconds; 1,000 when left out. */
  readonly watchMs?: number
  /** Hears every event after it was saved, for metrics and logs. */
  readonly onEvent?: (job: Bytes32, event: CheckerEvent) => void
  /** Milliseconds since 1970; the machine's clock when left out. */
  readonly now?: () => number
}

/** A checker of this process. */
export interface LocalChecker extends Checker {
  /** What it remembers of the jobs for which batches may still be posted. */
  jobs(): readonly JobState[]
  /**
   * Removes the files of jobs that ended `keepMs` ago: scenes, outputs, pictures that no other job has. A job ends when its money could be refunded and an arbiter's time
   * is over; no dispute is open then. Returns how many files went.
   */
  sweep(keepMs: number, remove: (hash: Bytes32) => Promise<void>): Promise<number>
}

/**
 * Makes a checker: the port of PROTOCOL.md steps 2 and 4 to 7. Actions are queued and answered by `poll`; the same key has the same effect once; what was signed or voted
 * survives a restart when `store` names a file. Checks run in a lane of their own, so that a long render never delays a Held beyond
 * its time; Final waits until the leases that it does not keep have lapsed.
 *
 * @example
 * const checker = createChecker({ signer: privateKeySigner(key), renderer: studio, store: 'checker.db' })
 * await checker.send({ kind: 'ready', job, set, leases }, { key: '1' })
 * const { events } = await checker.poll({ job: job.job }, { key: '2' })
 * @throws invalid-input when the secret is too short, store-failed when the file cannot be opened
 */
export function createChecker(options: CheckerOptions): LocalChecker {
  const secret = typeof options.secret === 'string' ? fromHex(options.secret, 'secret') : options.secret
  if (secret && secret.length < 32) throw refuse('secret-short', `the secret has ${secret.length} bytes, at least 32 are needed`)
  const store = openStore(options.store ?? ':memory:', secret)
  const now = options.now ?? Date.now
  const closing = new AbortController()
  const lanes = { quick: createLane(), check: createLane(), final: createLane() }
  const states = new Map<Bytes32, JobState>()
  const over = new Set<Bytes32>()
  /** What is being done, as it was asked for last. */
  const underWay = new Map<string, CheckerAction>()
  const stateOf = (job: Bytes32): JobState => {
    const state = states.get(job) ?? store.job(job) ?? emptyState(job)
    states.set(job, state)
    return state
  }
  const signer = messageSigner(options.signer)
  const openings = options.ledger && followOpenings(options.ledger, 'checker-refused')
  const actions = createActions({
    signer,
    renderer: options.renderer,
    keep: options.artifacts,
    sampling: { ...DEFAULT_SAMPLING, ...options.sampling },
    crop: options.crop,
    renderTimeoutMs: options.renderTimeoutMs ?? 15 * 60_000,
    now,
    store,
    ...(openings ? { openings } : {}),
  })

  /** Whether to try once more: the cause may pass by itself (bytes on their way, a network that broke, a signer or renderer that restarts). */
  const mayPass = (error: unknown, sinceMs: number): boolean =>
    isPictorError(error) && error.retryable && now() - sinceMs < (options.patienceMs ?? 60_000)

  async function perform(action: CheckerAction, ctx: CallContext, sinceMs: number): Promise<'again' | undefined> {
    if (store.done(ctx.key)) return undefined
    const state = stateOf(action.job.job)
    const save = (events: readonly CheckerEvent[], done = true): void => {
      const all = [...events, ...newsOf(state, now())]
      store.commit(state, done ? ctx.key : undefined, all)
      for (const event of all) options.onEvent?.(action.job.job, event)
    }
    try {
      save(await actions(state, action, { ...ctx, signal: closing.signal }))
    } catch (error) {
      if (closing.signal.aborted) return undefined
      ctx.log?.(`checker ${action.kind}: ${(error as Error).message}`)
      if (mayPass(error, sinceMs) || newest(action, ctx) !== action) return 'again'
      const lease = 'lease' in action ? { lease: typeof action.lease === 'number' ? action.lease : action.lease.id } : {}
      // Not marked as done: what stands in the way may be removed, and the same key may try again.
      const message = (error as Error).message
      save([{ type: 'alarm', action: action.kind, ...lease, reason: reasonOf(error), message, atMs: now() }], false)
    }
    return undefined
  }

  /** The action as it is to be done: who asks again from elsewhere, such as a runner that came back, has its files there. */
  const newest = (action: CheckerAction, { key }: CallContext): CheckerAction => {
    const asked = underWay.get(key)
    return asked && asked.job.files !== action.job.files ? asked : action
  }

  /** Runs an action in its lane; one that has to be tried again waits outside of it, so that it holds up no other. */
  async function run(lane: Lane, first: CheckerAction, ctx: CallContext): Promise<void> {
    let [action, sinceMs] = [first, now()]
    for (let waitMs = 250; !closing.signal.aborted; waitMs = Math.min(5_000, 2 * waitMs)) {
      if (newest(action, ctx) !== action) [action, sinceMs] = [newest(action, ctx), now()]
      let outcome: 'again' | undefined
      await lane.run(async () => {
        outcome = await perform(action, ctx, sinceMs)
      })
      if (outcome === undefined) return
      await pause(waitMs, closing.signal)
    }
  }

  // Stalls and late commitments are nobody's action: they are looked for. Of jobs that ended nothing is kept in memory.
  for (const job of store.jobs()) if (!isLive(stateOf(job))) states.delete(job)
  const watching = setInterval(() => {
    for (const [job, state] of states) {
      if (!isLive(state)) continue
      const news = newsOf(state, now())
      if (news.length === 0) continue
      store.commit(state, undefined, news)
      for (const event of news) options.onEvent?.(job, event)
    }
  }, options.watchMs ?? 1_000)
  watching.unref()

  return {
    contract: 1,
    id: options.id ?? options.signer.address,
    address: options.signer.address,
    async send(action, ctx) {
      ctx.signal?.throwIfAborted()
      if (closing.signal.aborted) throw refuse('closed', 'this checker was closed')
      if (store.done(ctx.key)) return
      const asked = underWay.has(ctx.key)
      underWay.set(ctx.key, action)
      if (asked) return
      const lane = action.kind === 'check' ? lanes.check : action.kind === 'sign-final' ? lanes.final : lanes.quick
      // The call may end long before the action does: its signal and deadline are not the action's.
      const { key, log } = ctx
      void run(lane, action, { key, ...(log ? { log } : {}) })
        .finally(() => underWay.delete(ctx.key))
        .catch(() => undefined)
    },
    async poll({ job, cursor }, ctx) {
      ctx.signal?.throwIfAborted()
      const from = cursor === undefined ? 0 : Number(cursor)
      if (!Number.isSafeInteger(from) || from < 0) throw refuse('cursor', `expected a cursor of this checker, found ${cursor}`)
      const events = store.events(job, from, 500)
      const busy = lanes.quick.busy || lanes.check.busy
      return { events, cursor: String(from + events.length), waitMs: events.length === 500 ? 0 : busy ? 50 : 500 }
    },
    sealing: {
      async key(domain, ctx) {
        ctx.signal?.throwIfAborted()
        // Sealed outputs are kept by the checker alone, and their keys wait for the ledger: without either it can hold none.
        if (!options.artifacts || !openings)
          throw refuse('cannot-seal', 'this checker has no `artifacts` or no `ledger` of its own')
        const publicKey = sealPublicKey(sealSecretOf(store))
        const [signature] = await signer.sign(domain, [{ kind: 'seal-key', message: { publicKey } }])
        return { checker: signer.address, publicKey, signature: signature! }
      },
      async keys(request, { signal }) {
        const state = states.get(request.job) ?? store.job(request.job)
        const about = { openings, checker: signer.address, nowMs: now(), ...(signal ? { signal } : {}) }
        return { checker: signer.address, envelope: await serveKeys(state, request, about) }
      },
    },
    jobs() {
      const open: JobState[] = []
      for (const job of store.jobs()) {
        if (over.has(job)) continue
        const state = states.get(job) ?? store.job(job)
        if (!state) continue
        if (state.context && state.context.terms.attestByS * 1000 > now()) open.push(state)
        else if (state.context) over.add(job)
      }
      return open
    },
    async sweep(keepMs, remove) {
      const all = store.jobs().flatMap((job) => store.job(job) ?? [])
      const { jobs, files } = sweepable(all, now() - keepMs)
      for (const hash of files) await remove(hash)
      for (const state of jobs) store.commit({ ...state, swept: true }, undefined, [])
      for (const { job } of jobs) states.delete(job)
      return files.length
    },
    async close() {
      if (closing.signal.aborted) return
      closing.abort(refuse('closed', 'this checker was closed'))
      clearInterval(watching)
      await Promise.all(Object.values(lanes).map((lane) => lane.idle()))
      store.close()
    },
  }
}

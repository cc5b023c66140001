import { isPictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import type { JobInput } from '../job/job-facts.ts'
import type { Fence, PostedInput } from '../store/types.ts'
import { pause } from './effort.ts'
import { type JobHost, openJobHost, type Shared } from './job-host.ts'
import { jobReader } from './view.ts'

/** The runs that one runner drives. A run is driven by one runner at a time, the one that holds its claim in the store. */
export interface HeldRuns {
  /** The host of a run that is held here. */
  host(run: Bytes32): JobHost | undefined
  /** Takes a run if nobody else has it. Two calls at once share one claim. */
  take(run: Bytes32): Promise<JobHost | undefined>
  /** Takes the run as soon as its present owner lets go of it, or dies. */
  takeWhenFree(run: Bytes32): Promise<void>
  /** From now on also takes over what others left behind. */
  takeOver(): Promise<void>
  /** Tells of everything new about a run. Returns the function that ends it. */
  onNews(run: Bytes32, listener: () => void): () => void
  /** Stops every run and gives its claim back; to be called once the runner is closing. */
  letGo(): Promise<void>
  /** Resolves when nothing is read and no claim renewed any more. */
  idle(): Promise<void>
}

export interface HeldRunsOptions {
  readonly shared: Shared
  readonly owner: string
  /** Claims a group for this runner; undefined while another one holds it. */
  readonly claim: (group: string) => Promise<Fence | undefined>
  /** The runner is closing. */
  readonly closing: AbortSignal
}

interface Entry {
  host: JobHost | undefined
  readonly listeners: Set<() => void>
}

/** Holds nothing yet. */
export function heldRuns({ shared, owner, claim, closing }: HeldRunsOptions): HeldRuns {
  const { clock, tuning, registry } = shared
  const { store } = shared.options
  const entries = new Map<Bytes32, Entry>()
  const claiming = new Map<Bytes32, Promise<JobHost | undefined>>()
  let looping: Promise<unknown> | undefined
  let takesOver = false

  const entry = (run: Bytes32): Entry => {
    let found = entries.get(run)
    if (!found) entries.set(run, (found = { host: undefined, listeners: new Set() }))
    return found
  }

  function take(run: Bytes32): Promise<JobHost | undefined> {
    const known = entries.get(run)?.host
    if (known) return Promise.resolve(known)
    let promise = claiming.get(run)
    if (!promise) {
      promise = claimHost(run).finally(() => {
        claiming.delete(run)
        forget(run)
      })
      claiming.set(run, promise)
    }
    return promise
  }

  async function claimHost(run: Bytes32): Promise<JobHost | undefined> {
    closing.throwIfAborted()
    const fence = await claim(run)
    if (fence === undefined) return undefined
    const host = await openJobHost({
      run,
      fence,
      shared,
      onFacts: () => {
        for (const listener of entry(run).listeners) listener()
        if (host.job.state.phase === 'ended') void retire(run, host, fence)
      },
      onDead: (error) => void fall(run, host, error),
    })
    entry(run).host = host
    if (host.job.state.phase === 'ended') {
      await retire(run, host, fence)
      return undefined
    }
    host.job.resume()
    loop()
    return host
  }

  async function takeWhenFree(run: Bytes32): Promise<void> {
    const read = jobReader(shared, run)
    while (!closing.aborted) {
      await pause(clock, Math.min(1_000, tuning.claimMs / 4), closing)
      if (closing.aborted || (await take(run).catch(() => undefined)) !== undefined) return
      if ((await read().catch(() => undefined))?.phase === 'ended') return
    }
  }

  async function retire(run: Bytes32, host: JobHost, fence: number): Promise<void> {
    // The last facts' listeners run first: whoever waits for the end still sees this host's state.
    await Promise.resolve()
    if (entries.get(run)?.host === host) entry(run).host = undefined
    // What came too late is refused now: nobody takes an ended run for it again and again.
    for (const item of await store.posted(owner).catch(() => [])) if (item.group === run) await answer(item, host).catch(() => {})
    host.stop()
    await store.release(run, fence).catch(() => {})
    for (const listener of entry(run).listeners) listener()
    forget(run)
  }

  /** A run that nobody drives or listens to leaves nothing behind. */
  function forget(run: Bytes32): void {
    const known = entries.get(run)
    if (known && !known.host && known.listeners.size === 0 && !claiming.has(run)) entries.delete(run)
  }

  /** The store refused an append: what is in memory is worth nothing. After a full disk the run is taken up again, after a lost claim it is another runner's. */
  async function fall(run: Bytes32, host: JobHost, error: unknown): Promise<void> {
    if (entries.get(run)?.host === host) entry(run).host = undefined
    if (isPictorError(error, 'stale-fence')) {
      for (const listener of entry(run).listeners) listener()
      return
    }
    for (let attempt = 0; !closing.aborted; attempt++) {
      await pause(clock, Math.min(tuning.retryMaxMs, tuning.retryMs * 2 ** attempt), closing)
      if (closing.aborted) return
      try {
        await take(run)
        return
      } catch {
        // The store is not back yet.
      }
    }
  }

  /** Keeps claims, reads the inbox, takes over what others left behind. */
  function loop(): void {
    looping ??= Promise.all([
      every(tuning.claimMs / 3, () => store.renew(owner, clock.now(), tuning.claimMs)),
      // Beside the renewals: reading a thousand runs takes longer than a claim lasts.
      every(tuning.claimMs / 3, async () => {
        await registry.refresh().catch(() => {})
        await takeDue()
      }),
      every(tuning.inboxMs, readInbox),
    ])
  }

  async function every(ms: number, act: () => Promise<void>): Promise<void> {
    while (!closing.aborted) {
      await pause(clock, ms, closing)
      if (!closing.aborted) await act().catch(() => {})
    }
  }

  /** Journals of farms with something posted to somebody who is gone are read by any runner; runs are taken over by those that were told to. */
  async function takeDue(): Promise<void> {
    for (const group of await store.due(clock.now(), 1_000))
      if (!(await registry.takeDue(group).catch(() => true)) && takesOver) await take(group as Bytes32).catch(() => {})
  }

  async function readInbox(): Promise<void> {
    for (const item of await store.posted(owner))
      if (!(await registry.takePosted(item).catch(() => true)))
        await answer(item, entries.get(item.group as Bytes32)?.host).catch(() => {})
  }

  /** Hands a posted input to the run that it is for; it is out of the inbox with the facts that it causes, or with its refusal. */
  async function answer({ id, body }: PostedInput, host: JobHost | undefined): Promise<void> {
    await host?.job.send(JSON.parse(body) as JobInput, id)
  }

  return {
    host: (run) => entries.get(run)?.host,
    take,
    takeWhenFree,
    async takeOver() {
      takesOver = true
      loop()
      // A store that does not answer now is looked at again by the loop.
      await takeDue().catch((error: unknown) => {
        if (!isPictorError(error) || !error.retryable) throw error
      })
    },
    onNews(run, listener) {
      const { listeners } = entry(run)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        forget(run)
      }
    },
    async letGo() {
      for (const [run, { host, listeners }] of entries) {
        host?.stop()
        const fence = host && (await store.claim(run, owner, clock.now(), tuning.claimMs).catch(() => undefined))
        if (fence !== undefined) await store.release(run, fence).catch(() => {})
        for (const listener of listeners) listener()
      }
    },
    async idle() {
      await looping
    },
  }
}

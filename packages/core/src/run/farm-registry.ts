import { randomUUID } from 'node:crypto'
import type { Clock } from '../contract/context.ts'
import {
  farmHealthMachine,
  standingOf,
  type FarmHealthFact,
  type FarmHealthInput,
  type FarmHealthState,
  type FarmStanding,
} from '../job/farm-health.ts'
import type { CommandBase } from '../job/machine.ts'
import type { Fence, PostedInput, Store } from '../store/types.ts'
import { pauseUntil } from './effort.ts'
import { streamReader } from './fold.ts'
import { openStream, type StreamHost } from './stream.ts'

/** What is known of every farm over all jobs and restarts, in a journal of its own for each farm. */
export interface FarmRegistry {
  /** Where a farm stands now, and why. */
  look(farm: string): Promise<FarmHealth>
  /** Farms that something is known of. */
  all(): Promise<readonly FarmHealth[]>
  /** Resolves when the input is durable, here or in the inbox of the runner that keeps this farm's journal. The same key twice is one input. */
  tell(farm: string, input: FarmHealthInput, key?: string): Promise<void>
  /** An input that another process posted. False when it is for no farm. */
  takePosted(item: PostedInput): Promise<boolean>
  /** Takes the journal of a farm to which something was posted and that nobody holds. False when the group is no farm. */
  takeDue(group: string): Promise<boolean>
  /** Tells of every change of a farm's standing from now on, its present one first. Returns the function that ends it. */
  watch(farm: string, listener: (report: FarmHealth) => void): () => void
  /** Reads what other runners wrote. */
  refresh(): Promise<void>
  close(): Promise<void>
}

/** A farm's standing for people and plans. */
export interface FarmHealth {
  readonly farm: string
  readonly standing: FarmStanding
  /** Why it is quarantined or was. */
  readonly reason?: string
  /** End of the quarantine. */
  readonly untilMs?: number
  /** Incidents in separate minutes since its last accepted lease. */
  readonly strikes: number
  /** Since when it does not answer. */
  readonly downSinceMs?: number
  readonly cursor?: string
  readonly incidents: FarmHealthState['incidents']
}

export interface FarmRegistryOptions {
  readonly store: Store
  readonly clock: Clock
  readonly snapshotFacts: number
  /** Claims a group for this runner; undefined while another one holds it. */
  readonly claim: (group: string) => Promise<Fence | undefined>
}

interface Entry {
  /** Ours when there is a host; otherwise what was last read of another runner's journal. */
  host: StreamHost<FarmHealthState, FarmHealthInput> | undefined
  fence: Fence | undefined
  seen: FarmHealthState
  /** Brings `seen` up to date with what another runner writes. */
  readonly read: () => Promise<FarmHealthState>
  told: FarmStanding
  readonly listeners: Set<(report: FarmHealth) => void>
}

const KIND = 'farm'
/** Groups are named by ids of runs, which begin with 0x; ids of farms are free text. */
const groupOfFarm = (farm: string): string => `farm-${encodeURIComponent(farm)}`
const isFarm = (group: string): boolean => group.startsWith('farm-')
const farmOfGroup = (group: string): string => decodeURIComponent(group.slice('farm-'.length))

export function farmRegistry(options: FarmRegistryOptions): FarmRegistry {
  const { store, clock } = options
  const entries = new Map<string, Promise<Entry>>()
  const closing = new AbortController()
  const streamOf = (farm: string): string => `${KIND}:${groupOfFarm(farm)}`
  const reader = (farm: string): (() => Promise<FarmHealthState>) => {
    const one = streamReader<FarmHealthState, FarmHealthFact>(farmHealthMachine, store, streamOf(farm))
    return async () => (await one.catchUp()).state
  }

  const report = (farm: string, { seen }: Entry): FarmHealth => ({
    farm,
    standing: standingOf(seen, clock.now()),
    ...(seen.quarantine === undefined ? {} : { reason: seen.quarantine.reason, untilMs: seen.quarantine.untilMs }),
    strikes: seen.strikes,
    ...(seen.downSinceMs === undefined ? {} : { downSinceMs: seen.downSinceMs }),
    ...(seen.cursor === undefined ? {} : { cursor: seen.cursor }),
    incidents: [...seen.incidents],
  })

  /** Tells listeners when the standing is another than the one they know, and comes back when a quarantine ends. */
  function notice(farm: string, entry: Entry): void {
    const now = report(farm, entry)
    if (now.standing === entry.told) return
    entry.told = now.standing
    for (const listener of entry.listeners) listener(now)
    if (now.standing === 'quarantined')
      void pauseUntil(clock, now.untilMs!, closing.signal).then(() => {
        if (!closing.signal.aborted) notice(farm, entry)
      })
  }

  function entryOf(farm: string): Promise<Entry> {
    let found = entries.get(farm)
    if (!found) {
      const read = reader(farm)
      found = read().then((seen) => {
        const entry: Entry = {
          host: undefined,
          fence: undefined,
          seen,
          read,
          told: 'trusted',
          listeners: new Set(),
        }
        notice(farm, entry)
        return entry
      })
      entries.set(farm, found)
      found.catch(() => entries.delete(farm))
    }
    return found
  }

  /** The journal of the farm, if this runner holds it or can take it. */
  async function own(farm: string, entry: Entry): Promise<StreamHost<FarmHealthState, FarmHealthInput> | undefined> {
    if (entry.host) return entry.host
    const fence = await options.claim(groupOfFarm(farm))
    if (fence === undefined || closing.signal.aborted) return undefined
    const host = await openStream<FarmHealthState, FarmHealthInput, FarmHealthFact, CommandBase>({
      machine: farmHealthMachine,
      store,
      clock,
      name: streamOf(farm),
      fence,
      snapshotFacts: options.snapshotFacts,
      perform: async () => {},
      onFacts: () => notice(farm, entry),
      // Another runner has taken it over, or the disk is full: the next input tries again, on what the store says.
      onDead: () => {
        entry.host = undefined
        void entry.read().then(
          (seen) => (entry.seen = seen),
          () => {},
        )
      },
      // Nothing about a farm is ever due.
      isOpen: () => false,
    })
    if (entry.host) return entry.host
    entry.host = host
    entry.fence = fence
    entry.seen = host.state
    return host
  }

  /** The journal that a group is, if it is a farm's and ours to write. */
  async function ownGroup(group: string): Promise<StreamHost<FarmHealthState, FarmHealthInput> | undefined> {
    return isFarm(group) ? own(farmOfGroup(group), await entryOf(farmOfGroup(group))) : undefined
  }

  return {
    look: async (farm) => report(farm, await entryOf(farm)),
    async all() {
      const farms: string[] = []
      for (let cursor: string | undefined; ;) {
        const page = await store.list(KIND, { limit: 100, ...(cursor === undefined ? {} : { cursor }) })
        farms.push(...page.streams.map((stream) => farmOfGroup(stream.slice(KIND.length + 1))))
        if (page.cursor === undefined) break
        cursor = page.cursor
      }
      return Promise.all(farms.map(async (farm) => report(farm, await entryOf(farm))))
    },
    async tell(farm, input, key = randomUUID()) {
      const entry = await entryOf(farm)
      // Good news is no news: most accepted leases change nothing.
      if (input.type !== 'incident' && farmHealthMachine.accept(entry.seen, input, clock.now()).facts.length === 0) return
      const host = await own(farm, entry)
      if (host) await host.send(input)
      else await store.post(groupOfFarm(farm), JSON.stringify(input), key)
    },
    async takePosted({ group, body, id }) {
      const host = await ownGroup(group)
      await host?.send(JSON.parse(body) as FarmHealthInput, id)
      return isFarm(group)
    },
    async takeDue(group) {
      await ownGroup(group)
      return isFarm(group)
    },
    watch(farm, listener) {
      let over = false
      let entry: Entry | undefined
      void entryOf(farm).then(
        (found) => {
          if (over) return
          entry = found
          found.listeners.add(listener)
          listener(report(farm, found))
        },
        () => {},
      )
      return () => {
        over = true
        entry?.listeners.delete(listener)
      }
    },
    async refresh() {
      for (const [farm, promise] of entries) {
        const entry = await promise
        if (entry.host) continue
        entry.seen = await entry.read()
        notice(farm, entry)
      }
    },
    async close() {
      closing.abort()
      for (const [farm, promise] of entries) {
        const entry = await promise.catch(() => undefined)
        entry?.host?.stop()
        if (entry?.fence !== undefined) await store.release(groupOfFarm(farm), entry.fence).catch(() => {})
      }
    },
  }
}

import { PictorError } from '../contract/error.ts'
import { groupOf, KEPT_KEYS, type LoadedStream, MOST_WAITING, type PostedInput, type Store, type StoredFact } from './types.ts'

interface Stream {
  readonly facts: StoredFact[]
  snapshot?: { seq: number; body: string }
}

interface Group {
  owner: string | undefined
  untilMs: number
  fence: number
  open: boolean
  readonly facts: StoredFact[]
  /** Dedupe keys of posts, the oldest first. */
  readonly seen: Set<string>
}

/** A store that lives as long as its object: for tests, simulations and probes. Several runners may share it. */
export function memoryStore(): Store {
  const streams = new Map<string, Stream>()
  const groups = new Map<string, Group>()
  let inbox: PostedInput[] = []
  let lastId = 0
  let lastPost = 0
  const group = (name: string): Group => {
    let found = groups.get(name)
    if (!found) groups.set(name, (found = { owner: undefined, untilMs: 0, fence: 0, open: true, facts: [], seen: new Set() }))
    return found
  }
  return {
    async load(name, loadOptions = {}): Promise<LoadedStream> {
      const stream = streams.get(name)
      const { after } = loadOptions
      const snapshot = loadOptions.snapshot === false || after !== undefined ? undefined : stream?.snapshot
      const facts = stream ? stream.facts.slice(after ?? snapshot?.seq ?? 0) : []
      return {
        ...(snapshot ? { snapshot } : {}),
        seq: stream?.facts.length ?? 0,
        facts: (async function* () {
          for (const fact of facts) yield fact
        })(),
      }
    },
    async claim(name, owner, nowMs, claimMs, from) {
      const held = group(name)
      if (held.owner !== undefined && held.owner !== owner && held.owner !== from && held.untilMs > nowMs) return undefined
      if (held.owner !== owner || held.untilMs <= nowMs) held.fence++
      held.owner = owner
      held.untilMs = nowMs + claimMs
      return held.fence
    },
    holder: async (name) => group(name).owner,
    async renew(owner, nowMs, claimMs) {
      for (const held of groups.values()) if (held.owner === owner && held.untilMs > nowMs) held.untilMs = nowMs + claimMs
    },
    async release(name, fence) {
      const held = group(name)
      if (held.fence === fence) held.owner = undefined
    },
    async append(name, fence, expectedSeq, facts, options = {}) {
      const held = group(groupOf(name))
      if (held.owner === undefined || held.fence !== fence) throw staleFence(name, fence, held.fence)
      let stream = streams.get(name)
      if ((stream?.facts.length ?? 0) !== expectedSeq) throw sequenceConflict(name, expectedSeq, stream?.facts.length ?? 0)
      if (!stream) streams.set(name, (stream = { facts: [] }))
      for (const body of facts) {
        const fact: StoredFact = { id: ++lastId, stream: name, seq: stream.facts.length + 1, body }
        stream.facts.push(fact)
        held.facts.push(fact)
      }
      if (options.snapshot !== undefined) stream.snapshot = { seq: stream.facts.length, body: options.snapshot }
      if (options.open !== undefined) held.open = options.open
      if (options.answered?.length) inbox = inbox.filter((item) => !options.answered!.includes(item.id))
    },
    async due(nowMs, limit) {
      const posted = new Set(inbox.map((item) => item.group))
      const open: string[] = []
      for (const [name, held] of groups) if (held.open && held.facts.length > 0 && !posted.has(name)) open.push(name)
      const free = ({ owner, untilMs }: Group): boolean => owner === undefined || untilMs <= nowMs
      return [...posted, ...open].filter((name) => free(group(name))).slice(0, limit)
    },
    async post(name, body, dedupeKey) {
      const { seen } = group(name)
      if (seen.has(dedupeKey)) return
      if (inbox.filter((item) => item.group === name).length >= MOST_WAITING) throw inboxFull(name)
      seen.add(dedupeKey)
      if (seen.size > KEPT_KEYS) seen.delete(seen.values().next().value!)
      inbox.push({ id: ++lastPost, group: name, body })
    },
    posted: async (owner) => inbox.filter((item) => groups.get(item.group)?.owner === owner),
    async list(kind, { cursor, limit }) {
      const names = [...streams.keys()].filter((name) => name.startsWith(`${kind}:`) && name > (cursor ?? '')).sort()
      const page = names.slice(0, limit)
      return { streams: page, ...(names.length > limit ? { cursor: page.at(-1)! } : {}) }
    },
    async read(name, after, limit) {
      const facts = groups.get(name)?.facts ?? []
      // Ids grow: the first one after `after` is found by halving.
      let low = 0
      for (let high = facts.length; low < high;) {
        const middle = (low + high) >> 1
        if (facts[middle]!.id <= after) low = middle + 1
        else high = middle
      }
      return facts.slice(low, low + limit)
    },
    async close() {},
  }
}

export function inboxFull(group: string): PictorError {
  const hint = 'start a runner over this store: it takes them up'
  return new PictorError('store-failed', `${group}: ${MOST_WAITING} inputs wait and nobody takes them; ${hint}`, {
    details: { group, hint },
  })
}

export function staleFence(stream: string, fence: number, now: number): PictorError {
  return new PictorError('stale-fence', `${stream}: another runner has taken it over (claim ${now}, this one is ${fence})`, {
    details: { stream, fence, now },
  })
}

export function sequenceConflict(stream: string, expected: number, found: number): PictorError {
  return new PictorError('sequence-conflict', `${stream}: expected to append after ${expected}, it ends at ${found}`, {
    details: { stream, expected, found },
  })
}

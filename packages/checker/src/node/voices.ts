import type {
  Address,
  Batch,
  Bytes32,
  Checker,
  CheckerEvent,
  CheckerJob,
  CheckerSignature,
  Ready,
  SeedReveal,
  Vote,
} from '@pictor/core/contract'
import { batchDigest, holds, requireSigner, verifyHeld, verifyReady, verifySeed, verifyVote } from '@pictor/core/proof'

/** Another checker, as far as it is listened to. */
export type Peer = Pick<Checker, 'address' | 'poll'>

/** What one checker says of a lease. */
export interface Cast {
  readonly votes: readonly Vote[]
  readonly seed: SeedReveal
}

/** What the checkers of a job said, as far as it is signed by them and fits what they said before. */
export interface Voices {
  /** In order of address. */
  readies(seq: number): readonly Ready[]
  /** How many hold a commitment. */
  heldBy(lease: number, outputRoot: Bytes32): number
  /** Votes whose seed is the one of the checker's Ready, by address. */
  votesOn(lease: number, seq: number): ReadonlyMap<Address, Cast>
  /** In order of address. */
  signaturesOf(batch: Batch): readonly CheckerSignature[]
}

/** What was heard of one checker about one job. Only what its own key signed is kept. */
interface Heard {
  cursor?: string
  readonly readies: Map<number, Ready>
  readonly held: Set<string>
  readonly cast: Map<number, Cast>
  readonly signatures: Map<Bytes32, CheckerSignature>
}

/** Listens to the checkers of jobs; one that does not answer has said nothing new. */
export function voicesOf(
  peers: readonly Peer[],
): (job: CheckerJob, committee: readonly Address[], signal: AbortSignal) => Promise<Voices> {
  const jobs = new Map<string, Heard>()
  return async (job, committee, signal) => {
    const named = peers.filter(({ address }) => committee.includes(address))
    const heard = new Map<Address, Heard>()
    for (const { address } of [...named].sort((a, b) => (a.address < b.address ? -1 : 1))) {
      const known = jobs.get(`${job.job} ${address}`) ?? {
        readies: new Map(),
        held: new Set(),
        cast: new Map(),
        signatures: new Map(),
      }
      jobs.set(`${job.job} ${address}`, known)
      heard.set(address, known)
    }
    await Promise.all(
      named.map((peer) =>
        listen(peer, job, heard.get(peer.address)!, signal).catch((error: unknown) => {
          if (signal.aborted) throw error
        }),
      ),
    )
    return voices(job, heard)
  }
}

/** A peer that says nothing for this long is asked again at the next look. */
const ANSWER_MS = 10_000

async function listen(peer: Peer, job: CheckerJob, heard: Heard, signal: AbortSignal): Promise<void> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)])
  for (;;) {
    const query = { job: job.job, ...(heard.cursor === undefined ? {} : { cursor: heard.cursor }) }
    const page = await peer.poll(query, { key: `peer ${job.job}`, signal: limited })
    for (const event of page.events) note(peer.address, job, event, heard)
    heard.cursor = page.cursor
    if (page.events.length === 0) return
  }
}

function note(address: Address, { domain, job }: CheckerJob, event: CheckerEvent, heard: Heard): void {
  switch (event.type) {
    case 'ready':
      if (event.ready.checker === address && event.ready.job === job && holds(() => verifyReady(domain, event.ready)))
        heard.readies.set(event.ready.seq, event.ready)
      return
    case 'held': {
      const { held } = event
      if (held.checker === address && held.job === job && holds(() => verifyHeld(domain, held)))
        heard.held.add(`${held.lease} ${held.outputRoot}`)
      return
    }
    case 'votes': {
      const { votes, seed, lease } = event
      const good = (vote: Vote): boolean =>
        vote.checker === address && vote.job === job && vote.lease === lease && holds(() => verifyVote(domain, vote))
      if (seed.checker === address && seed.lease === lease && !heard.cast.has(lease) && votes.every(good))
        heard.cast.set(lease, { votes, seed })
      return
    }
    case 'batch-signature':
      // Verified once the batch is known: of the batch there is only its hash.
      if (event.signature.checker === address) heard.signatures.set(event.batchHash, event.signature)
      return
    default:
      return
  }
}

function voices({ domain }: CheckerJob, heard: ReadonlyMap<Address, Heard>): Voices {
  return {
    readies: (seq) => [...heard.values()].flatMap(({ readies }) => readies.get(seq) ?? []),
    heldBy: (lease, outputRoot) => [...heard.values()].filter(({ held }) => held.has(`${lease} ${outputRoot}`)).length,
    votesOn(lease, seq) {
      const found = new Map<Address, Cast>()
      for (const [address, { cast, readies }] of heard) {
        const one = cast.get(lease)
        const ready = readies.get(seq)
        if (one && ready && verifySeed(ready.seedRoot, one.seed)) found.set(address, one)
      }
      return found
    },
    signaturesOf: (batch) =>
      [...heard.values()].flatMap(({ signatures }) => {
        const one = signatures.get(batch.batchHash)
        return one && holds(() => requireSigner(batchDigest(domain, batch), one.signature, one.checker, 'signature')) ? [one] : []
      }),
  }
}

import { canonicalJson } from '../contract/codec.ts'
import { PictorError } from '../contract/error.ts'
import type { Address, LeaseTicket } from '../contract/messages.ts'
import type { Task } from '../contract/task.ts'
import { leaseLeaf } from './lease.ts'
import { requireLeaseKey } from './lease-key.ts'
import { verifyProof } from './merkle.ts'
import { verifyReady } from './sign.ts'
import { ZERO_ADDRESS, jobIdOf, specHashOf } from './terms.ts'
import { badSignature } from './signature.ts'

/** What a farm works for; what is left out is not asked. */
export interface LeaseWants {
  /** The account that must be paid. */
  readonly payTo?: Address
  /** The least that a lease pays for each of its frames, gross, in the smallest unit of the job's currency: the runner's estimate is not the farm's. */
  readonly minFramePrice?: bigint
  /** The most that the platform takes of the pay, in basis points. Escrows allow 3,000. */
  readonly maxPlatformFeeBps?: number
}

function refuse(path: string, expected: string, found: unknown): PictorError {
  return refuseAt(`ticket.${path}`, expected, found)
}

function refuseAt(path: string, expected: string, found: unknown): PictorError {
  return new PictorError('farm-refused', `${path}: expected ${expected}, found ${String(found)}`, {
    details: { path, reason: 'lease' },
  })
}

/**
 * What a farm or a checker makes sure of before it works for a lease: the lease is meant for `farmAddress`, lies in the set that the leaseKey signed (set 0 was
 * signed by opening the job), is within the terms, can still be committed in time, and the quorum of the job's checkers is ready for exactly this set.
 * Whether `ticket.domain` is a ledger by which the farm wants to be paid is the farm's own decision.
 * `checkers` are the drawn ones where the terms leave the choice to the registry. `leaseKey` is the key in force by the ledger (`followOpenings`), for a farm that can
 * ask it; else the creator's own signature in the set counts.
 * @throws signature-invalid when a signature or proof does not hold, farm-refused when the lease itself does not, invalid-input on malformed fields
 */
export function verifyLeaseTicket(
  ticket: LeaseTicket,
  farmAddress: Address,
  nowMs: number,
  checkers: readonly Address[] = ticket.terms.checkers,
  leaseKey?: Address,
): void {
  const { domain, terms, job, lease, set } = ticket
  const leaf = leaseLeaf(lease)
  const expectedJob = jobIdOf(domain, terms.creator, terms.runId)
  if (job !== expectedJob) throw refuse('job', `${expectedJob} by domain and terms`, job)
  if (set.job !== job) throw refuse('set.job', job, set.job)
  if (lease.farm !== farmAddress) throw refuse('lease.farm', farmAddress, lease.farm)
  if (lease.payTo === ZERO_ADDRESS) throw refuse('lease.payTo', 'an account', lease.payTo)
  if (lease.price > terms.frameCap * BigInt(lease.frames.length))
    throw refuse('lease.price', `at most ${terms.frameCap} a frame`, lease.price)
  if (lease.price > terms.farmBudget) throw refuse('lease.price', `at most the farm budget ${terms.farmBudget}`, lease.price)
  if (lease.commitByS > terms.deadlineAtS)
    throw refuse('lease.commitByS', `at most the deadline ${terms.deadlineAtS}`, lease.commitByS)
  if (lease.commitByS * 1000 <= nowMs) throw refuse('lease.commitByS', `a time after ${Math.ceil(nowMs / 1000)}`, lease.commitByS)
  if (!verifyProof(set.setRoot, leaf, ticket.proof)) throw badSignature('ticket.proof', 'the lease does not lie in this set')
  if (set.seq > 0 || set.signature) requireLeaseKey(domain, terms, set, leaseKey, 'ticket.set')
  requireReadyQuorum(ticket, checkers)
}

/**
 * What a farm makes sure of beside the ticket: the task asks for exactly what the lease is judged by and pays for, and pays whom and what the farm wants. Checkers compare with
 * the terms' scene and spec and pay the lease's frames: a task for others, for more of them, or with a window would be work that nobody pays.
 * @throws farm-refused naming the field of the task or its ticket
 */
export function requireTaskOfLease({ work, spec, window, bundle }: Task, ticket: LeaseTicket, wants: LeaseWants): void {
  const { lease, terms } = ticket
  const { payTo, minFramePrice = 0n, maxPlatformFeeBps = Infinity } = wants
  if (payTo !== undefined && lease.payTo !== payTo) throw refuse('lease.payTo', payTo, lease.payTo)
  const least = minFramePrice * BigInt(lease.frames.length)
  if (lease.price < least) throw refuse('lease.price', `at least ${least} for ${lease.frames.length} frames`, lease.price)
  if (terms.platformFeeBps > maxPlatformFeeBps)
    throw refuse('terms.platformFeeBps', `at most ${maxPlatformFeeBps}`, terms.platformFeeBps)
  if (bundle.root !== terms.bundleRoot)
    throw refuseAt('task.bundle.root', `the scene of the terms, ${terms.bundleRoot}`, bundle.root)
  const specHash = specHashOf(spec)
  if (specHash !== terms.specHash) throw refuseAt('task.spec', `the spec of the terms, ${terms.specHash}`, specHash)
  if (window) throw refuseAt('task.window', 'none: a lease is for whole pictures', canonicalJson(window))
  const frames = 'frames' in work ? work.frames : [work.frame]
  if (frames.length !== lease.frames.length || frames.some((frame, i) => frame !== lease.frames[i]))
    throw refuseAt('task.work', `the frames of the lease, ${lease.frames.join()}`, frames.join())
  // The part of a frame is the tile that the spec, and so the terms' specHash, gives its number.
  const tiles = work.kind === 'tiles' ? work.tiles : []
  const fits = lease.part === 0 ? work.kind !== 'tiles' : tiles.length === 1 && sameTile(tiles[0], spec.tiles?.[lease.part - 1])
  if (!fits) throw refuseAt('task.work', `part ${lease.part} of its frame`, work.kind)
}

const sameTile = (a: unknown, b: unknown): boolean => b !== undefined && canonicalJson(a) === canonicalJson(b)

function requireReadyQuorum({ domain, terms, job, set, ready }: LeaseTicket, checkers: readonly Address[]): void {
  const quorum = terms.quorum
  if (!(quorum >= 1 && 2 * quorum > checkers.length)) throw refuse('terms.quorum', `more than half of ${checkers.length}`, quorum)
  const seen = new Set<Address>()
  for (const [i, one] of ready.entries()) {
    const path = `ticket.ready[${i}]`
    const fits = one.job === job && one.seq === set.seq && one.setRoot === set.setRoot && one.bundleRoot === terms.bundleRoot
    if (!fits) throw badSignature(path, 'it speaks of another job, set or bundle')
    if (!checkers.includes(one.checker)) throw badSignature(`${path}.checker`, `${one.checker} is no checker of this job`)
    if (seen.has(one.checker)) throw badSignature(`${path}.checker`, `${one.checker} is ready twice`)
    verifyReady(domain, one, path)
    seen.add(one.checker)
  }
  if (seen.size < quorum) throw badSignature('ticket.ready', `expected ${quorum} checkers to be ready, found ${seen.size}`)
}

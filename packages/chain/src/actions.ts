import type { Address, Bytes32, LedgerAction, LedgerRefusal, LeaseResult } from '@pictor/core/contract'
import { PictorError, isPictorError } from '@pictor/core/contract'
import {
  batchHash,
  encodeBatch,
  encodeSetProofs,
  encodeSignatures,
  fromHex,
  hashTerms,
  keccak256,
  leaseLeaf,
  leasesInOrder,
  toHex,
  type ProvenSet,
} from '@pictor/core/proof'
import type { BatchView, JobView } from './job-view.ts'
import { arbiterAbi, committeeOf, escrowAbi, wireLease, wireRef, type JobOpening } from './wire.ts'

/** A call that does what an action asks for. */
export interface ActionCall {
  readonly to: Address
  readonly data: string
  /** Which account must send it, when not anybody may. */
  readonly from?: Address
  /** What the escrow takes from the sender's allowance. */
  readonly takes?: bigint
}

/** A refusal in the words of all ledgers. */
export function refused(reason: LedgerRefusal, message: string, details: Readonly<Record<string, unknown>> = {}): PictorError {
  return new PictorError('ledger-refused', message, { details: { reason, ...details } })
}

/** Runs an encoder; what it finds unfit is a refusal of the ledger. */
export function refusing<T>(reason: LedgerRefusal, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!isPictorError(error, 'invalid-input')) throw error
    throw refused(reason, error.message, error.details)
  }
}

type Action<K extends LedgerAction['kind']> = Extract<LedgerAction, { kind: K }>
/** An action on one job. */
export type JobAction = Exclude<LedgerAction, { kind: 'withdraw' }>

/** What a call needs to know beside the action. */
export interface ActionWorld {
  readonly escrow: Address
  readonly view: JobView
  /** The account that sends. */
  readonly sender: Address
  /** Whether the terms' arbiter is a contract (OwnerArbiter) instead of an account. */
  readonly arbiterIsContract: boolean
  bondFor(token: Address, price: bigint): Promise<bigint>
  nowS(): Promise<number>
}

/** The opening of the job that the action's terms name. @throws ledger-refused unknown-job, terms-mismatch */
export function openingOf(view: JobView, action: JobAction): JobOpening {
  const { opening } = view
  if (!opening) throw refused('unknown-job', `no job ${view.job} on this escrow`)
  if (hashTerms(opening.terms) !== refusing('terms', () => hashTerms(action.terms)))
    throw refused('terms-mismatch', `job ${view.job} was opened with other terms`)
  return opening
}

/** Rows of a Ready: those of quorum signatures with the seed root between index and length. @throws ledger-refused */
export function readyRows(action: Pick<Action<'ready'>, 'ready'>, opening: JobOpening, job: Bytes32): Uint8Array {
  const committee = committeeOf(opening)
  for (const ready of action.ready)
    if (
      ready.job !== job ||
      ready.seq !== 0 ||
      ready.setRoot !== opening.setRoot ||
      ready.bundleRoot !== opening.terms.bundleRoot
    )
      throw refused('lease-set', 'a Ready speaks of another job, bundle or set than the opened ones')
  const rows = action.ready.map((ready) => ({ ...ready, index: committee.indexOf(ready.checker) }))
  rows.sort((a, b) => a.index - b.index)
  const parts = rows.map(({ index, seedRoot, signature, checker }, i) => {
    if (index < 0 || index === rows[i - 1]?.index)
      throw refused('signature', `${checker} is no checker of the job, or is ready twice`)
    const bytes = fromHex(signature)
    return Uint8Array.from([index, ...fromHex(seedRoot), bytes.length >> 8, bytes.length & 255, ...bytes])
  })
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

function provenSets(action: Action<'attest'>): ProvenSet[] {
  const seqs = [...new Set(action.batch.results.map(({ seq }) => seq))]
  return seqs.map((seq) => {
    const found = action.sets.find(({ set }) => set.seq === seq)
    if (!found) throw refused('lease-set', `the batch uses lease set ${seq}, which was not passed`)
    const leases = leasesInOrder(found.leases)
    const leaves = leases.map(leaseLeaf)
    const positions = new Map(leases.map(({ id }, i) => [id, i]))
    const results = action.batch.results.filter((result) => result.seq === seq)
    return { ...found.set, leaves, indices: results.map((result) => positionOf(result, positions, leaves)) }
  })
}

function positionOf({ lease }: LeaseResult, positions: ReadonlyMap<number, number>, leaves: readonly Bytes32[]): number {
  const position = positions.get(lease.id)
  if (position === undefined || leaves[position] !== leaseLeaf(lease))
    throw refused('lease', `lease ${lease.id} is not in its set as it stands in the batch`)
  return position
}

function attestCall(action: Action<'attest'>, opening: JobOpening, job: Bytes32): string {
  const { batch } = action
  const committee = committeeOf(opening)
  if (batch.job !== job) throw refused('batch-hash', `the batch is of job ${batch.job}`)
  return refusing('lease', () => {
    const blob = encodeBatch(batch, opening.terms, committee)
    if (keccak256(blob) !== batch.batchHash)
      throw refused('batch-hash', 'the signed hash does not cover these results', {
        computed: batchHash(batch, opening.terms, committee),
      })
    const proofs = refusing('lease-set', () => encodeSetProofs(provenSets(action)))
    const rows = refusing('signature', () => encodeSignatures(action.signatures, committee))
    return escrowAbi.encodeFunctionData('attest', [wireRef(opening), blob, proofs, batch.validUntilS, rows])
  })
}

function batchOf(view: JobView, number: number): BatchView {
  const batch = view.batches.get(number)
  if (!batch) throw refused('unknown-batch', `job ${view.job} has no batch ${number}`)
  return batch
}

async function disputeCall(action: Action<'dispute'>, opening: JobOpening, world: ActionWorld): Promise<ActionCall> {
  const { pinned } = batchOf(world.view, action.batch)
  const index = pinned?.farms.findIndex(({ farm }) => farm === action.farm) ?? -1
  if (!pinned || index < 0) throw refused('done', `batch ${action.batch} holds nothing of ${action.farm} any more`)
  const share = pinned.farms[index]!
  const parties = [opening.terms.creator, share.farm, share.payTo, ...committeeOf(opening)]
  const by = parties.includes(world.sender) ? world.sender : opening.terms.creator
  const data = escrowAbi.encodeFunctionData('dispute', [
    wireRef(opening),
    action.batch,
    pinned,
    index,
    action.reasonHash,
    by,
    '0x',
  ])
  return { to: world.escrow, data, takes: await world.bondFor(opening.terms.token, share.price) }
}

function resolveCall(action: Action<'resolve'>, opening: JobOpening, world: ActionWorld): ActionCall {
  const objection = batchOf(world.view, action.batch).objections.get(action.farm)
  if (!objection) throw refused('done', `nothing of ${action.farm} in batch ${action.batch} waits for the arbiter`)
  const ref = wireRef(opening)
  const { acceptedPerMille } = action
  if (world.arbiterIsContract) {
    const args = [world.escrow, world.view.job, ref, action.batch, objection, acceptedPerMille]
    return { to: opening.terms.arbiter, data: arbiterAbi.encodeFunctionData('rule', args) }
  }
  const data = escrowAbi.encodeFunctionData('resolve', [ref, action.batch, objection, acceptedPerMille])
  return { to: world.escrow, data, from: opening.terms.arbiter }
}

async function claimCall(action: Action<'claim'>, opening: JobOpening, world: ActionWorld): Promise<ActionCall> {
  const { lease, set, proof, outputRoot } = action
  const held = refusing('signature', () => encodeSignatures(action.held, committeeOf(opening)))
  const data = escrowAbi.encodeFunctionData('claim', [
    wireRef(opening),
    wireLease(lease),
    set.seq,
    set.setRoot,
    set.signature ?? '0x',
    [...proof],
    outputRoot,
    held,
  ])
  const from = world.sender === lease.payTo ? lease.payTo : lease.farm
  return { to: world.escrow, data, from, takes: await world.bondFor(opening.terms.token, lease.price) }
}

/** Releases what is due: objections whose arbiter was silent lapse, then the pinned shares. */
async function releaseCalls(action: Action<'release'>, opening: JobOpening, world: ActionWorld): Promise<ActionCall[]> {
  const { pinned, objections } = batchOf(world.view, action.batch)
  const nowS = await world.nowS()
  const lapsed = [...objections.values()].filter(({ until }) => nowS > until)
  const calls = lapsed.map((objection) => ({
    to: world.escrow,
    data: escrowAbi.encodeFunctionData('lapse', [wireRef(opening), action.batch, objection]),
  }))
  if (pinned && (lapsed.length === 0 || nowS >= pinned.releaseAt || pinned.approved)) {
    calls.push({ to: world.escrow, data: escrowAbi.encodeFunctionData('release', [world.view.job, action.batch, pinned]) })
  }
  if (calls.length > 0) return calls
  if (objections.size > 0) throw refused('too-early', `batch ${action.batch} waits for the arbiter`)
  throw refused('done', `batch ${action.batch} was released`)
}

/** The calls that carry out an action on a job, in order. @throws ledger-refused for what can be told without sending */
export async function callsFor(action: JobAction, key: string, world: ActionWorld): Promise<ActionCall[]> {
  const opening = openingOf(world.view, action)
  const to = world.escrow
  const ref = wireRef(opening)
  const { creator } = opening.terms
  const plain = (name: string, ...args: readonly unknown[]): ActionCall[] => [
    { to, data: escrowAbi.encodeFunctionData(name, [ref, ...args]) },
  ]
  switch (action.kind) {
    case 'ready':
      return plain('ready', readyRows(action, opening, world.view.job))
    case 'attest':
      return [{ to, data: attestCall(action, opening, world.view.job) }]
    case 'approve': {
      const { pinned } = batchOf(world.view, action.batch)
      if (!pinned) throw refused('done', `batch ${action.batch} was released`)
      const [call] = plain('approveEarly', action.batch, pinned, action.signature ?? '0x')
      return [action.signature ? call! : { ...call!, from: creator }]
    }
    case 'dispute':
      return [await disputeCall(action, opening, world)]
    case 'resolve':
      return [resolveCall(action, opening, world)]
    case 'claim':
      return [await claimCall(action, opening, world)]
    case 'release':
      return releaseCalls(action, opening, world)
    case 'final': {
      const rows = refusing('signature', () => toHex(encodeSignatures(action.signatures, committeeOf(opening))))
      return plain('finalize', action.keep, rows)
    }
    case 'refund':
      return plain('refund')
    case 'cancel':
      return [{ ...plain('cancel', '0x')[0]!, from: creator }]
    case 'lease-key': {
      const [call] = plain('setLeaseKey', action.leaseKey, action.signature ?? '0x')
      return [action.signature ? call! : { ...call!, from: creator }]
    }
    case 'top-up': {
      const once = keccak256(new TextEncoder().encode(key))
      const takes = action.farmBudget + action.checkBudget
      return [{ ...plain('topUp', action.farmBudget, action.checkBudget, once)[0]!, takes }]
    }
  }
}

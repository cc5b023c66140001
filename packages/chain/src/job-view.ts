import type { Address, Bytes32, JobMoney, LedgerEvent } from '@pictor/core/contract'
import {
  ZERO_HASH,
  attestItem,
  claimItem,
  decodeBatch,
  finalItem,
  foldHead,
  fromHex,
  hashTerms,
  leaseKeyItem,
  refundItem,
  releaseItem,
  resolveItem,
  type PackedBatch,
} from '@pictor/core/proof'
import type { LogDescription } from 'ethers'
import type { ChainLog } from './logs.ts'
import { escrowAbi, pinnedOf, readObjection, readTerms, type JobOpening, type WireObjection, type WirePinned } from './wire.ts'

/** What the chain still holds of one batch or claim. */
export interface BatchView {
  readonly batchHash?: Bytes32
  /** What `release` passes; absent when everything was released. */
  pinned?: WirePinned
  /** Objections that wait for the arbiter, by farm. */
  readonly objections: Map<Address, WireObjection>
}

/** A job as its logs tell it. */
export interface JobView {
  readonly job: Bytes32
  opening?: JobOpening
  /** Whether the first Ready is recorded. */
  isReady: boolean
  /** Whether the creator canceled it, whatever came after. */
  isCanceled: boolean
  readonly batches: Map<number, BatchView>
  money: JobMoney
  /** Whether the last log was a resolution: the release that follows it pays the objection, not the pinned list. */
  resolving: boolean
}

const ROLES = ['farm', 'checker', 'platform'] as const
const lower = (value: unknown): Address => String(value).toLowerCase() as Address

export function emptyView(job: Bytes32): JobView {
  const money: JobMoney = { deposited: 0n, locked: 0n, pending: 0n, released: 0n, refunded: 0n, head: ZERO_HASH, status: 'none' }
  return { job, isReady: false, isCanceled: false, batches: new Map(), money, resolving: false }
}

type Payload = LedgerEvent extends infer E
  ? E extends LedgerEvent
    ? Omit<E, 'id' | 'job' | 'atMs' | 'status' | 'tx' | 'head'>
    : never
  : never

interface Step {
  readonly payloads: readonly Payload[]
  readonly money?: Partial<JobMoney>
  readonly fold?: readonly [Parameters<typeof foldHead>[1], Bytes32]
}

type Reader = (view: JobView, args: LogDescription['args'], log: ChainLog) => Step

/** Money is read even where a quorum signed records that nobody can read: the chain does not look into them. */
function readBatch(blob: Uint8Array): PackedBatch {
  try {
    return decodeBatch(blob)
  } catch {
    return decodeBatch(blob, { records: 'skip' })
  }
}

const readers: Readonly<Record<string, Reader>> = {
  JobOpened(view, args) {
    const terms = readTerms(args['terms'] as string)
    view.opening = { terms, setRoot: args['setRoot'] as Bytes32, drawn: [] }
    const { creator, farmBudget, checkBudget } = terms
    const deposited = farmBudget + checkBudget
    return {
      payloads: [
        { type: 'opened', creator, farmBudget, checkBudget, setRoot: args['setRoot'] as Bytes32, termsHash: hashTerms(terms) },
      ],
      money: { deposited, locked: deposited, status: 'open' },
    }
  },
  CommitteeDrawn(view, args) {
    const committee = [...(args['committee'] as string[])].map(lower)
    view.opening = { ...view.opening!, drawn: committee }
    return { payloads: [{ type: 'drawn', committee }] }
  },
  JobReady(view, args) {
    view.isReady = true
    const checkers = [...(args['checkers'] as string[])].map(lower)
    const seedRoots = [...(args['seedRoots'] as Bytes32[])]
    const seq = Number(args['seq'])
    return { payloads: checkers.map((checker, i) => ({ type: 'ready', seq, checker, seedRoot: seedRoots[i]! })) }
  },
  Attested(view, args) {
    const batch = Number(args['batch'])
    const batchHash = args['batchHash'] as Bytes32
    const packed = readBatch(fromHex(args['data'] as string))
    const releaseAtS = Number(args['releaseAt'])
    const reserved = (args['farmReserve'] as bigint) + (args['checkReserve'] as bigint)
    view.batches.set(batch, { batchHash, pinned: pinnedOf(view.opening!, packed, releaseAtS), objections: new Map() })
    const leases = packed.leases.map(({ id }) => id)
    const { records } = packed
    const { locked, pending } = view.money
    return {
      payloads: [{ type: 'attested', batch, batchHash, leases, reserved, ...(records ? { records } : {}), releaseAtS }],
      money: { locked: locked - reserved, pending: pending + reserved },
      fold: ['attest', attestItem(batch, batchHash)],
    }
  },
  Approved(view, args) {
    const batch = view.batches.get(Number(args['batch']))!
    batch.pinned = { ...batch.pinned!, approved: true }
    return { payloads: [] }
  },
  Disputed(view, args) {
    const batch = Number(args['batch'])
    const farm = lower(args['farm'])
    const entry = view.batches.get(batch)!
    entry.objections.set(farm, readObjection(args['objection'] as never))
    entry.pinned = { ...entry.pinned!, farms: entry.pinned!.farms.filter((share) => share.farm !== farm) }
    return { payloads: [{ type: 'disputed', batch, farm }] }
  },
  Claimed(view, args) {
    const batch = Number(args['batch'])
    const farm = lower(args['farm'])
    const lease = Number(args['lease'])
    const objection = readObjection(args['objection'] as never)
    view.batches.set(batch, { objections: new Map([[farm, objection]]) })
    const { price } = objection.share
    const { locked, pending } = view.money
    const claim = { batch, lease, farm, price, outputRoot: args['outputRoot'] as Bytes32 }
    return {
      payloads: [{ type: 'claimed', ...claim }],
      money: { locked: locked - price, pending: pending + price },
      fold: ['claim', claimItem(claim)],
    }
  },
  Resolved(view, args) {
    const batch = Number(args['batch'])
    const farm = lower(args['farm'])
    const acceptedPerMille = Number(args['acceptedPerMille'])
    view.batches.get(batch)!.objections.delete(farm)
    return {
      payloads: [{ type: 'resolved', batch, farm, acceptedPerMille }],
      fold: ['resolve', resolveItem(batch, farm, acceptedPerMille)],
    }
  },
  Released(view, args, log) {
    const batch = Number(args['batch'])
    const refunded = args['refunded'] as bigint
    const paid = [...(args['paid'] as { account: string; role: bigint; amount: bigint }[])].map(({ account, role, amount }) => ({
      account: lower(account),
      role: ROLES[Number(role)]!,
      amount,
    }))
    const sum = paid.reduce((all, { amount }) => all + amount, 0n)
    if (!view.resolving) settlePinned(view.batches.get(batch)!, log.atMs / 1000)
    const { pending, released } = view.money
    return {
      payloads: [{ type: 'released', batch, paid, refunded }],
      money: { pending: pending - sum - refunded, released: released + sum, refunded: view.money.refunded + refunded },
      fold: ['release', releaseItem(batch, sum, refunded)],
    }
  },
  Finalized(view, args) {
    const keep = args['keep'] as bigint
    const refunded = args['refunded'] as bigint
    return {
      payloads: [{ type: 'finalized', keep, refunded }],
      money: { ...unlocked(view, refunded), status: 'finalized' },
      fold: ['final', finalItem(keep, refunded)],
    }
  },
  Refunded(view, args) {
    const amount = args['amount'] as bigint
    return {
      payloads: [{ type: 'refunded', amount }],
      money: { ...unlocked(view, amount), status: 'closed' },
      fold: ['refund', refundItem(amount)],
    }
  },
  JobCanceled(view) {
    view.isCanceled = true
    return { payloads: [{ type: 'canceled' }], money: { status: view.money.status === 'open' ? 'canceled' : view.money.status } }
  },
  LeaseKeyReplaced(_view, args) {
    const leaseKey = lower(args['leaseKey'])
    return { payloads: [{ type: 'lease-key-replaced', leaseKey }], fold: ['lease-key', leaseKeyItem(leaseKey)] }
  },
  ToppedUp(view, args) {
    const [farmBudget, checkBudget] = [args['farmBudget'] as bigint, args['checkBudget'] as bigint]
    const { deposited, locked } = view.money
    const more = farmBudget + checkBudget
    return {
      payloads: [{ type: 'topped-up', farmBudget, checkBudget }],
      money: { deposited: deposited + more, locked: locked + more },
    }
  },
}

function unlocked({ money }: JobView, amount: bigint): Partial<JobMoney> {
  return { locked: money.locked - amount, refunded: money.refunded + amount }
}

/** Follows a release of pinned shares, as the contract does: due shares leave, the others stay. */
function settlePinned(entry: BatchView, nowS: number): void {
  const pinned = entry.pinned!
  const due = nowS >= pinned.releaseAt
  const kept = pinned.farms.filter((share) => !due && !(pinned.approved && share.gross === share.price))
  if (kept.length === 0) delete entry.pinned
  else entry.pinned = { ...pinned, farms: kept, checkers: [], feeRefund: 0n }
}

/** Applies one log to the view and says which events it stands for. Logs of unknown kinds change nothing. */
export function applyLog(view: JobView, log: ChainLog): LedgerEvent[] {
  const parsed = escrowAbi.parseLog({ topics: [...log.topics], data: log.data })
  const read = parsed ? readers[parsed.name] : undefined
  if (!parsed || !read) return []
  const step = read(view, parsed.args, log)
  view.resolving = parsed.name === 'Resolved'
  let { head } = view.money
  if (step.fold) head = foldHead(head === ZERO_HASH ? view.job : head, step.fold[0], step.fold[1])
  view.money = { ...view.money, ...step.money, head }
  const place = `${log.blockNumber}.${log.logIndex}.${log.blockHash.slice(2, 10)}`
  return step.payloads.map(
    (payload, i) =>
      ({
        ...payload,
        id: step.payloads.length > 1 ? `${place}.${i}` : place,
        job: view.job,
        atMs: log.atMs,
        status: 'final',
        tx: log.transactionHash,
        head: head === ZERO_HASH ? view.job : head,
      }) as LedgerEvent,
  )
}

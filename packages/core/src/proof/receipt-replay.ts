import { invalid } from '../contract/error.ts'
import type { Address, Bytes32, LeaseResult } from '../contract/messages.ts'
import { batchHash } from './batch.ts'
import { batchDigest } from './digests.ts'
import { ZERO_HASH } from './hash.ts'
import {
  type HeadKind,
  SILENT_ARBITER,
  attestItem,
  claimItem,
  finalItem,
  foldHead,
  leaseKeyItem,
  refundItem,
  releaseItem,
  resolveItem,
} from './head.ts'
import { type Payment, paymentsOf } from './pay.ts'
import { leaseIn } from './receipt-messages.ts'
import type { Receipt, ReceiptStep } from './receipt.ts'
import { type FarmShare, resolvedGross, settleBatch, splitGross } from './settle.ts'
import { requireQuorum } from './sign.ts'
import { acceptedWeightOf } from './votes.ts'

/** A batch or claim as far as it is not released. */
interface Open {
  farms: FarmShare[]
  checkers: readonly { readonly checker: Address; readonly amount: bigint }[]
  feeRefund: bigint
}

/** What the steps add up to. */
export interface Replay {
  head: Bytes32
  reserved: bigint
  released: bigint
  /** Back to the creator out of batches, and by Final or refund. */
  refundedOfBatches: bigint
  returned: bigint
}

type StepOf<K extends ReceiptStep['kind']> = Extract<ReceiptStep, { kind: K }>

/**
 * Repeats every step: batches are signed by the quorum and their hashes cover the records, each lease is settled once and within the frame cap, payments follow
 * from the batches by the arithmetic of every ledger, and all fold into the head.
 * @throws invalid-input or signature-invalid naming the step that does not hold
 */
export function replaySteps(receipt: Receipt): Replay {
  const replay: Replay = { head: ZERO_HASH, reserved: 0n, released: 0n, refundedOfBatches: 0n, returned: 0n }
  const open = new Map<number, Open>()
  const resolved: { batch: number; share: FarmShare }[] = []
  const settled = new Set<number>()
  for (const [i, step] of receipt.steps.entries()) {
    const path = `steps[${i}]`
    const fold = (kind: HeadKind, item: Bytes32): void => {
      replay.head = foldHead(replay.head === ZERO_HASH ? receipt.job : replay.head, kind, item)
    }
    if (resolved.length > 0 && step.kind !== 'release') throw invalid(path, 'the release of the resolution before it', step.kind)
    switch (step.kind) {
      case 'attest':
      case 'claim': {
        if (step.batch !== open.size + 1) throw invalid(`${path}.batch`, `${open.size + 1}`, step.batch)
        const batch =
          step.kind === 'attest'
            ? replayAttest(receipt, step, path, settled, fold)
            : replayClaim(receipt, step, path, settled, fold)
        open.set(step.batch, batch.open)
        replay.reserved += batch.reserved
        break
      }
      case 'resolve':
        resolved.push({ batch: step.batch, share: replayResolve(receipt, step, path, open) })
        fold('resolve', resolveItem(step.batch, step.farm, step.acceptedPerMille))
        break
      case 'release': {
        const paid = replayRelease(receipt, step, path, open, resolved.pop())
        replay.released += paid
        replay.refundedOfBatches += step.refunded
        fold('release', releaseItem(step.batch, paid, step.refunded))
        break
      }
      case 'final':
        replay.returned += step.refunded
        fold('final', finalItem(step.keep, step.refunded))
        break
      case 'refund':
        replay.returned += step.amount
        fold('refund', refundItem(step.amount))
        break
      case 'lease-key':
        fold('lease-key', leaseKeyItem(step.leaseKey))
    }
  }
  return replay
}

type Fold = (kind: HeadKind, item: Bytes32) => void

function settle(settled: Set<number>, lease: number, path: string): void {
  if (settled.has(lease)) throw invalid(path, 'each lease settled once', lease)
  settled.add(lease)
}

function replayAttest(
  receipt: Receipt,
  step: StepOf<'attest'>,
  path: string,
  settled: Set<number>,
  fold: Fold,
): { open: Open; reserved: bigint } {
  const { terms, committee, domain, job } = receipt
  const results = step.results.map((result, j): LeaseResult => {
    const at = `${path}.results[${j}]`
    const lease = leaseIn(receipt, result.seq, result.lease, `${at}.lease`)
    settle(settled, lease.id, `${at}.lease`)
    for (const [k, record] of result.records.entries()) {
      if (record.part !== lease.part) throw invalid(`${at}.records[${k}].part`, `${lease.part}`, record.part)
      if (record.score % 10 !== 0) throw invalid(`${at}.records[${k}].score`, 'a score in tens', record.score)
      if (record.outputHash === ZERO_HASH && record.completedAtMs !== 0)
        throw invalid(`${at}.records[${k}].completedAtMs`, '0 for a missing frame', record.completedAtMs)
    }
    if (result.acceptedWeight !== acceptedWeightOf(lease, result.records))
      throw invalid(`${at}.acceptedWeight`, `${acceptedWeightOf(lease, result.records)}, by the records`, result.acceptedWeight)
    if (lease.price > terms.frameCap * BigInt(lease.frames.length))
      throw invalid(`${at}.lease`, 'a price within the frame cap', lease.price)
    // The batch hash covers the votes of the whole batch: where they stand makes no difference.
    return {
      lease,
      seq: result.seq,
      records: result.records,
      acceptedWeight: result.acceptedWeight,
      votes: j === 0 ? step.votes : [],
    }
  })
  const listed = step.votes.map(({ checker, count }) => (count > 0 ? committee.indexOf(checker) : -1))
  if (listed.some((index, i) => index < 0 || (i > 0 && index <= listed[i - 1]!)))
    throw invalid(`${path}.votes`, 'checkers of the job in their order, with votes', step.votes)
  const hash = batchHash({ job, results }, terms, committee)
  const digest = batchDigest(domain, { job, batchHash: hash, validUntilS: step.validUntilS })
  requireQuorum(digest, step.signatures, committee, terms.quorum, `${path}.signatures`)
  fold('attest', attestItem(step.batch, hash))
  const { farmReserve, checkReserve, farms, checkers } = settleBatch(results, terms, committee)
  const feeRefund = checkers.length === 0 ? checkReserve : 0n
  return { open: { farms: [...farms], checkers, feeRefund }, reserved: farmReserve + checkReserve }
}

function replayClaim(
  receipt: Receipt,
  step: StepOf<'claim'>,
  path: string,
  settled: Set<number>,
  fold: Fold,
): { open: Open; reserved: bigint } {
  const lease = receipt.sets.flatMap(({ leases }) => leases).find(({ id }) => id === step.lease)
  if (!lease || lease.farm !== step.farm || lease.price !== step.price) throw invalid(path, 'a lease of the receipt', step.lease)
  settle(settled, step.lease, `${path}.lease`)
  fold('claim', claimItem(step))
  const { farm, payTo, price } = lease
  return {
    open: { farms: [{ farm, payTo, price, gross: 0n, platform: 0n, net: 0n }], checkers: [], feeRefund: 0n },
    reserved: price,
  }
}

/** Takes the farm's share out of its batch, with the gross that the arbiter decided. */
function replayResolve(receipt: Receipt, step: StepOf<'resolve'>, path: string, open: Map<number, Open>): FarmShare {
  const batch = open.get(step.batch)
  const share = batch?.farms.find(({ farm }) => farm === step.farm)
  if (!batch || !share) throw invalid(path, 'an unreleased farm of a batch', step.farm)
  batch.farms.splice(batch.farms.indexOf(share), 1)
  const gross = step.acceptedPerMille === SILENT_ARBITER ? share.gross : resolvedGross(share.price, step.acceptedPerMille)
  return { ...share, gross, ...splitGross(gross, receipt.terms.platformFeeBps) }
}

/** The payments that follow for the farms which this release pays; returns their sum. */
function replayRelease(
  receipt: Receipt,
  step: StepOf<'release'>,
  path: string,
  open: Map<number, Open>,
  resolution: { batch: number; share: FarmShare } | undefined,
): bigint {
  const batch = open.get(step.batch)
  if (!batch || (resolution && resolution.batch !== step.batch)) throw invalid(`${path}.batch`, 'an open batch', step.batch)
  const { platform } = receipt.terms
  let expected: Payment[]
  let refunded: bigint
  if (resolution) {
    expected = paymentsOf({ farms: [resolution.share], checkers: [] }, platform)
    refunded = resolution.share.price - resolution.share.gross
  } else {
    const farms = paidFarms(batch.farms, step.paid)
    expected = paymentsOf({ farms, checkers: batch.checkers }, platform)
    refunded = farms.reduce((sum, { price, gross }) => sum + price - gross, batch.feeRefund)
    batch.farms = batch.farms.filter((share) => !farms.includes(share))
    batch.checkers = []
    batch.feeRefund = 0n
  }
  const same = (a: Payment | undefined, b: Payment | undefined): boolean =>
    a?.account === b?.account && a?.role === b?.role && a?.amount === b?.amount
  for (let i = 0; i < Math.max(expected.length, step.paid.length); i++)
    if (!same(expected[i], step.paid[i])) {
      const due = expected[i]
      throw invalid(
        `${path}.paid[${i}]`,
        due ? `${due.amount} to the ${due.role} ${due.account}` : 'no further payment',
        step.paid[i]?.amount,
      )
    }
  if (step.refunded !== refunded) throw invalid(`${path}.refunded`, `${refunded}`, step.refunded)
  return step.paid.reduce((sum, { amount }) => sum + amount, 0n)
}

/** Which of the waiting farms a release pays: an early approval leaves some waiting, in the order of the batch. */
function paidFarms(waiting: readonly FarmShare[], paid: readonly Payment[]): FarmShare[] {
  const lines = paid.filter(({ role }) => role === 'farm')
  const farms: FarmShare[] = []
  for (const share of waiting) {
    const line = lines[farms.length]
    if (line && line.account === share.payTo && line.amount === share.net) farms.push(share)
  }
  return farms
}

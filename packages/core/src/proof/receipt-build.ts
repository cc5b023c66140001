import type { Json } from '../contract/codec.ts'
import { invalid } from '../contract/error.ts'
import type { JobMoney, LedgerEvent } from '../contract/ledger.ts'
import type {
  Address,
  Batch,
  Bytes32,
  CheckerSignature,
  FrameRecord,
  LeaseResult,
  LedgerDomain,
  Terms,
} from '../contract/messages.ts'
import { orderResults, voteTable } from './batch.ts'
import { ZERO_HASH } from './hash.ts'
import { readAnchor } from './receipt-format.ts'
import type { Receipt, ReceiptResult, ReceiptStep } from './receipt.ts'
import { jobIdOf } from './terms.ts'

/** What an app has at the end of a job. */
export interface ReceiptParts {
  readonly domain: LedgerDomain
  readonly terms: Terms
  /** Left out where the terms name the checkers, or `events` tell whom the registry drew. */
  readonly committee?: readonly Address[]
  readonly sets: Receipt['sets']
  readonly ready: Receipt['ready']
  readonly accepts?: Receipt['accepts']
  readonly commits?: Receipt['commits']
  readonly votes?: Receipt['votes']
  readonly seeds?: Receipt['seeds']
  /** Every attested batch with the signatures that it was sent with. */
  readonly batches: readonly { readonly batch: Batch; readonly signatures: readonly CheckerSignature[] }[]
  /** All final events of the job, in order. */
  readonly events: readonly LedgerEvent[]
  readonly money: JobMoney
  /** What `Ledger.evidence` gave, taken after the last event. */
  readonly evidence: unknown
  readonly spec?: unknown
  readonly quote?: unknown
}

/**
 * Puts a receipt together. It is not checked here: `verifyReceipt` does that.
 * @throws invalid-input when a batch of the events is not among `batches`, or the evidence is none
 */
export function buildReceipt(parts: ReceiptParts): Receipt {
  const { domain, terms, spec, quote } = parts
  const drawn = parts.events.find((event) => event.type === 'drawn' && event.status === 'final')
  const committee = parts.committee ?? (drawn?.type === 'drawn' ? drawn.committee : terms.checkers)
  const batches = new Map(parts.batches.map((one) => [one.batch.batchHash, one]))
  const { deposited, locked, pending, released, refunded, head } = parts.money
  return {
    kind: 'pictor-receipt',
    version: 1,
    custody: domain.chainId === 0 ? 'none' : 'escrow',
    domain,
    terms,
    job: jobIdOf(domain, terms.creator, terms.runId),
    committee,
    sets: parts.sets,
    ready: parts.ready,
    accepts: parts.accepts ?? [],
    commits: parts.commits ?? [],
    votes: parts.votes ?? [],
    seeds: parts.seeds ?? [],
    steps: parts.events.filter(({ status }) => status === 'final').flatMap((event) => stepOf(event, batches, committee)),
    money: { deposited, locked, pending, released, refunded, head },
    ...(spec === undefined ? {} : { spec: spec as Json }),
    ...(quote === undefined ? {} : { quote: quote as Json }),
    anchor: readAnchor(parts.evidence, 'evidence'),
  }
}

type SignedBatch = ReceiptParts['batches'][number]

function stepOf(event: LedgerEvent, batches: ReadonlyMap<Bytes32, SignedBatch>, committee: readonly Address[]): ReceiptStep[] {
  switch (event.type) {
    case 'attested': {
      const found = batches.get(event.batchHash)
      if (!found) throw invalid('batches', `the batch ${event.batch} with hash ${event.batchHash}`, 'none')
      return [attestStep(event.batch, found, committee)]
    }
    case 'claimed': {
      const { batch, lease, farm, price, outputRoot } = event
      return [{ kind: 'claim', batch, lease, farm, price, outputRoot }]
    }
    case 'resolved':
      return [{ kind: 'resolve', batch: event.batch, farm: event.farm, acceptedPerMille: event.acceptedPerMille }]
    case 'released':
      return [{ kind: 'release', batch: event.batch, paid: event.paid, refunded: event.refunded }]
    case 'finalized':
      return [{ kind: 'final', keep: event.keep, refunded: event.refunded }]
    case 'refunded':
      return [{ kind: 'refund', amount: event.amount }]
    case 'lease-key-replaced':
      return [{ kind: 'lease-key', leaseKey: event.leaseKey }]
    default:
      return []
  }
}

function attestStep(
  batch: number,
  { batch: { results, validUntilS }, signatures }: SignedBatch,
  committee: readonly Address[],
): ReceiptStep {
  const votes = voteTable(results, committee).map(({ index, votes }) => ({ checker: committee[index]!, count: votes }))
  return { kind: 'attest', batch, results: orderResults(results).map(resultOf), votes, validUntilS, signatures }
}

function resultOf({ lease, seq, acceptedWeight, records }: LeaseResult): ReceiptResult {
  return { lease: lease.id, seq, acceptedWeight, records: records.map(covered) }
}

/** The record as far as the batch hash covers it. */
function covered(record: FrameRecord): FrameRecord {
  const missing = record.outputHash === ZERO_HASH
  return { ...record, completedAtMs: missing ? 0 : record.completedAtMs, score: Math.floor(record.score / 10) * 10 }
}

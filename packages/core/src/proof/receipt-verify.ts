import { invalid, isPictorError } from '../contract/error.ts'
import type { Address, Bytes32 } from '../contract/messages.ts'
import { type AnchoredFacts, verifyAnchor } from './anchor.ts'
import {
  checkAccepts,
  checkCommits,
  checkDocuments,
  checkJob,
  checkReady,
  checkSeeds,
  checkSets,
  checkVotes,
} from './receipt-messages.ts'
import { parseReceipt } from './receipt-format.ts'
import { type Replay, replaySteps } from './receipt-replay.ts'
import type { Receipt } from './receipt.ts'

/** What the verifier trusts, from a source of its own: never from the receipt. */
export interface ReceiptTrust {
  /** Hash of the block that the receipt is anchored in, from a node or explorer that the verifier trusts. */
  readonly trustedBlockHash?: Bytes32
  /** The escrow that the verifier knows; without it any contract with the same storage would do. */
  readonly trustedEscrow?: Address
  /** The app whose word counts, for receipts of a local ledger. */
  readonly trustedLedger?: Address
}

/** One thing that was looked at. Checks after a failed one are not made. */
export interface ReceiptCheck {
  readonly name:
    | 'format'
    | 'job'
    | 'documents'
    | 'sets'
    | 'ready'
    | 'accepts'
    | 'commits'
    | 'votes'
    | 'seeds'
    | 'steps'
    | 'money'
    | 'anchor'
    | 'trust'
  readonly ok: boolean
  /** The part of the receipt that does not hold. */
  readonly path?: string
  readonly message?: string
}

/** The answer to "is this receipt true?". */
export interface ReceiptVerdict {
  /** `consistent, not anchored`: everything in it fits together, but nobody trusted vouches for it. */
  readonly answer: 'anchored' | 'consistent, not anchored' | 'broken'
  readonly checks: readonly ReceiptCheck[]
  /** The first check that does not hold. */
  readonly broken?: ReceiptCheck
  readonly receipt?: Receipt
  /** Code hash of the escrow in the anchored state. */
  readonly codeHash?: Bytes32
}

/**
 * Verifies a receipt: its JSON text, what `JSON.parse` gave, or a {@link Receipt}. Needs no network. Never throws: what does not hold is named in the verdict.
 * Signatures of contract wallets (ERC-1271) cannot be verified without their chain and count as broken.
 * @example
 * const { answer, broken } = verifyReceipt(text, { trustedBlockHash, trustedEscrow })
 */
export function verifyReceipt(value: unknown, trust: ReceiptTrust = {}): ReceiptVerdict {
  const checks: ReceiptCheck[] = []
  let receipt: Receipt | undefined
  let replay: Replay | undefined
  let facts: AnchoredFacts | undefined
  const made: readonly (readonly [ReceiptCheck['name'], () => void])[] = [
    ['format', () => (receipt = parseReceipt(value))],
    ['job', () => checkJob(receipt!)],
    ['documents', () => checkDocuments(receipt!)],
    ['sets', () => checkSets(receipt!)],
    ['ready', () => checkReady(receipt!)],
    ['accepts', () => checkAccepts(receipt!)],
    ['steps', () => (replay = replaySteps(receipt!))],
    ['commits', () => checkCommits(receipt!)],
    ['votes', () => checkVotes(receipt!)],
    ['seeds', () => checkSeeds(receipt!)],
    ['money', () => checkMoney(receipt!, replay!)],
    ['anchor', () => checkFacts(receipt!, replay!, (facts = verifyAnchor(receipt!)))],
    ['trust', () => checkTrust(receipt!, facts!, trust)],
  ]
  for (const [name, check] of made) {
    const failed = run(name, check)
    checks.push(failed ?? { name, ok: true, ...(name === 'trust' ? noteOf(receipt!, trust) : {}) })
    if (failed) return { answer: 'broken', checks, broken: failed, ...(receipt ? { receipt } : {}) }
  }
  const anchored = receipt!.anchor.kind === 'evm' ? trust.trustedBlockHash !== undefined : trust.trustedLedger !== undefined
  const codeHash = facts!.codeHash
  return {
    answer: anchored ? 'anchored' : 'consistent, not anchored',
    checks,
    receipt: receipt!,
    ...(codeHash ? { codeHash } : {}),
  }
}

/** A true proof about a contract that nobody vouches for is worth nothing: say so. */
function noteOf({ domain, anchor }: Receipt, { trustedBlockHash, trustedEscrow }: ReceiptTrust): { message?: string } {
  if (anchor.kind !== 'evm' || trustedBlockHash === undefined || trustedEscrow !== undefined) return {}
  return { message: `make sure that ${domain.verifyingContract} on chain ${domain.chainId} is an escrow that you know` }
}

function run(name: ReceiptCheck['name'], check: () => void): ReceiptCheck | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    const path = isPictorError(error) ? error.details.path : undefined
    return { name, ok: false, message: (error as Error).message, ...(path === undefined ? {} : { path }) }
  }
}

/** The money in the end follows from the deposit and the steps. */
function checkMoney({ terms, money }: Receipt, replay: Replay): void {
  const { reserved, released, refundedOfBatches, returned } = replay
  const expected = {
    head: replay.head,
    locked: money.deposited - reserved - returned,
    pending: reserved - released - refundedOfBatches,
    released,
    refunded: refundedOfBatches + returned,
  }
  for (const name of ['released', 'refunded', 'pending', 'locked', 'head'] as const)
    if (money[name] !== expected[name]) throw invalid(`money.${name}`, `${expected[name]}, by the steps`, money[name])
  if (money.deposited < terms.farmBudget + terms.checkBudget)
    throw invalid('money.deposited', `at least the budgets, ${terms.farmBudget + terms.checkBudget}`, money.deposited)
}

/** The anchor says the same as the steps. */
function checkFacts({ money }: Receipt, replay: Replay, facts: AnchoredFacts): void {
  if (facts.head !== replay.head) throw invalid('anchor', `the head ${replay.head} that the steps fold to`, facts.head)
  if (facts.locked !== money.locked) throw invalid('anchor', `${money.locked} locked`, facts.locked)
  for (const name of ['deposited', 'pending', 'released', 'refunded'] as const)
    if (facts.money && facts.money[name] !== money[name])
      throw invalid(`anchor.head.${name}`, `${money[name]}`, facts.money[name])
}

function checkTrust({ domain, anchor }: Receipt, facts: AnchoredFacts, trust: ReceiptTrust): void {
  const { trustedBlockHash, trustedEscrow, trustedLedger } = trust
  const evm = anchor.kind === 'evm'
  if (evm && trustedBlockHash !== undefined && trustedBlockHash.toLowerCase() !== facts.blockHash)
    throw invalid('anchor.blockHash', `${trustedBlockHash}, the trusted block`, facts.blockHash)
  const known = evm ? trustedEscrow : trustedLedger
  if (known !== undefined && known.toLowerCase() !== domain.verifyingContract)
    throw invalid('domain.verifyingContract', `${known}, the trusted ${evm ? 'escrow' : 'ledger'}`, domain.verifyingContract)
  if (!evm && trustedBlockHash !== undefined) throw invalid('anchor.kind', 'evm, for a trusted block', anchor.kind)
}

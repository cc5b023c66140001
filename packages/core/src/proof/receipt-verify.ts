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

/**
 * What the verifier trusts, from a source of its own: never from the receipt. For a receipt of a chain that is a block and the contract in it, by address or
 * by code; for one of a local ledger the app's address.
 */
export interface ReceiptTrust {
  /** Hash of the block that the receipt is anchored in, from a node or explorer that the verifier trusts. */
  readonly trustedBlockHash?: Bytes32
  /** The escrow that the verifier knows. Any contract can hold slots like an escrow's, so a block alone anchors nothing. */
  readonly trustedEscrow?: Address
  /** keccak256 of the runtime code of an escrow that the verifier knows, instead of its address or beside it. */
  readonly trustedCodeHash?: Bytes32
  /** The chain that the block is of. It follows from block and escrow; given, a receipt of another chain is refused by name. */
  readonly trustedChainId?: number
  /** The app whose word counts, for receipts of a local ledger. */
  readonly trustedLedger?: Address
}

/** One thing outside of the receipt that it leans on, and whether the verifier vouched for it. */
export interface AnchorPoint {
  readonly name: 'block' | 'chain' | 'escrow' | 'code' | 'ledger'
  readonly value: string
  readonly trusted: boolean
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
  /**
   * `anchored`: proven against a trusted block and a trusted escrow (address or code), or signed by the trusted app. `consistent, not anchored`: everything in
   * it fits together, but it could all be made up; `anchors` says what was not vouched for.
   */
  readonly answer: 'anchored' | 'consistent, not anchored' | 'broken'
  readonly checks: readonly ReceiptCheck[]
  /** The first check that does not hold. */
  readonly broken?: ReceiptCheck
  readonly receipt?: Receipt
  /** What the receipt leans on; absent when it is broken before that is known. */
  readonly anchors?: readonly AnchorPoint[]
}

/**
 * Verifies a receipt: its JSON text, what `JSON.parse` gave, or a {@link Receipt}. Needs no network. Never throws: what does not hold is named in the verdict.
 * Signatures of contract wallets (ERC-1271) cannot be verified without their chain and count as broken.
 * @example
 * const { answer, broken, anchors } = verifyReceipt(text, { trustedBlockHash, trustedEscrow })
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
    checks.push(failed ?? { name, ok: true })
    if (failed) return { answer: 'broken', checks, broken: failed, ...(receipt ? { receipt } : {}) }
  }
  const anchors = anchorsOf(receipt!, facts!, trust)
  const trusted = (name: AnchorPoint['name']): boolean => anchors.some((point) => point.name === name && point.trusted)
  const anchored = trusted('ledger') || (trusted('block') && (trusted('escrow') || trusted('code')))
  return { answer: anchored ? 'anchored' : 'consistent, not anchored', checks, receipt: receipt!, anchors }
}

/** What the verifier vouched for was compared before, so given means trusted. */
function anchorsOf({ domain, anchor }: Receipt, { blockHash, codeHash }: AnchoredFacts, trust: ReceiptTrust): AnchorPoint[] {
  const point = (name: AnchorPoint['name'], value: string, given: unknown): AnchorPoint => {
    return { name, value, trusted: given !== undefined }
  }
  if (anchor.kind !== 'evm') return [point('ledger', domain.verifyingContract, trust.trustedLedger)]
  return [
    point('block', blockHash!, trust.trustedBlockHash),
    point('chain', String(domain.chainId), trust.trustedChainId),
    point('escrow', domain.verifyingContract, trust.trustedEscrow),
    point('code', codeHash!, trust.trustedCodeHash),
  ]
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
  const evm = anchor.kind === 'evm'
  const compare = (path: string, known: string | number | undefined, what: string, found: string | number): void => {
    if (known !== undefined && String(known).toLowerCase() !== String(found))
      throw invalid(path, `${known}, the trusted ${what}`, found)
  }
  if (evm) {
    compare('anchor.blockHash', trust.trustedBlockHash, 'block', facts.blockHash!)
    compare('domain.chainId', trust.trustedChainId, 'chain', domain.chainId)
    compare('domain.verifyingContract', trust.trustedEscrow, 'escrow', domain.verifyingContract)
    compare('anchor.accountProof', trust.trustedCodeHash, 'code', facts.codeHash!)
    return
  }
  compare('domain.verifyingContract', trust.trustedLedger, 'ledger', domain.verifyingContract)
  for (const name of ['trustedBlockHash', 'trustedEscrow', 'trustedCodeHash', 'trustedChainId'] as const)
    if (trust[name] !== undefined) throw invalid('anchor.kind', `evm, for a ${name}`, anchor.kind)
}

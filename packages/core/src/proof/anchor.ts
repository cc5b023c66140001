import { invalid } from '../contract/error.ts'
import type { Address, Bytes32 } from '../contract/messages.ts'
import { readHeader } from './block-header.ts'
import { address20, bytes32, concat, toHex, uint } from './bytes.ts'
import { localHeadDigest } from './digests.ts'
import { word } from './eip712.ts'
import { ZERO_HASH, keccak256 } from './hash.ts'
import { verifyMptProof } from './mpt.ts'
import type { Receipt, ReceiptAnchor } from './receipt.ts'
import { decodeRlp } from './rlp.ts'
import { badSignature, recoverAddress } from './signature.ts'
import { hashTerms } from './terms.ts'

/** Solidity slot of the escrow's mapping `jobs` (packages/chain/abi/layout.json). A verifier must not take it from the receipt: another slot can hold anything. */
export const ESCROW_JOBS_SLOT = 2

/** The three storage slots of a job: commitment, packed money and state, head. */
export function escrowJobSlots(job: Bytes32): readonly [Bytes32, Bytes32, Bytes32] {
  const base = BigInt(keccak256(concat(bytes32(job, 'job'), word.uint(ESCROW_JOBS_SLOT, 256, 'slot'))))
  const slot = (offset: bigint): Bytes32 => toHex(word.uint((base + offset) % 2n ** 256n, 256, 'slot'))
  return [slot(0n), slot(1n), slot(2n)]
}

/**
 * What an escrow stores for a job's terms: keccak256(abi.encode(hash(terms), setRoot0, committeeHash)), committeeHash 0 where the terms name the checkers, else of the drawn
 * addresses, each filled up to 32 bytes as `abi.encodePacked` does with the elements of arrays.
 */
export function escrowCommitment(terms: Bytes32, setRoot: Bytes32, drawn: readonly Address[]): Bytes32 {
  const committee = drawn.length === 0 ? ZERO_HASH : keccak256(concat(...drawn.map((one, i) => word.address(one, `drawn[${i}]`))))
  return keccak256(concat(word.bytes32(terms, 'terms'), word.bytes32(setRoot, 'setRoot'), word.bytes32(committee, 'committee')))
}

/** What an anchor proves of a job. */
export interface AnchoredFacts {
  readonly head: Bytes32
  readonly locked: bigint
  /** Only a local ledger signs these; with an escrow they follow from the steps. */
  readonly money?: { readonly deposited: bigint; readonly pending: bigint; readonly released: bigint; readonly refunded: bigint }
  /** Of the escrow's code, for a verifier that knows it. */
  readonly codeHash?: Bytes32
  readonly blockHash?: Bytes32
}

/**
 * Verifies that the anchor proves this job's slots, or that the local ledger signed its head. Says nothing about whether block or signer can be trusted.
 * @throws invalid-input or signature-invalid naming the part that does not hold
 */
export function verifyAnchor(receipt: Receipt): AnchoredFacts {
  const { anchor } = receipt
  return anchor.kind === 'evm' ? verifyEvm(receipt, anchor) : verifyLocal(receipt, anchor)
}

function verifyEvm(receipt: Receipt, anchor: Extract<ReceiptAnchor, { kind: 'evm' }>): AnchoredFacts {
  const { domain, terms, job } = receipt
  const path = 'anchor'
  if (anchor.chainId !== domain.chainId) throw invalid(`${path}.chainId`, `${domain.chainId}`, anchor.chainId)
  if (anchor.escrow !== domain.verifyingContract) throw invalid(`${path}.escrow`, domain.verifyingContract, anchor.escrow)
  const header = readHeader(anchor.header, `${path}.header`)
  if (header.hash !== anchor.blockHash)
    throw invalid(`${path}.blockHash`, `${header.hash}, the hash of the header`, anchor.blockHash)
  const account = verifyMptProof(
    header.stateRoot,
    address20(anchor.escrow, `${path}.escrow`),
    anchor.accountProof,
    `${path}.accountProof`,
  )
  if (!account) throw invalid(`${path}.accountProof`, 'an account at the escrow', 'none')
  const fields = decodeRlp(account, `${path}.accountProof`)
  const [storageRoot, codeHash] = [fields[2], fields[3]]
  if (!(storageRoot instanceof Uint8Array) || !(codeHash instanceof Uint8Array))
    throw invalid(`${path}.accountProof`, 'an account of four fields', fields.length)
  const slots = escrowJobSlots(job)
  if (anchor.storageProof.length !== slots.length)
    throw invalid(`${path}.storageProof`, 'three slots', anchor.storageProof.length)
  const values = anchor.storageProof.map(({ slot, value, proof }, i) => {
    const at = `${path}.storageProof[${i}]`
    if (slot !== slots[i]) throw invalid(`${at}.slot`, slots[i]!, slot)
    const proven = verifyMptProof(toHex(storageRoot), bytes32(slot, `${at}.slot`), proof, `${at}.proof`)
    const bytes = proven ? (decodeRlp(proven, `${at}.proof`) as Uint8Array) : new Uint8Array()
    if (toHex(concat(new Uint8Array(32 - bytes.length), bytes)) !== value) throw invalid(`${at}.value`, 'the proven value', value)
    return value
  })
  const drawn = terms.registryDraw === 0 ? [] : receipt.committee
  const commitment = escrowCommitment(hashTerms(terms), receipt.sets[0]?.set.setRoot ?? ZERO_HASH, drawn)
  if (values[0] !== commitment)
    throw invalid(`${path}.storageProof[0].value`, `${commitment}, by terms, set 0 and committee`, values[0])
  // Solidity packs from the low end: farmLocked 96 bits, checkLocked 96 bits.
  const packed = BigInt(values[1]!)
  const low = 2n ** 96n
  return { head: values[2]!, locked: (packed % low) + ((packed / low) % low), codeHash: toHex(codeHash), blockHash: header.hash }
}

function verifyLocal(receipt: Receipt, anchor: Extract<ReceiptAnchor, { kind: 'local' }>): AnchoredFacts {
  const { domain, terms, job } = receipt
  const { head } = anchor
  if (domain.chainId !== 0) throw invalid('anchor.kind', 'evm, for a ledger on a chain', anchor.kind)
  uint(head.entry, 8, 'anchor.head.entry')
  const signer = recoverAddress(localHeadDigest(domain, head), anchor.signature, 'anchor.signature')
  if (signer !== domain.verifyingContract)
    throw badSignature('anchor.signature', `expected the ledger's key ${domain.verifyingContract}, found ${signer}`)
  if (head.job !== job) throw invalid('anchor.head.job', job, head.job)
  if (head.terms !== hashTerms(terms)) throw invalid('anchor.head.terms', hashTerms(terms), head.terms)
  const setRoot = receipt.sets[0]?.set.setRoot
  if (head.setRoot !== setRoot) throw invalid('anchor.head.setRoot', `${setRoot}, set 0`, head.setRoot)
  const { deposited, pending, released, refunded } = head
  return { head: head.head, locked: head.locked, money: { deposited, pending, released, refunded } }
}

import { canonicalJson } from '../contract/codec.ts'
import { invalid } from '../contract/error.ts'
import type { RenderSpec } from '../contract/job.ts'
import type { Address, Bytes32, LedgerDomain, Terms } from '../contract/messages.ts'
import { concat, toHex } from './bytes.ts'
import { hashStruct, word } from './eip712.ts'
import { keccakBytes, sha256Hex } from './hash.ts'

const TERMS =
  'Terms(address creator,bytes32 runId,address token,uint96 farmBudget,uint96 checkBudget,uint96 frameCap,uint96 checkFee,' +
  'bytes32 specHash,bytes32 bundleRoot,bytes32 quoteHash,address[] checkers,uint8 registryDraw,uint8 quorum,address arbiter,' +
  'address leaseKey,address platform,uint16 platformFeeBps,uint8 recordMode,uint40 deadline,uint40 attestBy,uint40 claimTime,' +
  'uint40 refundAfter,uint40 disputeWindow,uint40 resolveBy)'

/** The zero address: no token on the local ledger, nobody where a role is not filled. */
export const ZERO_ADDRESS: Address = `0x${'0'.repeat(40)}`

/** The job of every signed message: keccak256(abi.encode(chainId, ledger, creator, runId)). @throws invalid-input */
export function jobIdOf(domain: LedgerDomain, creator: Address, runId: Bytes32): Bytes32 {
  return toHex(
    keccakBytes(
      concat(
        word.uint(domain.chainId, 256, 'domain.chainId'),
        word.address(domain.verifyingContract, 'domain.verifyingContract'),
        word.address(creator, 'creator'),
        word.bytes32(runId, 'runId'),
      ),
    ),
  )
}

/** EIP-712 struct hash of the terms; what an escrow stores. @throws invalid-input naming the field */
export function hashTerms(terms: Terms): Bytes32 {
  const amount = (name: 'farmBudget' | 'checkBudget' | 'frameCap' | 'checkFee'): Uint8Array =>
    word.uint(terms[name], 96, `terms.${name}`)
  const address = (name: 'creator' | 'token' | 'arbiter' | 'leaseKey' | 'platform'): Uint8Array =>
    word.address(terms[name], `terms.${name}`)
  const hash = (name: 'runId' | 'specHash' | 'bundleRoot' | 'quoteHash'): Uint8Array => word.bytes32(terms[name], `terms.${name}`)
  const seconds = (
    name: 'deadlineAtS' | 'attestByS' | 'claimTimeS' | 'refundAfterS' | 'disputeWindowS' | 'resolveByS',
  ): Uint8Array => word.uint(terms[name], 40, `terms.${name}`)
  if (terms.recordMode !== 'full' && terms.recordMode !== 'root')
    throw invalid('terms.recordMode', 'full or root', terms.recordMode)
  return toHex(
    hashStruct(
      TERMS,
      address('creator'),
      hash('runId'),
      address('token'),
      amount('farmBudget'),
      amount('checkBudget'),
      amount('frameCap'),
      amount('checkFee'),
      hash('specHash'),
      hash('bundleRoot'),
      hash('quoteHash'),
      word.addresses(terms.checkers, 'terms.checkers'),
      word.uint(terms.registryDraw, 8, 'terms.registryDraw'),
      word.uint(terms.quorum, 8, 'terms.quorum'),
      address('arbiter'),
      address('leaseKey'),
      address('platform'),
      word.uint(terms.platformFeeBps, 16, 'terms.platformFeeBps'),
      word.uint(terms.recordMode === 'full' ? 0 : 1, 8, 'terms.recordMode'),
      seconds('deadlineAtS'),
      seconds('attestByS'),
      seconds('claimTimeS'),
      seconds('refundAfterS'),
      seconds('disputeWindowS'),
      seconds('resolveByS'),
    ),
  )
}

/** The terms' specHash: sha256 of the render spec's canonical JSON. */
export function specHashOf(spec: RenderSpec): Bytes32 {
  return sha256Hex(canonicalJson(spec))
}

/** The terms' quoteHash: sha256 of the canonical JSON of what the price rests on (estimate, quotes, rate, expiry). */
export function quoteHashOf(quote: unknown): Bytes32 {
  return sha256Hex(canonicalJson(quote))
}

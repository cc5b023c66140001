import type { Address, Bytes32, LedgerDomain, Terms } from '@pictor/core/contract'
import { PictorError } from '@pictor/core/contract'
import { hashTerms } from '@pictor/core/proof'
import { AbiCoder, Interface, Signature, TypedDataEncoder } from 'ethers'
import type { EvmProvider } from './rpc.ts'
import { requireCreator, walletOf, type Ask, type WalletOptions } from './wallet.ts'

/** How a creator pays by signatures alone, so that somebody else may send the opening. The numbers are the escrow's `Funding`. */
export const SIGNED_FUNDING = { permit: 1, permit2: 2, authorization: 3 } as const

/** A creator's signatures for one opening: bound to hash(terms) and lease set 0, worthless for anything else. */
export interface SignedFunding {
  readonly way: keyof typeof SIGNED_FUNDING
  readonly data: string
  /** Over Open(terms, setRoot), where the token's own signature does not cover it (`permit`). */
  readonly signature: string
}

export interface SigningRequest {
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly setRoot: Bytes32
  /** `authorization` (ERC-3009: USDC) and `permit2` take one signature, `permit` (EIP-2612) two. */
  readonly way: keyof typeof SIGNED_FUNDING
  /** Unix seconds after which the signatures are worth nothing. */
  readonly validUntilS: number
  /** Uniswap's Permit2, for `permit2`. */
  readonly permit2?: Address
}

type Fields = readonly { readonly name: string; readonly type: string }[]
type Types = Readonly<Record<string, Fields>>

const fields = (text: string): Fields =>
  text.split(',').map((one) => {
    const [type, name] = one.trim().split(' ') as [string, string]
    return { type, name }
  })
const OPEN = fields('bytes32 terms,bytes32 setRoot')
const coder = AbiCoder.defaultAbiCoder()
const named = new Interface([
  'function eip712Domain() view returns (bytes1, string name, string version, uint256, address, bytes32, uint256[])',
  'function name() view returns (string)',
  'function version() view returns (string)',
  'function nonces(address) view returns (uint256)',
])

/** Struct hash of Open(terms, setRoot): nonce of an ERC-3009 authorization, witness of a Permit2 transfer. */
export function openHashOf(terms: Terms, setRoot: Bytes32): Bytes32 {
  return TypedDataEncoder.hashStruct('Open', { Open: [...OPEN] }, { terms: hashTerms(terms), setRoot }) as Bytes32
}

/**
 * Asks the creator's wallet for the signatures that let anybody open this job with the creator's money, so that a creator needs no ether. Pass the result to
 * `openSigned` of a ledger whose signer pays for gas.
 * @throws ledger-refused not-allowed, ledger-unreachable, invalid-input
 */
export async function signFunding(
  provider: EvmProvider,
  request: SigningRequest,
  options: WalletOptions = {},
): Promise<SignedFunding> {
  const { domain, terms, setRoot, way, validUntilS } = request
  const ask = walletOf(provider, options)
  const from = terms.creator
  const escrow = domain.verifyingContract
  const value = terms.farmBudget + terms.checkBudget
  await requireCreator(ask, from, domain.chainId)
  const sign = async (dataDomain: object, types: Types, primaryType: string, message: object): Promise<Signature> => {
    const typed = { domain: dataDomain, types: { EIP712Domain: domainFields(dataDomain), ...types }, primaryType, message }
    const text = JSON.stringify(typed, (_key, one: unknown) => (typeof one === 'bigint' ? one.toString() : one))
    return Signature.from(await ask<string>('eth_signTypedData_v4', [from, text]))
  }
  if (way === 'permit2') {
    const verifyingContract = request.permit2
    if (!verifyingContract)
      throw new PictorError('invalid-input', 'permit2: its address is needed', { details: { path: 'permit2' } })
    // Permit2's nonces are unordered; the opening's own hash is used once.
    const nonce = BigInt(openHashOf(terms, setRoot))
    const signature = await sign(
      { name: 'Permit2', chainId: domain.chainId, verifyingContract },
      PERMIT2_TYPES,
      'PermitWitnessTransferFrom',
      {
        permitted: { token: terms.token, amount: value },
        spender: escrow,
        nonce,
        deadline: validUntilS,
        witness: { terms: hashTerms(terms), setRoot },
      },
    )
    return {
      way,
      data: coder.encode(['uint256', 'uint256', 'bytes'], [nonce, validUntilS, signature.serialized]),
      signature: '0x',
    }
  }
  const token = await tokenDomain(ask, terms.token, domain.chainId)
  if (way === 'authorization') {
    const nonce = openHashOf(terms, setRoot)
    const message = { from, to: escrow, value, validAfter: 0, validBefore: validUntilS, nonce }
    const { v, r, s } = await sign(token, { ReceiveWithAuthorization: AUTHORIZATION }, 'ReceiveWithAuthorization', message)
    return {
      way,
      data: coder.encode(['uint256', 'uint256', 'uint8', 'bytes32', 'bytes32'], [0, validUntilS, v, r, s]),
      signature: '0x',
    }
  }
  const nonce = BigInt(
    await ask<string>('eth_call', [{ to: terms.token, data: named.encodeFunctionData('nonces', [from]) }, 'latest']),
  )
  const permit = { owner: from, spender: escrow, value, nonce, deadline: validUntilS }
  const { v, r, s } = await sign(token, { Permit: PERMIT }, 'Permit', permit)
  const open = await sign(domain, { Open: OPEN }, 'Open', { terms: hashTerms(terms), setRoot })
  return {
    way,
    data: coder.encode(['uint256', 'uint256', 'uint8', 'bytes32', 'bytes32'], [value, validUntilS, v, r, s]),
    signature: open.serialized,
  }
}

const PERMIT = fields('address owner,address spender,uint256 value,uint256 nonce,uint256 deadline')
const AUTHORIZATION = fields('address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce')
const PERMIT2_TYPES: Types = {
  PermitWitnessTransferFrom: fields('TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Open witness'),
  TokenPermissions: fields('address token,uint256 amount'),
  Open: OPEN,
}

function domainFields(domain: object): Fields {
  const all = fields('string name,string version,uint256 chainId,address verifyingContract')
  return all.filter(({ name }) => name in domain)
}

/** Name and version that the token signs with: by EIP-5267, else by its getters (USDC). */
async function tokenDomain(ask: Ask, token: Address, chainId: number): Promise<object> {
  const read = async (name: 'eip712Domain' | 'name' | 'version'): Promise<readonly unknown[] | undefined> => {
    try {
      const data = await ask<string>('eth_call', [{ to: token, data: named.encodeFunctionData(name) }, 'latest'])
      return [...named.decodeFunctionResult(name, data)]
    } catch {
      return undefined
    }
  }
  const whole = await read('eip712Domain')
  const name = whole?.[1] ?? (await read('name'))?.[0]
  const version = whole?.[2] ?? (await read('version'))?.[0] ?? '1'
  if (typeof name !== 'string')
    throw new PictorError('unsupported', `token ${token} says no name to sign with; fund by a transaction`)
  return { name, version, chainId, verifyingContract: token }
}

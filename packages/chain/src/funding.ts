import type { Address, Bytes32, FundingRequest, LedgerDomain, Terms } from '@pictor/core/contract'
import { PictorError } from '@pictor/core/contract'
import { hashTerms } from '@pictor/core/proof'
import { AbiCoder, Interface, Signature, TypedDataEncoder } from 'ethers'
import { pause } from './pause.ts'
import { refusalOf } from './refusal.ts'
import { faultOf, providerRpc, type EvmProvider } from './rpc.ts'
import { tokenAbi } from './wire.ts'

/** What `FundingRequest.payload` holds for a chain: calls that the creator's wallet sends, in order. Plain JSON. */
export interface FundingTransactions {
  readonly chainId: number
  readonly from: Address
  readonly transactions: readonly { readonly to: Address; readonly data: string }[]
}

export interface WalletOptions {
  readonly signal?: AbortSignal
  /** Longest wait for the person to confirm one request, and for one transaction to be mined. Default 10 minutes. */
  readonly timeoutMs?: number
}

const WAIT_MS = 600_000

type Ask = <T>(method: string, params: readonly unknown[]) => Promise<T>

/** The wallet behind a provider, as far as it is needed. A person confirms, so questions wait longer than those to a node. */
function walletOf(provider: EvmProvider, options: WalletOptions): Ask {
  const rpc = providerRpc(provider, options.timeoutMs ?? WAIT_MS)
  return async <T>(method: string, params: readonly unknown[]): Promise<T> => {
    try {
      return await rpc.call<T>(method, params, options.signal)
    } catch (error) {
      const fault = faultOf(error)
      if (!fault) throw error
      // EIP-1193: 4001 is the person's own no.
      throw refusalOf(fault, fault.code === 4001 ? 'not-allowed' : undefined)
    }
  }
}

/** Makes sure that the wallet speaks for the creator and for this chain; asks it to switch where it does not. @throws ledger-refused not-allowed, invalid-input */
async function requireCreator(ask: Ask, from: Address, chainId: number): Promise<void> {
  const accounts = await ask<readonly string[]>('eth_requestAccounts', [])
  if (!Array.isArray(accounts) || !accounts.some((account) => String(account).toLowerCase() === from))
    throw new PictorError('ledger-refused', `the wallet does not hold the creator's account ${from}`, {
      details: { reason: 'not-allowed', accounts },
    })
  const serves = async (): Promise<number> => Number(await ask<string>('eth_chainId', []))
  if ((await serves()) === chainId) return
  await ask('wallet_switchEthereumChain', [{ chainId: `0x${chainId.toString(16)}` }])
  const found = await serves()
  if (found !== chainId)
    throw new PictorError('invalid-input', `expected chain ${chainId}, the wallet is on chain ${found}`, {
      details: { path: 'chainId' },
    })
}

/**
 * Sends what a ledger's `open` asked for through the creator's own wallet: any EIP-1193 provider (`window.ethereum`). The key never leaves the wallet. May be
 * repeated: an allowance that is there is not asked for again. Ask the ledger to `open` once more afterwards: a job that is open awaits nothing.
 * @returns the hashes of the transactions, mined
 * @throws ledger-refused (not-allowed: another account, or the person said no), ledger-unreachable, invalid-input (another chain)
 */
export async function fundWith(provider: EvmProvider, request: FundingRequest, options: WalletOptions = {}): Promise<Bytes32[]> {
  if (request.kind !== 'transaction') throw new PictorError('unsupported', `funding by ${request.kind} needs no transaction`)
  const { chainId, from, transactions } = request.payload as FundingTransactions
  const ask = walletOf(provider, options)
  await requireCreator(ask, from, chainId)
  const hashes: Bytes32[] = []
  for (const { to, data } of transactions) {
    if (await isAllowed(ask, from, to, data)) continue
    const hash = await ask<Bytes32>('eth_sendTransaction', [{ from, to, data, value: '0x0' }])
    await untilMined(ask, hash, options)
    hashes.push(hash)
  }
  return hashes
}

/** Whether `data` approves what is allowed already. */
async function isAllowed(ask: Ask, owner: Address, token: Address, data: string): Promise<boolean> {
  if (!data.startsWith(tokenAbi.getFunction('approve')!.selector)) return false
  const [spender, amount] = tokenAbi.decodeFunctionData('approve', data) as unknown as [Address, bigint]
  const question = tokenAbi.encodeFunctionData('allowance', [owner, spender])
  return BigInt(await ask<string>('eth_call', [{ to: token, data: question }, 'latest'])) >= amount
}

async function untilMined(ask: Ask, hash: Bytes32, options: WalletOptions): Promise<void> {
  const giveUpAtMs = Date.now() + (options.timeoutMs ?? WAIT_MS)
  for (let waitMs = 50; Date.now() < giveUpAtMs; waitMs = Math.min(2 * waitMs, 2000)) {
    const receipt = await ask<{ status: string } | null>('eth_getTransactionReceipt', [hash])
    if (receipt && BigInt(receipt.status) === 1n) return
    if (receipt) throw refusalOf({ code: 0, message: `transaction ${hash} was reverted` }, 'reverted')
    await pause(waitMs, options.signal)
  }
  throw new PictorError('ledger-unreachable', `transaction ${hash} was not mined in time`, { details: { transaction: hash } })
}

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

import type { Address, Bytes32, CallContext, FundingRequest, Ledger, LedgerDomain, Terms } from '@pictor/core/contract'
import { PictorError, isPictorError } from '@pictor/core/contract'
import { hashTerms, jobIdOf, keccak256 } from '@pictor/core/proof'
import { callsFor, refused, refusing, type ActionCall, type JobAction } from './actions.ts'
import { createChainReader } from './chain-reader.ts'
import { createEventFeed } from './event-feed.ts'
import { anchorOf } from './evidence.ts'
import { pause } from './pause.ts'
import { anotherChain, httpRpc, providerRpc, untilAborted, type EvmProvider, type Rpc } from './rpc.ts'
import type { FundingTransactions } from './funding.ts'
import { createSender, type EvmSigner } from './sender.ts'
import { payingSender, type Session } from './session.ts'
import { SIGNED_FUNDING, type SignedFunding } from './signed-funding.ts'
import { escrowAbi, tokenAbi, wireRef, wireTerms } from './wire.ts'

export interface EvmLedgerOptions {
  /** One node, or several that are asked in turn when one fails. */
  readonly rpcUrl?: string | readonly string[]
  /** Instead of `rpcUrl`: an EIP-1193 provider. */
  readonly provider?: EvmProvider
  readonly escrow: Address
  /** Sends and pays for the transactions; an ethers `Wallet` fits. Left out: the ledger only reads, and `open` asks for the creator's wallet. */
  readonly signer?: EvmSigner
  /** Blocks above an event before it counts as final. Default 0 on development chains (id 31337), 12 elsewhere. */
  readonly confirmations?: number
  /** First block that can hold an event of the escrow; `deploy()` says it. Default 0. */
  readonly fromBlock?: number
  /** Default 31337, the development chain. Messages are signed for it, so a node of another chain is refused. */
  readonly chainId?: number
  /** Longest wait for a transaction; default 5 minutes. */
  readonly timeoutMs?: number
  /** When to raise the fee of a transaction that is not mined; default 1 minute. */
  readonly replaceAfterMs?: number
  /** The most that is ever offered for one gas, in wei, whatever a node says is needed; default 300 gwei. */
  readonly maxFeePerGas?: bigint
  /** Longest wait for one answer of a node; default 15 s. */
  readonly rpcTimeoutMs?: number
  /** `exact` lets the escrow take only what the next call needs; `unlimited` saves a transaction a job. Default `exact`. */
  readonly allowance?: 'exact' | 'unlimited'
}

/** The ledger on a chain: the core's port, and what only a chain has. */
export interface EvmLedger extends Ledger {
  /** Opens a job with the creator's signatures (`signFunding`); this ledger's signer only pays for gas. Idempotent. @throws ledger-refused, ledger-unreachable */
  openSigned(terms: Terms, setRoot: Bytes32, funding: SignedFunding, ctx: CallContext): Promise<{ readonly job: Bytes32 }>
  /**
   * Has the registry draw the checkers of a job as soon as its deciding block is there, and returns them; nobody for a job that names its checkers. Anybody may: a draw
   * that only its creator makes could be let lapse (after 256 blocks) until it suits him. Idempotent. @throws ledger-refused, ledger-unreachable, unsupported without a signer
   */
  draw(job: Bytes32, ctx: CallContext): Promise<readonly Address[]>
}

/** Anvil's and Hardhat's chain id. */
const DEV_CHAIN = 31_337
/** How often a call is made anew because a batch was changed under it. */
const STALE_TRIES = 5
/** Which call of an opening the draw is, see `keyTail`. */
const DRAW = 1
type Topics = readonly (string | null)[]
const WITHDRAWN = escrowAbi.getEvent('Withdrawn')!.topicHash
const pad = (address: Address): string => `0x${address.slice(2).padStart(64, '0')}`

/** The words a call ends with, so that its transaction can be found again by its key: the contract ignores bytes behind its arguments. */
function keyTail(key: string, index: number): string {
  return keccak256(new TextEncoder().encode(`pictor key ${index} ${key}`)).slice(2, 18)
}

function rpcOf(options: EvmLedgerOptions): Rpc {
  if (options.provider) return providerRpc(options.provider, options.rpcTimeoutMs)
  const urls = options.rpcUrl === undefined ? ['http://127.0.0.1:8545'] : [options.rpcUrl].flat()
  return httpRpc(urls, {
    chainId: options.chainId ?? DEV_CHAIN,
    ...(options.rpcTimeoutMs === undefined ? {} : { timeoutMs: options.rpcTimeoutMs }),
  })
}

/** Runs `make` when first needed; a failure is not remembered. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
}

/**
 * The ledger on an EVM chain: an escrow contract holds the money. Every call may be repeated with the same key after any failure, also in another process:
 * what was sent is found again on the chain and nothing is paid twice. The chain is first asked at the first call; every call may end in `ledger-unreachable`.
 * @example
 * ```ts
 * const ledger = evmLedger({ rpcUrl, escrow, chainId: 1, signer: new Wallet(key) })
 * ```
 */
export function evmLedger(options: EvmLedgerOptions): EvmLedger {
  const rpc = rpcOf(options)
  const { escrow, signer } = options
  const chainId = options.chainId ?? DEV_CHAIN
  const dev = chainId === DEV_CHAIN
  const domain: LedgerDomain = { name: 'Pictor', version: '1', chainId, verifyingContract: escrow }
  const reader = createChainReader(rpc, escrow, options.confirmations ?? (dev ? 0 : 12), options.fromBlock ?? 0)
  const feed = createEventFeed(reader, dev ? 200 : 4000)
  const timeoutMs = options.timeoutMs ?? 300_000

  /** A wallet may be switched to another chain at any time, so it is asked each time; `httpRpc` asks each node. */
  const connected = async (): Promise<void> => {
    if (!options.provider) return
    const found = await rpc.call<string>('eth_chainId', [])
    if (Number(found) !== chainId) throw anotherChain(chainId, found)
  }
  const session = once(async (): Promise<Session | undefined> => {
    if (!signer) return undefined
    const address = (await signer.getAddress()).toLowerCase() as Address
    const { maxFeePerGas } = options
    const waits = {
      timeoutMs,
      replaceAfterMs: options.replaceAfterMs ?? 60_000,
      pollMs: dev ? 5 : 500,
      ...(maxFeePerGas === undefined ? {} : { maxFeePerGas }),
    }
    const sender = createSender(rpc, signer, address, chainId, waits)
    return { address, pay: payingSender(sender, reader, escrow, options.allowance ?? 'exact') }
  })
  const acting = async (ctx: CallContext): Promise<Session> => {
    await untilAborted(connected(), ctx.signal)
    const found = await session()
    if (found) return found
    throw new PictorError('unsupported', 'this ledger was made without a signer and can only read', {
      details: { path: 'signer' },
    })
  }

  /** `topics` find the logs that the call leaves; `index` tells the calls of one action apart. */
  const submit = async (call: ActionCall, token: Address, topics: Topics, ctx: CallContext, index = 0): Promise<void> => {
    const { address, pay } = await acting(ctx)
    if (call.from !== undefined && call.from !== address)
      throw refused('not-allowed', `only ${call.from} may send this, not ${address}`)
    const tail = keyTail(ctx.key, index)
    try {
      const receipt = await pay({ ...call, data: call.data + tail }, token, ctx.signal)
      reader.saw(receipt.blockNumber)
      ctx.log?.('ledger transaction mined', { transaction: receipt.transactionHash, gas: `${receipt.gasUsed}` })
    } catch (error) {
      // What the chain refuses may be this very call's own effect, sent before a crash.
      if (!isPictorError(error, 'ledger-refused') || !(await reader.wasSent(address, tail, topics, timeoutMs, ctx.signal)))
        throw error
    }
  }

  /** The job of these terms, and whether it is open with them already. @throws ledger-refused terms-mismatch */
  const jobOf = async (terms: Terms, setRoot: Bytes32, ctx: CallContext): Promise<{ job: Bytes32; isOpen: boolean }> => {
    const job = refusing('terms', () => jobIdOf(domain, terms.creator, terms.runId))
    const known = await reader.viewNow(job, ctx.signal)
    const same = known.opening && hashTerms(known.opening.terms) === hashTerms(terms) && known.opening.setRoot === setRoot
    if (known.opening && !same) throw refused('terms-mismatch', `job ${job} is open with other terms or another lease set 0`)
    return { job, isOpen: known.opening !== undefined }
  }

  /** Registry jobs: has the checkers drawn as soon as the deciding block is there, if this ledger can send; a draw waits for nobody else. @throws ledger-unreachable */
  const haveDrawn = async (job: Bytes32, ctx: CallContext): Promise<void> => {
    for (const giveUpAtMs = Date.now() + timeoutMs; await session();) {
      const { opening } = await reader.viewNow(job, ctx.signal)
      if (!opening || opening.terms.registryDraw === 0 || opening.drawn.length > 0) return
      const call = { to: escrow, data: escrowAbi.encodeFunctionData('drawCommittee', [wireRef(opening)]) }
      try {
        await submit(call, opening.terms.token, [null, job], ctx, DRAW)
      } catch (error) {
        const reason = isPictorError(error, 'ledger-refused') ? error.details['reason'] : undefined
        // Its block is not there yet; or somebody else was faster, which the next look shows.
        if (!['too-early', 'done', 'terms-mismatch'].includes(String(reason))) throw error
        if (Date.now() > giveUpAtMs)
          throw new PictorError('ledger-unreachable', `no block came that decides who checks job ${job}`, {
            details: { reason: 'not-drawn', class: 'transfer' },
          })
        await pause(dev ? 200 : 4000, ctx.signal)
      }
    }
  }

  const open: Ledger['open'] = async (terms, setRoot, ctx) => {
    await untilAborted(connected(), ctx.signal)
    const { job, isOpen } = await jobOf(terms, setRoot, ctx)
    if (isOpen) {
      await haveDrawn(job, ctx)
      return { job }
    }
    const takes = terms.farmBudget + terms.checkBudget
    const data = escrowAbi.encodeFunctionData('openJob', [wireTerms(terms), setRoot, 0, '0x', '0x'])
    if ((await session())?.address !== terms.creator)
      return { job, awaiting: fundingRequest(terms, escrow, chainId, takes, data) }
    await submit({ to: escrow, data, takes }, terms.token, [null, job], ctx)
    await haveDrawn(job, ctx)
    return { job }
  }

  const openSigned: EvmLedger['openSigned'] = async (terms, setRoot, { way, data, signature }, ctx) => {
    await untilAborted(connected(), ctx.signal)
    const { job, isOpen } = await jobOf(terms, setRoot, ctx)
    if (isOpen) {
      await haveDrawn(job, ctx)
      return { job }
    }
    const call = escrowAbi.encodeFunctionData('openJob', [wireTerms(terms), setRoot, SIGNED_FUNDING[way], data, signature])
    await submit({ to: escrow, data: call }, terms.token, [null, job], ctx)
    await haveDrawn(job, ctx)
    return { job }
  }

  const send: Ledger['send'] = async (action, ctx) => {
    const { address } = await acting(ctx)
    if (action.kind === 'withdraw') {
      if ((await reader.credit(action.token, address, 'latest', ctx.signal)) === 0n) return
      const data = escrowAbi.encodeFunctionData('withdraw', [action.token, action.to])
      return submit({ to: escrow, data }, action.token, [WITHDRAWN, null, pad(address)], ctx)
    }
    const job = refusing('terms', () => jobIdOf(domain, action.terms.creator, action.terms.runId))
    for (let tries = 1; ; tries++)
      try {
        return await sendOnce(action, job, address, ctx)
      } catch (error) {
        if (!isPictorError(error, 'ledger-refused')) throw error
        // What a batch still holds was changed by somebody else in the meantime, perhaps only to be in front of this very call: it is made anew from what is held now. And what
        // the logs alone refuse is read once more: a node may have left out one that the escrow's storage does not speak of, or be behind.
        const named = error.details['error']
        const again =
          named === undefined ? tries === 1 : tries < STALE_TRIES && /^(NotPinned|NoSuchObjection)/.test(String(named))
        if (!again) throw error
        reader.forget(job)
      }
  }

  const sendOnce = async (action: JobAction, job: Bytes32, address: Address, ctx: CallContext): Promise<void> => {
    const view = await reader.viewNow(job, ctx.signal)
    const arbiterIsContract = view.opening ? await reader.hasCode(view.opening.terms.arbiter, ctx.signal) : false
    const world = {
      escrow,
      view,
      sender: address,
      arbiterIsContract,
      bondFor: (token: Address, price: bigint) => reader.bondFor(token, price, ctx.signal),
      nowS: () => reader.nowS(ctx.signal),
    }
    let calls: readonly ActionCall[]
    try {
      calls = await callsFor(action, ctx.key, world)
    } catch (error) {
      if (!isPictorError(error, 'ledger-refused')) throw error
      if (await reader.wasSent(address, keyTail(ctx.key, 0), [null, job], timeoutMs, ctx.signal)) return
      throw error
    }
    for (const [i, call] of calls.entries()) await submit(call, action.terms.token, [null, job], ctx, i)
  }

  return {
    contract: 1,
    supports: { custody: true, disputes: true, claims: true, bonds: true, slashing: true, approveEarly: true },
    domain,
    label: `escrow ${escrow} on chain ${chainId}`,
    open,
    openSigned,
    send,
    async draw(job, ctx) {
      await acting(ctx)
      await haveDrawn(job, ctx)
      return (await reader.viewNow(job, ctx.signal)).opening?.drawn ?? []
    },
    async poll(query, ctx) {
      await untilAborted(connected(), ctx.signal)
      return feed(query, ctx.signal)
    },
    async money(job, ctx) {
      await untilAborted(connected(), ctx.signal)
      return (await reader.viewFinal(job, ctx.signal)).money
    },
    async credit(token, account, ctx) {
      await untilAborted(connected(), ctx.signal)
      return reader.credit(token, account, 'final', ctx.signal)
    },
    async decimals(token, ctx) {
      await untilAborted(connected(), ctx.signal)
      return reader.decimals(token, ctx.signal)
    },
    async evidence(job, ctx) {
      await untilAborted(connected(), ctx.signal)
      return anchorOf(rpc, { chainId, escrow, job, block: await reader.finalBlock(ctx.signal) }, ctx.signal)
    },
  }
}

/** What the creator's own wallet has to send when this process does not hold its key. */
function fundingRequest(terms: Terms, escrow: Address, chainId: number, amount: bigint, data: string): FundingRequest {
  const approve = { to: terms.token, data: tokenAbi.encodeFunctionData('approve', [escrow, amount]) }
  const payload: FundingTransactions = { chainId, from: terms.creator, transactions: [approve, { to: escrow, data }] }
  return { kind: 'transaction', payload }
}

import { PictorError, isPictorError } from '@pictor/core/contract'
import { isAnswer } from './answers.ts'

/** One JSON-RPC method call. What an EIP-1193 provider (`window.ethereum`, ethers' `BrowserProvider` underneath) satisfies. */
export interface EvmProvider {
  request(call: { readonly method: string; readonly params?: readonly unknown[] }): Promise<unknown>
}

/** An error that the node itself answered with (not a failure to reach it). */
export interface RpcFault {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

/** A way to one chain: asks the nodes in turn until one answers, every wait with a limit. */
export interface Rpc {
  /** @throws ledger-unreachable when no node answers in time; an Error with a `fault` when the node refuses */
  call<T>(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<T>
}

/** The node's own refusal inside an error thrown by {@link Rpc.call}, when it is one. */
export function faultOf(error: unknown): RpcFault | undefined {
  return (error as { fault?: RpcFault } | null)?.fault
}

function fault(method: string, found: RpcFault): Error {
  return Object.assign(new Error(`${method}: ${found.message}`), { fault: found })
}

function unreachable(method: string, cause: unknown): PictorError {
  return new PictorError(
    'ledger-unreachable',
    `${method}: no node of the chain answered (${(cause as Error)?.message ?? cause})`,
    {
      details: { method, hint: 'check the RPC address, then repeat the call with the same key' },
      cause,
    },
  )
}

/** Refuses to work against another chain than the messages are signed for. */
export function anotherChain(expected: number, found: unknown): PictorError {
  return new PictorError('invalid-input', `expected chain ${expected}, the node serves chain ${Number(found)}`, {
    details: { path: 'chainId', hint: 'check the RPC address and the chain id' },
  })
}

/** A node's answers that cannot be true. */
export function nodeLies(method: string, what: string, reason?: string): PictorError {
  return new PictorError('ledger-unreachable', `${method}: the node gave ${what}`, {
    details: { method, ...(reason ? { reason } : {}), hint: 'ask another node, then repeat the call with the same key' },
  })
}

function nonsense(method: string, found: unknown): Error {
  return new Error(`${method} was answered with ${JSON.stringify(found)?.slice(0, 80)}`)
}

/** What providers say when they will not answer now. Of logs they say the same of ranges that are too long, which helps nobody to ask elsewhere: `logReader` halves them. */
const OVERLOAD = /capacity exceeded|overloaded|unavailable|header not found|try again/i
/** What is refused here is taken for the chain's own word. */
const JUDGING = new Set(['eth_call', 'eth_estimateGas', 'eth_sendRawTransaction'])
const RATE_LIMIT = /rate.?limit|too many requests|request limit/i
const OVERLOAD_STATUS = new Set([429, 500, 502, 503, 504])

/** Whether an error of a node is about the node, not about what was asked: it then counts like silence, and is never taken for the chain's refusal. */
function isOverload(method: string, status: number, { code, message }: RpcFault): boolean {
  if (OVERLOAD_STATUS.has(status) || code === 429 || RATE_LIMIT.test(message)) return true
  return method !== 'eth_getLogs' && (code === -32_005 || OVERLOAD.test(message))
}

function overloaded(method: string, { code, message }: RpcFault): Error {
  return new Error(`${method} was put off: ${message} (${code})`)
}

export interface HttpRpcOptions {
  /** For one try at one node. Default 15 s. */
  readonly timeoutMs?: number
  /** A node that serves another chain is left out, also one that is first asked after others failed. */
  readonly chainId?: number
}

/** How long a node is believed to serve the chain that it named. */
const CHAIN_KNOWN_MS = 60_000

/** JSON-RPC over HTTP. A node that fails, is too slow or answers nonsense is skipped for the next; the one that answered last is asked first. */
export function httpRpc(urls: readonly string[], { timeoutMs = 15_000, chainId }: HttpRpcOptions = {}): Rpc {
  let first = 0
  let id = 0
  /** When each node last said that it serves the chain. */
  const known = new Map<string, number>()
  const ask = async (url: string, method: string, params: readonly unknown[], signal: AbortSignal | undefined) => {
    const limit = AbortSignal.timeout(timeoutMs)
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
    const text = await response.text()
    let answer: { result?: unknown; error?: RpcFault } | null
    try {
      answer = JSON.parse(text) as typeof answer
    } catch {
      throw new Error(`HTTP ${response.status} without JSON`)
    }
    if (answer?.error)
      throw isOverload(method, response.status, answer.error) ? overloaded(method, answer.error) : fault(method, answer.error)
    if (!isAnswer(method, answer?.result)) throw nonsense(method, answer?.result)
    return answer!.result
  }
  /** The first question to every node is which chain it serves; again when it failed, and every minute, since another may stand behind its address by then. */
  const meet = async (url: string, signal: AbortSignal | undefined): Promise<void> => {
    if (chainId === undefined || Date.now() - (known.get(url) ?? -Infinity) < CHAIN_KNOWN_MS) return
    const found = await ask(url, 'eth_chainId', [], signal)
    if (Number(found) !== chainId) throw anotherChain(chainId, found)
    known.set(url, Date.now())
  }
  /** What is wrong with a node's chain now. */
  const meetAgain = (url: string, signal: AbortSignal | undefined): Promise<unknown> => {
    known.delete(url)
    return meet(url, signal).then(
      () => undefined,
      (error: unknown) => error,
    )
  }
  return {
    async call<T>(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<T> {
      let last: unknown = new Error('no RPC address')
      const start = first
      for (let i = 0; i < 2 * urls.length; i++) {
        signal?.throwIfAborted()
        const at = (start + i) % urls.length
        try {
          await meet(urls[at]!, signal)
          const answer = await ask(urls[at]!, method, params, signal)
          first = at
          return answer as T
        } catch (error) {
          if (signal?.aborted) throw signal.reason
          let failure: unknown = error
          if (faultOf(error)) {
            // A refusal is an answer too, unless another chain gave it.
            failure = JUDGING.has(method) ? await meetAgain(urls[at]!, signal) : undefined
            first = at
            if (!failure) throw error
          } else known.delete(urls[at]!)
          // Among several, a node of another chain is the clearest thing that can be wrong.
          if (!isPictorError(last, 'invalid-input')) last = failure
        }
      }
      throw isPictorError(last, 'invalid-input') ? last : unreachable(method, last)
    },
  }
}

/** Settles as `work` does, or rejects with the signal's reason as soon as it aborts; leaves no listener behind. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  signal.throwIfAborted()
  let stop: (() => void) | undefined
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, ended])
  } finally {
    signal.removeEventListener('abort', stop!)
  }
}

/** JSON-RPC through a provider that the host brings (a browser wallet, a test). */
export function providerRpc(provider: EvmProvider, timeoutMs = 15_000): Rpc {
  return {
    async call<T>(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<T> {
      signal?.throwIfAborted()
      const limit = AbortSignal.timeout(timeoutMs)
      try {
        const answer = await untilAborted(provider.request({ method, params }), signal ? AbortSignal.any([signal, limit]) : limit)
        if (!isAnswer(method, answer)) throw nonsense(method, answer)
        return answer as T
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        const found = error as Partial<RpcFault> & { error?: RpcFault; info?: { error?: RpcFault } }
        const inner = found.info?.error ?? found.error ?? (typeof found.code === 'number' ? (found as RpcFault) : undefined)
        throw inner ? fault(method, inner) : unreachable(method, error)
      }
    },
  }
}

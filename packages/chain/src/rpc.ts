import { PictorError } from '@pictor/core/contract'

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

/** JSON-RPC over HTTP. A node that fails or is too slow is skipped for the next; the one that answered last is asked first. `timeoutMs` is for one try. */
export function httpRpc(urls: readonly string[], timeoutMs = 15_000, fetcher: typeof fetch = fetch): Rpc {
  let first = 0
  let id = 0
  const ask = async (url: string, method: string, params: readonly unknown[], signal: AbortSignal | undefined) => {
    const limit = AbortSignal.timeout(timeoutMs)
    const response = await fetcher(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
    const text = await response.text()
    try {
      return JSON.parse(text) as { result?: unknown; error?: RpcFault }
    } catch {
      throw new Error(`HTTP ${response.status} without JSON`)
    }
  }
  return {
    async call<T>(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<T> {
      let last: unknown = new Error('no RPC address')
      for (let i = 0; i < 2 * urls.length; i++) {
        signal?.throwIfAborted()
        const at = (first + i) % urls.length
        try {
          const answer = await ask(urls[at]!, method, params, signal)
          first = at
          if (answer.error) throw fault(method, answer.error)
          return answer.result as T
        } catch (error) {
          if (signal?.aborted) throw signal.reason
          if (faultOf(error)) throw error
          last = error
        }
      }
      throw unreachable(method, last)
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
        return (await untilAborted(provider.request({ method, params }), signal ? AbortSignal.any([signal, limit]) : limit)) as T
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        const found = error as Partial<RpcFault> & { error?: RpcFault; info?: { error?: RpcFault } }
        const inner = found.info?.error ?? found.error ?? (typeof found.code === 'number' ? (found as RpcFault) : undefined)
        throw inner ? fault(method, inner) : unreachable(method, error)
      }
    },
  }
}

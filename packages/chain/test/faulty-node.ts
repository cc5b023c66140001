// A provider as they are on bad days, in front of a real node: drops, delays, forgets and repeats, and never says what is not so of money that moved.
import { createServer } from 'node:http'
import type { Ledger } from '@pictor/core/contract'
import { isPictorError } from '@pictor/core/contract'
import { keccak256 } from 'ethers'

export interface FaultyNode {
  readonly url: string
  /** How often each fault struck. */
  readonly faults: ReadonlyMap<string, number>
  close(): Promise<void>
}

interface Question {
  readonly method: string
  readonly params: readonly unknown[]
}
type Answer = { result?: unknown; error?: unknown }
/** Changes an answer of one method; undefined where there is nothing to spoil. */
type Spoil = (result: never, random: () => number) => unknown

const limited = { error: { code: -32_005, message: 'request rate limited' } }
/** By method: what providers were seen to answer wrongly. */
const SPOILS: Readonly<Record<string, readonly (readonly [string, Spoil])[]>> = {
  eth_blockNumber: [
    ['old block', (at: string, random) => `0x${Math.max(0, Number(at) - 1 - Math.floor(3 * random())).toString(16)}`],
  ],
  eth_getLogs: [
    [
      'missing log',
      (logs: unknown[], random) => (logs.length > 0 ? logs.toSpliced(Math.floor(logs.length * random()), 1) : undefined),
    ],
    ['reordered logs', (logs: unknown[]) => (logs.length > 1 ? logs.toReversed() : undefined)],
    ['repeated log', (logs: unknown[]) => (logs.length > 0 ? [...logs, logs.at(-1)] : undefined)],
  ],
  eth_getTransactionReceipt: [['receipt not found', (receipt: unknown) => (receipt === null ? undefined : null)]],
  eth_getTransactionCount: [
    ['old nonce', (count: string) => (Number(count) > 0 ? `0x${(Number(count) - 1).toString(16)}` : undefined)],
  ],
}

/** Pseudo-random numbers in 0..1 that a seed replays (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Serves `rpcUrl` with a fault in every `every`th question on average. */
export async function faultyNode(rpcUrl: string, seed: number, every: number): Promise<FaultyNode> {
  const random = randomOf(seed)
  const faults = new Map<string, number>()
  const struck = (name: string): void => void faults.set(name, (faults.get(name) ?? 0) + 1)
  const ask = async (body: string): Promise<Answer> => {
    const headers = { 'content-type': 'application/json' }
    return (await (await fetch(rpcUrl, { method: 'POST', headers, body })).json()) as Answer
  }
  /** The answer, or undefined for none. */
  const answerTo = async (body: string, { method, params }: Question): Promise<Answer | undefined> => {
    if (random() * every >= 1) return ask(body)
    const kind = Math.floor(random() * 5)
    if (kind === 0) return (struck('no connection'), undefined)
    if (kind === 1) return (struck('rate limit'), limited)
    if (kind === 2) return (await ask(body), struck('lost answer'), undefined)
    if (method === 'eth_sendRawTransaction') {
      // A node answers with the hash of what was sent, whether it keeps it or not.
      if (kind === 3) return (struck('dropped transaction'), { result: keccak256(params[0] as string) })
      await ask(body)
      struck('sent twice')
      return ask(body)
    }
    const real = await ask(body)
    const spoils = SPOILS[method] ?? []
    const [name, spoil] = spoils[Math.floor(random() * spoils.length)] ?? []
    const changed = real.error === undefined ? spoil?.(real.result as never, random) : undefined
    if (changed === undefined) return real
    struck(name!)
    return { ...real, result: changed }
  }
  const server = createServer((request, response) => {
    ;(async () => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const body = Buffer.concat(parts).toString()
      const answer = await answerTo(body, JSON.parse(body) as Question)
      if (!answer) return void response.destroy()
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...answer }))
    })().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    faults,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Repeats what did not reach the ledger with the same key, as a runner does. */
export function persistent(ledger: Ledger): Ledger {
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++)
      try {
        return await call()
      } catch (error) {
        // To who asks for the first time an old block is the truth: the job may be opened by now.
        const old = isPictorError(error, 'ledger-refused') && error.details['reason'] === 'unknown-job' && tries < 5
        if (!old && (!isPictorError(error, 'ledger-unreachable') || tries === 50)) throw error
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
  }
  return {
    ...ledger,
    open: (...args) => again(() => ledger.open(...args)),
    send: (...args) => again(() => ledger.send(...args)),
    poll: (...args) => again(() => ledger.poll(...args)),
    money: (...args) => again(() => ledger.money(...args)),
    credit: (...args) => again(() => ledger.credit(...args)),
    evidence: (...args) => again(() => ledger.evidence(...args)),
  }
}

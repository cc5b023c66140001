// A runner in a process of its own over a real SQLite file; farms, checkers, ledger and artifacts live in the parent, which kills it.
import type { Checker, Farm, Ledger } from '../../src/contract/index.ts'
import { createRunner, systemClock } from '../../src/run/index.ts'
import type { JobOrder, RunnerOptions } from '../../src/run/index.ts'
import { simulatedProofs, simulatedReplan, simulatedSigner } from '../../src/simulate/index.ts'
import { sqliteStore } from '../../src/store/index.ts'

export interface ChildStart {
  readonly db: string
  readonly offMs: number
  /** See `sqliteStore`: appends beyond are refused as on a full disk. */
  readonly maxPages?: number
  readonly order: JobOrder
  readonly farms: readonly string[]
  readonly checkers: readonly { readonly id: string; readonly address: `0x${string}` }[]
  readonly ledger: Pick<Ledger, 'domain' | 'supports' | 'label'>
}

let calls = 0
/** How far this process's clock is from the right one. */
let offMs = 0
const waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()

function call(port: string, method: string, args: readonly unknown[]): Promise<unknown> {
  const id = ++calls
  const plain = args.map((arg) => (typeof arg === 'object' && arg !== null ? strip(arg as object) : arg))
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject })
    process.send!({ id, port, method, args: plain })
  })
}

/** Functions and signals stay here: artifacts are the parent's anyway. */
function strip(value: object): unknown {
  if (value instanceof Uint8Array) return value
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'object' && item !== null ? strip(item as object) : item))
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => key !== 'signal' && (key !== 'files' || Array.isArray(item)) && typeof item !== 'function')
      .map(([key, item]) => [key, typeof item === 'object' && item !== null ? strip(item as object) : item]),
  )
}

const remote = <T>(port: string, methods: readonly string[], fixed: object): T =>
  Object.assign(
    Object.fromEntries(methods.map((method) => [method, (...args: unknown[]) => call(port, method, args)])),
    fixed,
  ) as T

process.on(
  'message',
  (message: {
    start?: ChildStart
    id?: number
    result?: unknown
    offMs?: number
    error?: { code: string; message: string; details: object }
  }) => {
    if (message.start) {
      offMs = message.start.offMs
      return void main(message.start)
    }
    offMs = message.offMs ?? 0
    const entry = waiting.get(message.id!)
    waiting.delete(message.id!)
    if (message.error)
      entry?.reject(
        Object.assign(
          new Error(message.error.message),
          { '~pictor': 'error', retryable: /unreachable|timeout/.test(message.error.code) },
          message.error,
        ),
      )
    else entry?.resolve(message.result)
  },
)

async function main(start: ChildStart): Promise<void> {
  const farms = new Map(
    start.farms.map((id) => {
      const farm = remote<Farm>(`farm ${id}`, ['describe', 'quote', 'stage', 'submit', 'poll', 'set'], { contract: 1, id })
      const open = async (...args: unknown[]) => {
        const body = (await call(`farm ${id}`, 'open', args)) as { bytes: number; parts?: Uint8Array[] }
        return body.parts
          ? {
              bytes: body.bytes,
              stream: (async function* () {
                yield* body.parts!
              })(),
            }
          : body
      }
      return [id, Object.assign(farm, { open }) as Farm] as const
    }),
  )
  const disk = sqliteStore(start.db, start.maxPages === undefined ? {} : { maxPages: start.maxPages })
  const clock = systemClock()
  const options: RunnerOptions = {
    // The parent hears of every commit, so that it can kill right after it.
    store: {
      ...disk,
      async append(...all) {
        await disk.append(...all)
        await call('commit', all[0], [])
      },
    },
    clock: { now: () => clock.now() + offMs, sleep: (ms, signal) => clock.sleep(ms, signal) },
    farms: (id) => farms.get(id),
    checkers: start.checkers.map((one) => remote<Checker>(`checker ${one.id}`, ['send', 'poll'], { contract: 1, ...one })),
    ledger: remote<Ledger>('ledger', ['open', 'send', 'poll', 'money', 'credit', 'evidence'], { contract: 1, ...start.ledger }),
    artifacts: remote('artifacts', ['put', 'has', 'read', 'path'], {}),
    leaseSigner: simulatedSigner('lease key'),
    replan: simulatedReplan,
    deliver: (request) => call('deliver', 'deliver', [request]) as Promise<{ path: string }>,
    proofs: simulatedProofs(),
    tuning: { claimMs: 400, pollMinMs: 5, retryMs: 20, resendMs: 300, inboxMs: 100, callMs: 5_000, snapshotFacts: 8 },
  }
  const runner = createRunner(options)
  const run = await runner.submit(start.order)
  await runner.start()
  const { frames, outcome, money } = await run.done()
  process.send!({ done: { frames: frames.map(({ frame, hash }) => ({ frame, hash })), outcome, money } })
  await runner.close()
  await disk.close()
  process.disconnect()
}

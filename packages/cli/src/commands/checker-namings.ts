import { jobOpenings } from '@pictor/chain'
import type { Address } from '@pictor/core'
import type { CommandContext } from './context.ts'

/** How often the chain is asked for new jobs. */
const POLL_MS = 5_000
/** A runner that has asked nothing for this long after its job was opened starves its checker, or is gone. */
const SILENT_MS = 5 * 60_000

/** Jobs on the ledger that name a checker. */
export interface Namings {
  /** Lines for the metrics page. */
  text(): string
  close(): void
}

/** Follows the openings of an escrow for jobs whose terms name `address`, and reports those whose runner never calls: `asked` holds the jobs that it was asked about. */
export function followNamings(
  chain: { readonly rpcUrl: string; readonly escrow: Address; readonly chainId: number; readonly fromBlock: number },
  address: Address,
  asked: ReadonlySet<string>,
  { emit, screen }: CommandContext,
): Namings {
  const dev = chain.chainId === 31_337
  const openings = jobOpenings({ ...chain, confirmations: dev ? 0 : 12 })
  const closing = new AbortController()
  const named = new Map<string, { openedAtMs: number; deadlineAtMs: number; reported: boolean }>()
  let failures = 0

  async function look(): Promise<void> {
    for (const { job, terms, atMs } of await openings.next({ key: 'openings', signal: closing.signal })) {
      if (!terms.checkers.includes(address)) continue
      named.set(job, { openedAtMs: atMs, deadlineAtMs: terms.deadlineAtS * 1000, reported: false })
      emit({ type: 'named', job, quorum: terms.quorum, checkers: terms.checkers.length, deadlineAtS: terms.deadlineAtS })
      screen.log(`job ${job} names this checker (${terms.quorum} of ${terms.checkers.length})`)
    }
    const nowMs = Date.now()
    for (const [job, one] of named) {
      if (asked.has(job) || one.reported || nowMs < one.openedAtMs + SILENT_MS || nowMs > one.deadlineAtMs) continue
      one.reported = true
      emit({ type: 'runner-silent', job, openedAtMs: one.openedAtMs })
      screen.log(
        `job ${job} was opened ${Math.round((nowMs - one.openedAtMs) / 60_000)} min ago and its runner has asked nothing`,
      )
    }
  }
  const timer = setInterval(() => void look().catch(() => failures++), POLL_MS)
  void look().catch(() => failures++)
  return {
    text: () =>
      [
        '# TYPE pictor_checker_jobs_named gauge',
        `pictor_checker_jobs_named ${named.size}`,
        '# TYPE pictor_checker_jobs_unasked gauge',
        `pictor_checker_jobs_unasked ${[...named.keys()].filter((job) => !asked.has(job)).length}`,
        '# TYPE pictor_checker_ledger_failures_total counter',
        `pictor_checker_ledger_failures_total ${failures}`,
        '',
      ].join('\n'),
    close() {
      clearInterval(timer)
      closing.abort()
    },
  }
}

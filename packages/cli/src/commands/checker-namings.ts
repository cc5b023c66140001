import { setTimeout as sleep } from 'node:timers/promises'
import { jobOpenings, type OpenedJob } from '@pictor/chain'
import type { Address, Bytes32, CallContext, Terms } from '@pictor/core'
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

/** Checkers wait this long for each other before they draw, by their address: one transaction is enough. */
const TURN_MS = 250

interface FollowedEscrow {
  readonly rpcUrl: string
  readonly escrow: Address
  readonly chainId: number
  readonly fromBlock: number
}

/**
 * Follows the openings of an escrow for jobs whose terms name `address`, and reports those whose runner never calls: `asked` holds the jobs that it was asked about.
 * With `draw` the checkers of registry jobs are drawn from here too: a creator who vanished, or who would rather draw again, does not decide when.
 */
export function followNamings(
  chain: FollowedEscrow,
  address: Address,
  asked: ReadonlySet<string>,
  { emit, screen }: CommandContext,
  draw?: (job: Bytes32, ctx: CallContext) => Promise<readonly Address[]>,
): Namings {
  const dev = chain.chainId === 31_337
  const openings = jobOpenings({ ...chain, confirmations: dev ? 0 : 12 })
  const closing = new AbortController()
  const named = new Map<string, { openedAtMs: number; deadlineAtMs: number; reported: boolean }>()
  let failures = 0

  async function drawSoon({ job, terms, atMs }: OpenedJob): Promise<void> {
    const { signal } = closing
    await sleep(dev ? 0 : TURN_MS * Number.parseInt(address.slice(-2), 16), undefined, { signal })
    const drawn = await draw!(job, { key: `draw ${job}`, signal })
    emit({ type: 'drawn', job, committee: drawn })
    if (drawn.includes(address)) name(job, { ...terms, checkers: drawn }, atMs)
  }
  const name = (job: Bytes32, terms: Terms, atMs: number): void => {
    named.set(job, { openedAtMs: atMs, deadlineAtMs: terms.deadlineAtS * 1000, reported: false })
    emit({ type: 'named', job, quorum: terms.quorum, checkers: terms.checkers.length, deadlineAtS: terms.deadlineAtS })
    screen.log(`job ${job} names this checker (${terms.quorum} of ${terms.checkers.length})`)
  }

  async function look(): Promise<void> {
    for (const opened of await openings.next({ key: 'openings', signal: closing.signal })) {
      const { job, terms, atMs } = opened
      if (terms.checkers.includes(address)) name(job, terms, atMs)
      if (draw && terms.registryDraw > 0 && terms.deadlineAtS * 1000 > Date.now())
        void drawSoon(opened).catch((error: Error) => {
          if (!closing.signal.aborted) emit({ type: 'draw-failed', job, message: error.message })
        })
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

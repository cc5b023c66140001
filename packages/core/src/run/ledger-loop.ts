import type { LedgerEvent } from '../contract/ledger.ts'
import type { LedgerEventJson } from '../job/job-state.ts'
import { limitedCall } from './effort.ts'
import type { JobHost } from './job-host.ts'
import { nap, type Nap } from './nap.ts'
import type { RunnerTuning } from './tuning.ts'
import { pollRhythm, type PollRhythm } from './poll-rhythm.ts'

/** Polls the ledger about one job; only final events move the job's money. */
export interface LedgerLoop {
  start(): void
  /** Runs `ask`; while it lasts the ledger owes an event. */
  during: PollRhythm['during']
  /** Something was sent: look soon. */
  expect(): void
  /** Reads everything again: what meant nothing to the job when it came may fit now, such as a batch that its checkers posted by themselves. */
  replay(signal: AbortSignal): Promise<void>
}

export function ledgerLoop(host: () => JobHost, tuning: RunnerTuning, signal: AbortSignal): LedgerLoop {
  const rhythm = pollRhythm('ledger', tuning)
  let running = false
  let rest: Nap | undefined

  async function loop(): Promise<void> {
    const { shared, job } = host()
    const { clock, options } = shared
    rest = nap(clock)
    let cursor: string | undefined
    while (!signal.aborted && job.state.phase !== 'ended') {
      let waitMs: number
      rest.arm()
      try {
        const id = host().jobId()
        const page = await limitedCall(clock, tuning.callMs, signal, (limited) =>
          options.ledger.poll({ job: id, ...(cursor === undefined ? {} : { cursor }) }, { signal: limited, key: `poll ${id}` }),
        )
        for (const event of page.events) await take(event)
        cursor = page.cursor
        waitMs = rhythm.after(page)
      } catch (error) {
        if (signal.aborted) return
        waitMs = rhythm.afterFailure(error)
      }
      await rest.sleep(waitMs, signal)
    }
  }

  async function take(event: LedgerEvent): Promise<void> {
    if (event.status !== 'final' || event.job !== host().jobId()) return
    const { job } = host()
    if (event.type === 'refused') {
      const command = [...job.state.agenda.open.keys()].find((id) => host().key(job.name, id) === event.key)
      if (command) await job.send({ type: 'refused', command, code: 'ledger-refused', message: event.reason })
      return
    }
    await job.send({ type: 'ledger', event: ledgerEventJson(event) })
    if (event.type !== 'drawn') return
    const { quorum } = job.state.order!.terms
    const found = event.committee.filter((checker) => host().checkers.has(checker)).length
    if (found < quorum)
      await job.send({
        type: 'blocked',
        reason: `of the drawn checkers ${event.committee.join(', ')} this runner reaches ${found}, and ${quorum} must sign`,
      })
  }

  return {
    start() {
      if (running) return
      running = true
      void loop()
    },
    during: rhythm.during,
    expect() {
      rhythm.asked()
      rest?.kick()
    },
    async replay(signal) {
      const { clock, options } = host().shared
      const job = host().jobId()
      for (let cursor: string | undefined; ;) {
        const page = await limitedCall(clock, tuning.callMs, signal, (limited) =>
          options.ledger.poll({ job, ...(cursor === undefined ? {} : { cursor }) }, { signal: limited, key: `replay ${job}` }),
        )
        for (const event of page.events) await take(event)
        if (page.events.length === 0 || page.cursor === cursor) return
        cursor = page.cursor
      }
    },
  }
}

/** Amounts become decimal strings; frame records stay in the batch. */
export function ledgerEventJson(event: LedgerEvent): LedgerEventJson {
  const { ...fields } = event as LedgerEvent & { records?: unknown }
  delete fields.records
  return JSON.parse(
    JSON.stringify(fields, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  ) as LedgerEventJson
}

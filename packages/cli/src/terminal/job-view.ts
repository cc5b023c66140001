import { formatFrames, formatMoney, type JobEvent } from '@pictor/core/contract'
import type { JobRun, JobState } from '@pictor/core'
import { lastFrames } from './last-frames.ts'
import type { Screen } from './screen.ts'
import { bar, duration, type Style } from './style.ts'

/** How a run is shown: events as lines that stay, a bar a farm and one for the job below. */
export interface JobView {
  readonly screen: Screen
  readonly style: Style
  readonly currency: string
  /** Amounts in the smallest unit of the currency, for people. */
  money(amount: bigint): string
  /** Who is behind an account; the short address where nobody knows. */
  name(account: string): string
}

/** `names` maps lower-case addresses to names. */
export function jobView(screen: Screen, style: Style, currency: string, names?: ReadonlyMap<string, string>): JobView {
  const name = (account: string) => names?.get(account.toLowerCase()) ?? `${account.slice(0, 8)}…`
  return { screen, style, currency, money: (amount) => formatMoney({ amount, currency }), name }
}

/** Follows a run to its end. Ends early, without touching the run, when the signal aborts. */
export async function followRun(run: JobRun, view: JobView, signal?: AbortSignal): Promise<void> {
  const pictures = lastFrames()
  const show = (): void => {
    const state = run.state()
    const { columns } = view.screen
    const small = columns === undefined || !view.style.colours ? [] : pictures.lines(state, columns)
    // The job's own line stays the last one: a log file gets only that.
    view.screen.live([...small, ...lastLine(state, view), ...liveBlock(state, view)])
  }
  const timer = setInterval(show, 250)
  try {
    for await (const event of run.events(undefined, signal ? { signal } : {})) {
      const line = eventLine(event, view)
      if (line) view.screen.log(line)
      show()
    }
  } finally {
    clearInterval(timer)
    view.screen.end()
  }
}

function lastLine({ lastFrame }: JobState, { style }: JobView): string[] {
  if (!lastFrame) return []
  const { frame, farm, path } = lastFrame
  return [`  ${'last'.padEnd(NAME_WIDTH)} ${style.dim(`frame ${frame} by ${farm}: ${path}`)}`]
}

const NAME_WIDTH = 12
const BAR_WIDTH = 32

/** One line a farm and one for the job: what is accepted (full), under work (half), the rate, the time left with its band, what it earns or costs so far. */
export function liveBlock(state: JobState, view: JobView): string[] {
  const { style, money } = view
  const unit = state.partsPerFrame === undefined ? 'frames' : 'tiles'
  const farms = Object.entries(state.farms).map(([farm, counts]) => {
    const total = Math.max(1, counts.leased)
    const cells = bar(counts.accepted / total, counts.quarantined ? 0 : 1 - counts.accepted / total, BAR_WIDTH)
    const { working } = counts
    const now =
      working === undefined
        ? ''
        : `, frame ${working.frame}${working.fraction === undefined ? '' : ` at ${Math.floor(100 * working.fraction)} %`}`
    const refused = counts.refused > 0 ? style.red(`, ${counts.refused} refused`) : ''
    const quarantined = counts.quarantined ? style.red(', no more of this job') : ''
    const done = `${counts.accepted} of ${counts.leased} ${unit}${perHour(counts.framesPerHour)}`
    const cost = style.dim(`  ${money(counts.spent)}`)
    return `  ${farm.padEnd(NAME_WIDTH)} ${style.cyan(cells)}        ${done}${leftOf(counts.leftMs)}${style.dim(now)}${refused}${quarantined}${cost}`
  })
  const done = state.framesAccepted / Math.max(1, state.framesTotal)
  const left = state.phase === 'running' ? leftOf(state.leftMs) : ''
  const word = state.blocked ? style.yellow(`blocked: ${state.blocked}, `) : state.wanted === 'run' ? '' : `${state.wanted}, `
  const spent = `${word}${state.phase === 'running' ? '' : `${state.phase}, `}${money(state.money.spent)} spent`
  const percent = `${Math.floor(state.percent)} %`.padStart(6)
  return [
    ...farms,
    `  ${style.bold('job'.padEnd(NAME_WIDTH))} ${style.green(bar(done, state.percent / 100 - done, BAR_WIDTH))} ${percent} ${state.framesAccepted} of ${state.framesTotal} ${unit}${perHour(state.framesPerHour)}${left}  ${style.dim(spent)}`,
  ]
}

const leftOf = (left: JobState['leftMs']): string =>
  left === undefined || left.high === 0 ? '' : `, ${duration(left.low)} to ${duration(left.high)} left`

const perHour = (rate: number | undefined): string =>
  rate === undefined ? '' : `, ${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/h`

/** The line an event leaves behind; nothing for events that the bars show. */
export function eventLine(event: JobEvent, { style, money, name }: JobView): string | undefined {
  switch (event.type) {
    case 'money-locked':
      return `${style.bold('locked')}    ${money(event.amount)} for job ${event.job.slice(0, 10)}…`
    case 'job-ready':
      return `${style.bold('ready')}     checkers hold the scene and agree with lease set ${event.seq}`
    case 'task-start':
      return `${style.dim(`lease ${String(event.task).padStart(3)}`)} frames ${event.frames} to ${event.farm} for ${money(event.price)}${event.reason === 'plan' ? '' : style.yellow(` (${event.reason})`)}`
    case 'task-end':
      return event.outcome === 'committed'
        ? undefined
        : style.yellow(`lease ${event.task} at ${event.farm} ${event.outcome}${event.message ? `: ${event.message}` : ''}`)
    case 'frame-verdict':
      return verdictLine(event, style)
    case 'farm-quarantined':
      return style.red(`${event.farm} gets no more frames of this job: ${event.reason}`)
    case 'batch-attested':
      return `${style.bold('attested')}  batch ${event.batch}: leases ${formatFrames(event.leases)}${event.gas === undefined ? '' : style.dim(` (${event.gas} gas)`)}`
    case 'payment-end':
      return `${style.bold('paid')}      ${event.paid.map((entry) => `${money(entry.amount)} to ${name(entry.account)}`).join(', ') || 'nobody'}${event.refunded > 0n ? `; ${money(event.refunded)} back to the creator` : ''}`
    case 'refund-end':
      return `${style.bold('refunded')}  ${money(event.amount)} to the creator`
    case 'ticket-open':
      return style.yellow(`ticket ${event.ticket} at ${event.farm}: ${event.title} (answer it with \`pictor tickets\`)`)
    case 'job-blocked':
      return style.yellow(`blocked: ${event.reason}`)
    case 'job-end':
      return event.outcome === 'done'
        ? style.green(`done: ${event.framesDelivered} frames delivered`)
        : style.red(
            `${event.outcome}: ${event.framesDelivered} frames delivered, missing ${formatFrames(event.framesMissing) || 'none'}${event.message ? ` (${event.message})` : ''}`,
          )
    default:
      return undefined
  }
}

function verdictLine(event: Extract<JobEvent, { type: 'frame-verdict' }>, style: Style): string | undefined {
  if (event.verdict === 'accept') return undefined
  const findings = event.reports.flatMap((report) => report.findings.map((finding) => finding.message))
  const reason = findings[0] ?? 'checkers did not agree'
  return `${event.verdict === 'refuse' ? style.red('refused') : style.yellow('unsure')}   frame ${event.frame} by ${event.farm}: ${reason}`
}

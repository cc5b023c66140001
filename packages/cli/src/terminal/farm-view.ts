import type { FarmCapabilities, FarmHealth, FarmInfo, ListedPrice } from '@pictor/core'
import { duration, type Style } from './style.ts'
import { table } from './table.ts'

/** Why a farm was left out of a job. */
export interface PastTrouble {
  readonly run: string
  readonly job: string
  readonly startedAtMs: number
  readonly reason: string
}

/** What `pictor farms` found out about one farm; also its `--json` object. */
export type FarmReport = { readonly id: string; readonly troubles: readonly PastTrouble[]; readonly health?: FarmHealth } & (
  | ({ readonly reach: 'ok'; readonly reachMs: number } & FarmInfo)
  | { readonly reach: 'failed'; readonly code?: string; readonly message: string }
)

const WORDS: Readonly<Record<keyof FarmCapabilities, string>> = {
  cancelQueued: 'cancel before the start',
  cancelRunning: 'cancel while rendering',
  hold: 'pause',
  priority: 'priority',
  tiles: 'tiles',
  samples: 'sample ranges',
  windows: 'regions',
  partialOutputs: 'frames as they finish',
  resumeDownload: 'resumed downloads',
  bindingQuote: 'binding quotes',
}
/** A price older than this warns. */
const STALE_DAYS = 90
const TRUST = { A: "farm's own page", B: 'third party', C: 'pages that disagree', own: 'your figure' } as const
const TROUBLES_SHOWN = 3

/** One farm as a block of lines: who speaks for it, what it can do, what it costs and how far that figure can be trusted, what went wrong. */
export function farmLines(report: FarmReport, nowMs: number, style: Style): string[] {
  const troubles = report.troubles
    .slice(0, TROUBLES_SHOWN)
    .map(({ job, startedAtMs, reason }) => style.yellow(`${dayOf(startedAtMs)} ${job}: ${reason}`))
  if (report.reach === 'failed')
    return [
      `${style.red('✕')} ${style.bold(report.id)}  ${style.red('no answer')}`,
      ...rows('error', [`${report.code ? `[${report.code}] ` : ''}${report.message}`], style),
      ...rows('standing', standing(report.health, nowMs, style), style),
      ...rows('troubles', troubles, style),
      '',
    ]
  const { id, name, lane, verification, reachMs, adapter, software, slots, capabilities } = report
  const verified = {
    live: style.green('verified live'),
    'contract-simulated': style.yellow('verified against a simulation only'),
    none: style.yellow('not verified'),
  }
  const speaks = adapter ? `${adapter.name} ${adapter.version}, ` : ''
  const title = name === id ? '' : ` ${style.dim(name)}`
  return [
    `${style.green('●')} ${style.bold(id)}${title}  ${lane} lane, answered in ${duration(reachMs)}, ${verified[verification]}`,
    ...rows('adapter', [`${speaks}contract ${report.contract}`], style),
    ...rows(
      'software',
      software.map((build) => `${build.name} ${build.version} (${[...build.engines, ...build.devices].join(', ')})`),
      style,
    ),
    ...rows('slots', slots === undefined ? [] : [String(slots)], style),
    ...abilities(capabilities, style),
    ...rows('prices', priceLines(report.priceBook, nowMs, style), style),
    ...rows('standing', standing(report.health, nowMs, style), style),
    ...rows('troubles', troubles, style),
    '',
  ]
}

/** Where it stands over all jobs; nothing for a farm that is simply trusted. */
function standing(health: FarmHealth | undefined, nowMs: number, style: Style): string[] {
  if (!health) return []
  const { standing, reason, untilMs, downSinceMs } = health
  const lines: string[] = []
  if (standing === 'quarantined') lines.push(style.red(`quarantined for ${duration(untilMs! - nowMs)} more: ${reason}`))
  if (standing === 'probation') lines.push(style.yellow(`on probation, one lease at a time, after a quarantine: ${reason}`))
  if (downSinceMs !== undefined) lines.push(style.red(`silent for ${duration(nowMs - downSinceMs)}`))
  return lines
}

function abilities(capabilities: FarmCapabilities, style: Style): string[] {
  const named = (...how: string[]) =>
    Object.entries(capabilities).flatMap(([key, value]) =>
      how.includes(value) ? [WORDS[key as keyof FarmCapabilities] ?? key] : [],
    )
  const line = (head: string, list: readonly string[]) => rows(head, list.length === 0 ? [] : [list.join(', ')], style)
  return [...line('can', named('native', 'emulated')), ...line('by hand', named('manual')), ...line('cannot', named('none'))]
}

function priceLines(book: FarmInfo['priceBook'], nowMs: number, style: Style): string[] {
  if (!book) return ['by quote only']
  const { prices = [] } = book
  if (prices.length === 0) return [`${book.source}, ${book.asOf || 'no date'} (${book.kind})`]
  const head = ['tier', 'unit', '>rate', '>hosts', 'as of', 'trust', 'source']
  return table(
    head,
    prices.map((price) => priceRow(price, nowMs, style)),
  )
    .split('\n')
    .map((line, i) => (i < 2 ? style.dim(line.slice(2)) : line.slice(2)))
}

function priceRow(price: ListedPrice, nowMs: number, style: Style): string[] {
  const { tier, device, unit, rate, currency, hosts, asOf, trust, source } = price
  const days = Math.floor((nowMs - Date.parse(asOf)) / 86_400_000)
  const age = days > STALE_DAYS ? style.yellow(`${asOf} (${days} days old)`) : asOf || 'no date'
  return [
    device ? `${tier} ${device}` : tier,
    unit,
    rate === undefined ? style.dim('not published') : `${rate} ${currency}`,
    hosts === undefined ? '' : String(hosts),
    age,
    TRUST[trust],
    source,
  ]
}

/** Lines under one head, which is printed once. */
function rows(head: string, lines: readonly string[], style: Style): string[] {
  return lines.map((line, i) => `    ${style.dim((i === 0 ? head : '').padEnd(10))}${line}`)
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}

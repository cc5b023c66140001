import {
  formatFrames,
  formatMoney,
  type Bytes32,
  type Checker,
  type JobEvent,
  type JobResult,
  type Plan,
  type ReceiptMaterial,
} from '@pictor/core'
import { duration } from '../terminal/style.ts'
import { table } from '../terminal/table.ts'
import type { CommandContext } from '../commands/context.ts'

/** Balances of the token after the job, by who holds them. */
export interface Balance {
  readonly name: string
  readonly amount: bigint
}

export interface SummaryInput {
  readonly plan: Plan
  readonly material: ReceiptMaterial
  readonly events: readonly JobEvent[]
  readonly result: JobResult
  readonly balances: readonly Balance[]
  /** All tokens there are. */
  readonly supply: bigint
  readonly elapsedMs: number
  /** Host time of all checkers: their own renders and comparisons. */
  readonly checkMs: number
}

/** The closing table: frames and verdicts a farm, planned against actual, gas, checking time, and where every unit of money is. */
export function summaryLines(input: SummaryInput, { style }: CommandContext): string[] {
  const { plan, result } = input
  const money = (amount: bigint) => formatMoney({ amount, currency: plan.cost.currency })
  const gas = gasOf(input.material)
  const sum = input.balances.reduce((total, balance) => total + balance.amount, 0n)
  return [
    '',
    style.bold('  What each farm did'),
    table(['farm', '>planned', '>rendered', '>accepted', '>refused', '>earned'], farmRows(input, money)),
    '',
    style.bold('  Planned and actual'),
    table(
      ['', '>planned', '>actual'],
      [
        [
          'frames',
          String(plan.frameCount),
          `${result.frames.length}${result.missing.length ? ` (missing ${formatFrames(result.missing)})` : ''}`,
        ],
        ['farms', money(plan.cost.amount), money(paidTo(input.events, 'farm'))],
        ['checks', money(plan.checkCost.amount), money(paidTo(input.events, 'checker'))],
        ['time', `${duration(plan.finishMs)} + checks`, duration(input.elapsedMs)],
      ],
    ),
    `  gas ${gas}, checkers took ${duration(input.checkMs)} (planned ${duration(plan.checkMs)} each) and probes ${duration(plan.estimate.probeMs)} of host time`,
    '',
    style.bold('  Where every unit of money is'),
    table(['', '>amount'], [...input.balances.map(({ name, amount }) => [name, money(amount)]), [style.bold('sum'), money(sum)]]),
    sum === input.supply
      ? style.green(`  adds up: ${money(input.supply)} were there before`)
      : style.red(`  DOES NOT ADD UP: ${money(input.supply)} were there before`),
  ]
}

/** Gas of every transaction that the job's record shows; several events of one transaction count once. */
export function gasOf(material: ReceiptMaterial): bigint {
  const byTransaction = new Map(material.ledgerEvents.map((event) => [event.tx ?? event.id, event.gas ?? 0n]))
  return [...byTransaction.values()].reduce((sum, gas) => sum + gas, 0n)
}

/** What checkers say they used for a job. */
export async function checkTime(checkers: readonly Checker[], job: Bytes32): Promise<number> {
  let total = 0
  for (const checker of checkers)
    for (let cursor: string | undefined; ;) {
      const page = await checker.poll({ job, ...(cursor === undefined ? {} : { cursor }) }, { key: 'demo/check-time' })
      for (const event of page.events) if (event.type === 'checked') total += event.cpuMs
      if (page.events.length === 0 || page.cursor === cursor) break
      cursor = page.cursor
    }
  return total
}

function farmRows(input: SummaryInput, money: (amount: bigint) => string): string[][] {
  const farms = [
    ...new Set([...input.plan.routes.map((route) => route.farm), ...input.material.leases.map((lease) => lease.farm)]),
  ]
  return farms.map((farm) => {
    const planned = input.plan.routes.filter((route) => route.farm === farm).reduce((sum, route) => sum + route.frameCount, 0)
    const leases = new Set(input.material.leases.filter((lease) => lease.farm === farm).map((entry) => entry.lease.id))
    const records = input.material.batches.flatMap(({ batch }) =>
      batch.results.filter(({ lease }) => leases.has(lease.id)).flatMap((entry) => entry.records),
    )
    const rendered = input.events.filter((event) => event.type === 'frame-rendered' && event.farm === farm).length
    const payee = input.plan.parties[farm]?.payTo
    const earned = input.events
      .filter((event) => event.type === 'payment-end')
      .flatMap((event) => event.paid)
      .filter((entry) => entry.role === 'farm' && entry.account.toLowerCase() === payee?.toLowerCase())
      .reduce((sum, entry) => sum + entry.amount, 0n)
    const count = (verdict: string) => String(records.filter((record) => record.verdict === verdict).length)
    return [farm, String(planned), String(rendered), count('accept'), count('refuse'), money(earned)]
  })
}

function paidTo(events: readonly JobEvent[], role: string): bigint {
  return events
    .filter((event) => event.type === 'payment-end')
    .flatMap((event) => event.paid)
    .filter((entry) => entry.role === role)
    .reduce((sum, entry) => sum + entry.amount, 0n)
}

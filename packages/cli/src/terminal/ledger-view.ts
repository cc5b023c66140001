import { formatMoney, type LedgerEvent } from '@pictor/core/contract'
import type { Style } from './style.ts'

const WORD_WIDTH = 16
const short = (hex: string): string => `${hex.slice(0, 8)}…`
const time = (atMs: number): string => new Date(atMs).toISOString().replace('T', ' ').slice(0, 19)
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** One entry of a job's record for a person: when, what, how much, and whether it can still be taken back. */
export function entryLine(event: LedgerEvent, currency: string, style: Style): string {
  const money = (amount: bigint): string => formatMoney({ amount, currency })
  const status = event.status === 'final' ? '' : style.yellow(` ${event.status}`)
  const gas = event.gas === undefined ? '' : style.dim(`  ${event.gas} gas`)
  return `  ${style.dim(time(event.atMs))}  ${event.type.padEnd(WORD_WIDTH)} ${about(event, money)}${status}${gas}`
}

function about(event: LedgerEvent, money: (amount: bigint) => string): string {
  switch (event.type) {
    case 'opened':
      return `by ${short(event.creator)}: ${money(event.farmBudget)} for farms, ${money(event.checkBudget)} for checks`
    case 'drawn':
      return `the registry drew ${plural(event.committee.length, 'checker')}: ${event.committee.map(short).join(', ')}`
    case 'ready':
      return `lease set ${event.seq}${event.checker ? `, checker ${short(event.checker)}` : ''}`
    case 'attested': {
      const refused = event.records?.filter(({ verdict }) => verdict === 'refuse').length ?? 0
      const frames = event.records
        ? `, ${plural(event.records.length, 'frame')}${refused > 0 ? ` (${refused} refused)` : ''}`
        : ''
      return `batch ${event.batch}: leases ${event.leases.join(', ')}${frames}, ${money(event.reserved)} reserved until ${time(event.releaseAtS * 1000)}`
    }
    case 'claimed':
      return `batch ${event.batch}: farm ${short(event.farm)} claims ${money(event.price)} for lease ${event.lease}`
    case 'disputed':
      return `batch ${event.batch}: the share of farm ${short(event.farm)}`
    case 'resolved': {
      const silent = event.acceptedPerMille > 1000
      return `batch ${event.batch}: farm ${short(event.farm)} ${silent ? 'as the quorum said, the arbiter was silent' : `is due ${event.acceptedPerMille / 10} %`}`
    }
    case 'released': {
      const lines = event.paid.map(({ account, role, amount }) => `${money(amount)} to ${role} ${short(account)}`)
      const back = event.refunded > 0n ? [`${money(event.refunded)} back`] : []
      return `batch ${event.batch}: ${[...lines, ...back].join(', ') || 'nothing'}`
    }
    case 'finalized':
      return `${money(event.keep)} kept for what is attested, ${money(event.refunded)} back`
    case 'refunded':
      return `${money(event.amount)} back`
    case 'topped-up':
      return `${money(event.farmBudget)} for farms, ${money(event.checkBudget)} for checks`
    case 'lease-key-replaced':
      return `leases are signed by ${short(event.leaseKey)} from now on`
    case 'withdrawn':
      return `${money(event.amount)} to ${short(event.account)}`
    case 'refused':
      return event.reason
    case 'canceled':
      return 'no further leases'
  }
}

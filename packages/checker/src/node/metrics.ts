import type { CheckerEvent } from '@pictor/core/contract'

/** Counters of a checker's work in the Prometheus text format. */
export interface CheckerMetrics {
  /** Give it to `createChecker` as `onEvent`. */
  note(event: CheckerEvent): void
  text(): string
}

/** Counters from zero; what they count is listed in docs/guides/run-a-checker.md. */
export function checkerMetrics(): CheckerMetrics {
  const events = new Map<string, number>()
  const alarms = new Map<string, number>()
  const frames = new Map<string, number>()
  const leases = new Map<string, number>()
  let seconds = 0
  const bump = (map: Map<string, number>, labels: string): void => void map.set(labels, (map.get(labels) ?? 0) + 1)
  return {
    note(event) {
      bump(events, `type="${event.type}"`)
      if (event.type === 'alarm') bump(alarms, `action="${label(event.action)}",reason="${label(event.reason)}"`)
      if (event.type === 'lease-progress') bump(leases, `state="${event.state}"`)
      if (event.type === 'checked') seconds += event.cpuMs / 1_000
      if (event.type === 'votes')
        for (const vote of event.votes) bump(frames, `verdict="${vote.verdict}",compared="${vote.checked}"`)
    },
    text() {
      const lines: string[] = []
      const counters = { events, alarms, frames, lease_reports: leases }
      for (const [name, map] of Object.entries(counters)) {
        lines.push(`# TYPE pictor_checker_${name}_total counter`)
        for (const [labels, value] of map) lines.push(`pictor_checker_${name}_total{${labels}} ${value}`)
      }
      lines.push('# TYPE pictor_checker_check_seconds_total counter', `pictor_checker_check_seconds_total ${seconds}`)
      return `${lines.join('\n')}\n`
    },
  }
}

const label = (text: string): string => text.replaceAll(/[^\w .:-]/g, '_').slice(0, 64)

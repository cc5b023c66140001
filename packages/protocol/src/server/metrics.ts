/** Counters of a served farm, in the Prometheus text format. */
export interface Metrics {
  count(operation: string, status: number, seconds: number): void
  add(name: 'upload_bytes' | 'download_bytes' | 'hints', amount: number): void
  streams(change: 1 | -1): void
  text(): string
}

/** Counters from zero. Both times in milliseconds. */
export function metricsOf(startedAtMs: number, now: () => number): Metrics {
  const requests = new Map<string, number>()
  const seconds = new Map<string, number>()
  const totals = { upload_bytes: 0, download_bytes: 0, hints: 0 }
  let open = 0
  const bump = (map: Map<string, number>, key: string, by: number) => map.set(key, (map.get(key) ?? 0) + by)
  return {
    count(operation, status, took) {
      bump(requests, `operation="${operation}",status="${status}"`, 1)
      bump(seconds, `operation="${operation}"`, took)
    },
    add(name, amount) {
      totals[name] += amount
    },
    streams(change) {
      open += change
    },
    text() {
      const lines = ['# TYPE pictor_farm_requests_total counter']
      for (const [labels, value] of requests) lines.push(`pictor_farm_requests_total{${labels}} ${value}`)
      lines.push('# TYPE pictor_farm_request_seconds_total counter')
      for (const [labels, value] of seconds) lines.push(`pictor_farm_request_seconds_total{${labels}} ${value}`)
      for (const [name, value] of Object.entries(totals))
        lines.push(`# TYPE pictor_farm_${name}_total counter`, `pictor_farm_${name}_total ${value}`)
      lines.push('# TYPE pictor_farm_open_streams gauge', `pictor_farm_open_streams ${open}`)
      lines.push('# TYPE pictor_farm_uptime_seconds gauge', `pictor_farm_uptime_seconds ${(now() - startedAtMs) / 1_000}`)
      return `${lines.join('\n')}\n`
    },
  }
}

/** Counters of a server, in the Prometheus text format. */
export interface Metrics {
  count(operation: string, status: number, seconds: number): void
  add(name: 'upload_bytes' | 'download_bytes' | 'hints', amount: number): void
  streams(change: 1 | -1): void
  text(): string
}

/** Counters from zero, named `pictor_SUBJECT_...`. Both times in milliseconds. */
export function metricsOf(subject: string, startedAtMs: number, now: () => number): Metrics {
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
      const lines = [`# TYPE pictor_${subject}_requests_total counter`]
      for (const [labels, value] of requests) lines.push(`pictor_${subject}_requests_total{${labels}} ${value}`)
      lines.push(`# TYPE pictor_${subject}_request_seconds_total counter`)
      for (const [labels, value] of seconds) lines.push(`pictor_${subject}_request_seconds_total{${labels}} ${value}`)
      for (const [name, value] of Object.entries(totals))
        lines.push(`# TYPE pictor_${subject}_${name}_total counter`, `pictor_${subject}_${name}_total ${value}`)
      lines.push(`# TYPE pictor_${subject}_open_streams gauge`, `pictor_${subject}_open_streams ${open}`)
      lines.push(
        `# TYPE pictor_${subject}_uptime_seconds gauge`,
        `pictor_${subject}_uptime_seconds ${(now() - startedAtMs) / 1_000}`,
      )
      return `${lines.join('\n')}\n`
    },
  }
}

const GPU_GAUGES = {
  utilizationPct: 'utilization_percent',
  memoryUsedMiB: 'memory_used_mebibytes',
  memoryMiB: 'memory_mebibytes',
  temperatureC: 'temperature_celsius',
} as const

/** Gauges of `FarmInfo.ext.gpus`, as the self-hosted farm tells them: one line a GPU and figure that its driver's tool knows. Anything else gives no line. */
export function gpuText(gpus: unknown): string {
  if (!Array.isArray(gpus)) return ''
  return Object.entries(GPU_GAUGES)
    .map(([field, name]) => {
      const lines = (gpus as Record<string, unknown>[]).flatMap((gpu) => {
        const value = gpu?.[field]
        const label = (text: unknown): string => JSON.stringify(typeof text === 'string' ? text : '')
        return typeof value === 'number'
          ? [`pictor_gpu_${name}{name=${label(gpu['name'])},bus=${label(gpu['bus'])}} ${value}\n`]
          : []
      })
      return lines.length > 0 ? `# TYPE pictor_gpu_${name} gauge\n${lines.join('')}` : ''
    })
    .join('')
}

/** Gauges of `FarmInfo.ext.tasks`, as the self-hosted farm tells them: how many tasks render and how many wait. */
export function taskText(tasks: unknown): string {
  const states = Object.entries((tasks ?? {}) as Record<string, unknown>).filter(
    ([state, count]) => /^[a-z]+$/.test(state) && Number.isInteger(count),
  )
  const lines = states.map(([state, count]) => `pictor_farm_tasks{state="${state}"} ${String(count)}\n`)
  return lines.length > 0 ? `# TYPE pictor_farm_tasks gauge\n${lines.join('')}` : ''
}

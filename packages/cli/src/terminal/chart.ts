import type { PlanPoint } from '@pictor/core'
import { duration } from './style.ts'

const WIDTH = 60
const HEIGHT = 12

/** The frontier as a chart of characters: cost upwards, finish time to the right. `●` a plan, `·` its certified bound. */
export function chartLines(points: readonly PlanPoint[], currency: string): string[] {
  if (points.length < 2) return []
  const costs = points.flatMap((point) => [point.cost, point.boundCost])
  const times = points.map((point) => point.finishMs)
  const [c0, c1, t0, t1] = [Math.min(...costs), Math.max(...costs), Math.min(...times), Math.max(...times)]
  const cells = Array.from({ length: HEIGHT }, () => Array.from({ length: WIDTH }, () => ' '))
  const put = (ms: number, cost: number, mark: string) => {
    const column = Math.round(((ms - t0) / Math.max(1, t1 - t0)) * (WIDTH - 1))
    const row = HEIGHT - 1 - Math.round(((cost - c0) / Math.max(1e-12, c1 - c0)) * (HEIGHT - 1))
    cells[row]![column] = mark
  }
  for (const point of points) put(point.finishMs, point.boundCost, '·')
  for (const point of points) put(point.finishMs, point.cost, '●')
  const label = (row: number) =>
    (row % 4 === 0 || row === HEIGHT - 1 ? (c1 - ((c1 - c0) * row) / (HEIGHT - 1)).toPrecision(3) : '').padStart(8)
  return [
    `  ${currency.padStart(8)}`,
    ...cells.map((row, i) => `  ${label(i)} │${row.join('').trimEnd()}`),
    `  ${' '.repeat(8)} └${'─'.repeat(WIDTH)}`,
    `  ${' '.repeat(9)} ${duration(t0)}${' '.repeat(Math.max(1, WIDTH - duration(t0).length - duration(t1).length))}${duration(t1)}`,
  ]
}

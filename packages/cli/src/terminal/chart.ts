import type { PlanPoint } from '@pictor/core'
import { amountAxis, amountLabel, durationAxis, shortDuration } from '../pictures/axis.ts'

const WIDTH = 60
const HEIGHT = 12

/** The frontier as a chart of characters: cost upwards, finish time to the right (logarithmic). `●` a plan, `·` its certified bound. */
export function chartLines(points: readonly PlanPoint[], currency: string): string[] {
  if (points.length < 2) return []
  const times = durationAxis(
    points.map((point) => point.finishMs),
    6,
  )
  const costs = amountAxis(
    points.flatMap((point) => [point.cost, point.boundCost]),
    4,
  )
  const column = (ms: number) => Math.round(times.at(ms) * (WIDTH - 1))
  const row = (cost: number) => HEIGHT - Math.round(costs.at(cost) * HEIGHT)
  const cells = Array.from({ length: HEIGHT + 1 }, () => Array.from({ length: WIDTH }, () => ' '))
  for (const point of points) cells[row(point.boundCost)]![column(point.finishMs)] = '·'
  for (const point of points) cells[row(point.cost)]![column(point.finishMs)] = '●'
  const labels = new Map(costs.ticks.map((cost) => [row(cost), amountLabel(cost, costs)]))
  return [
    `  ${currency.padStart(8)}   ● plan   · no plan costs less (proven)`,
    ...cells.map((line, i) => `  ${(labels.get(i) ?? '').padStart(8)} ${labels.has(i) ? '┤' : '│'}${line.join('').trimEnd()}`),
    `  ${' '.repeat(8)} └${'─'.repeat(WIDTH)}`,
    `  ${' '.repeat(10)}${timeLabels(times.ticks.map((ms) => ({ at: column(ms), text: shortDuration(ms) })))}`,
  ]
}

/** Labels below their columns; one that would touch the one before it is left out. */
function timeLabels(labels: readonly { readonly at: number; readonly text: string }[]): string {
  let out = ''
  for (const { at, text } of labels) {
    const start = Math.max(0, at - Math.floor(text.length / 2))
    if (out.length > 0 && start <= out.length) continue
    out = out.padEnd(start) + text
  }
  return out
}

import { amountAxis, amountLabel, durationAxis, shortDuration } from './axis.ts'
import { PALETTE, line, svg, text } from './svg.ts'

/** One plan of the frontier. `boundCost` is the certified least cost for the same finish time. */
export interface FrontierPoint {
  readonly finishMs: number
  readonly cost: number
  readonly boundCost?: number
  readonly label?: string
}

const WIDTH = 900
const HEIGHT = 480
const BOX = { left: 90, right: WIDTH - 30, top: 76, bottom: HEIGHT - 60 }

/** Cost against finish time of the plans to choose from, with the certified bound below and the chosen plan marked. Costs in whole currency units. */
export function frontierChart(
  points: readonly FrontierPoint[],
  options: { readonly title: string; readonly currency: string; readonly chosen?: number },
): string {
  const times = durationAxis(
    points.map((point) => point.finishMs),
    9,
  )
  const costs = amountAxis(
    points.flatMap((point) => [point.cost, point.boundCost ?? point.cost]),
    6,
  )
  const x = (ms: number) => BOX.left + times.at(ms) * (BOX.right - BOX.left)
  const y = (cost: number) => BOX.bottom - costs.at(cost) * (BOX.bottom - BOX.top)
  const sorted = [...points].sort((a, b) => a.finishMs - b.finishMs)
  const content = [
    text(BOX.left, 34, options.title, { size: 18, bold: true }),
    text(BOX.left - 8, BOX.top - 18, options.currency, { size: 12, color: PALETTE.dim, anchor: 'end' }),
    text(BOX.right, HEIGHT - 16, 'finished after', { size: 12, color: PALETTE.dim, anchor: 'end' }),
    ...legend(),
  ]
  for (const cost of costs.ticks) {
    content.push(
      line(BOX.left, y(cost), BOX.right, y(cost)),
      text(BOX.left - 8, y(cost) + 4, amountLabel(cost, costs), { size: 12, color: PALETTE.dim, anchor: 'end' }),
    )
  }
  for (const time of times.ticks) {
    content.push(
      line(x(time), BOX.bottom, x(time), BOX.bottom + 5, PALETTE.dim),
      text(x(time), BOX.bottom + 20, shortDuration(time), { size: 12, color: PALETTE.dim, anchor: 'middle' }),
    )
  }
  const bounds = boundSteps(sorted.map((p) => [x(p.finishMs), y(p.boundCost ?? p.cost)]))
  const plans = planSteps(sorted.map((p) => [x(p.finishMs), y(p.cost)]))
  content.push(
    `<path d="${bounds}" fill="none" stroke="${PALETTE.dim}" stroke-dasharray="4 4"/>`,
    `<path d="${plans}" fill="none" stroke="${PALETTE.farms[0]}" stroke-width="2"/>`,
  )
  points.forEach((point, i) => {
    const chosen = i === options.chosen
    content.push(
      `<circle cx="${x(point.finishMs).toFixed(1)}" cy="${y(point.cost).toFixed(1)}" r="${chosen ? 8 : 4}" fill="${chosen ? PALETTE.accept : PALETTE.farms[0]}"/>`,
    )
    if (point.label) content.push(text(x(point.finishMs) + 10, y(point.cost) - 8, point.label, { size: 12 }))
  })
  return svg(WIDTH, HEIGHT, content)
}

/** Until the next plan is done, the last one is the cheapest there is: the frontier falls in steps. */
function planSteps(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => (i === 0 ? `M${x.toFixed(1)} ${y.toFixed(1)}` : `H${x.toFixed(1)}V${y.toFixed(1)}`)).join('')
}

/** A bound holds for everything that ends by its time, so it reaches back to the one before. */
function boundSteps(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => (i === 0 ? `M${x.toFixed(1)} ${y.toFixed(1)}` : `V${y.toFixed(1)}H${x.toFixed(1)}`)).join('')
}

function legend(): string[] {
  const y = 56
  const right = BOX.right - 260
  return [
    `<circle cx="${right}" cy="${y - 4}" r="4" fill="${PALETTE.farms[0]}"/>`,
    text(right + 10, y, 'plan', { size: 12, color: PALETTE.dim }),
    line(right + 60, y - 4, right + 90, y - 4, PALETTE.dim, 'stroke-dasharray="4 4"'),
    text(right + 98, y, 'no plan costs less (proven)', { size: 12, color: PALETTE.dim }),
  ]
}

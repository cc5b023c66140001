import { PALETTE, line, svg, text } from './svg.ts'

/** One plan of the frontier. `boundCost` is the certified least cost for the same finish time. */
export interface FrontierPoint {
  readonly finishMs: number
  readonly cost: number
  readonly boundCost?: number
  readonly label?: string
}

/** Cost against finish time of the plans to choose from, with the certified bound below and the chosen plan marked. Costs in whole currency units. */
export function frontierChart(
  points: readonly FrontierPoint[],
  options: { readonly title: string; readonly currency: string; readonly chosen?: number },
): string {
  const width = 900
  const height = 480
  const box = { left: 90, right: width - 30, top: 60, bottom: height - 60 }
  const finish = points.map((point) => point.finishMs)
  const costs = points.flatMap((point) => [point.cost, point.boundCost ?? point.cost])
  const [t0, t1] = padded(Math.min(...finish), Math.max(...finish))
  const [c0, c1] = padded(Math.min(...costs), Math.max(...costs))
  const x = (ms: number) => box.left + ((ms - t0) / (t1 - t0)) * (box.right - box.left)
  const y = (cost: number) => box.bottom - ((cost - c0) / (c1 - c0)) * (box.bottom - box.top)
  const path = (list: readonly (readonly [number, number])[]) =>
    list.map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`).join(' ')
  const sorted = [...points].sort((a, b) => a.finishMs - b.finishMs)
  const content = [text(box.left, 34, options.title, { size: 18, bold: true })]
  for (let i = 0; i <= 5; i++) {
    const cost = c0 + ((c1 - c0) * i) / 5
    const time = t0 + ((t1 - t0) * i) / 5
    content.push(
      line(box.left, y(cost), box.right, y(cost)),
      text(box.left - 8, y(cost) + 4, cost.toPrecision(3), { size: 12, color: PALETTE.dim, anchor: 'end' }),
    )
    content.push(text(x(time), box.bottom + 20, hours(time), { size: 12, color: PALETTE.dim, anchor: 'middle' }))
  }
  content.push(
    text(box.left - 8, 54, options.currency, { size: 12, color: PALETTE.dim, anchor: 'end' }),
    text(box.right, height - 16, 'finished after', { size: 12, color: PALETTE.dim, anchor: 'end' }),
  )
  content.push(
    `<path d="${path(sorted.map((p) => [x(p.finishMs), y(p.boundCost ?? p.cost)]))}" fill="none" stroke="${PALETTE.dim}" stroke-dasharray="4 4"/>`,
  )
  content.push(
    `<path d="${path(sorted.map((p) => [x(p.finishMs), y(p.cost)]))}" fill="none" stroke="${PALETTE.farms[0]}" stroke-width="2"/>`,
  )
  points.forEach((point, i) => {
    const chosen = i === options.chosen
    content.push(
      `<circle cx="${x(point.finishMs).toFixed(1)}" cy="${y(point.cost).toFixed(1)}" r="${chosen ? 8 : 4}" fill="${chosen ? PALETTE.accept : PALETTE.farms[0]}"/>`,
    )
    if (point.label) content.push(text(x(point.finishMs) + 10, y(point.cost) - 8, point.label, { size: 12 }))
  })
  return svg(width, height, content)
}

function padded(low: number, high: number): [number, number] {
  const pad = Math.max((high - low) * 0.08, Math.abs(high) * 0.01, 1e-9)
  return [Math.max(0, low - pad), high + pad]
}

function hours(ms: number): string {
  return ms < 120_000
    ? `${(ms / 1000).toFixed(0)} s`
    : ms < 7_200_000
      ? `${(ms / 60_000).toFixed(1)} min`
      : `${(ms / 3_600_000).toFixed(1)} h`
}

import { describe, expect, it } from 'vitest'
import { amountAxis, amountLabel, durationAxis, shortDuration } from '../src/pictures/axis.ts'
import { frontierChart } from '../src/pictures/frontier-chart.ts'
import { chartLines } from '../src/terminal/chart.ts'

const MINUTE = 60_000

describe('the axes of the frontier', () => {
  it('are labelled with round amounts that enclose all values', () => {
    const axis = amountAxis([3.87, 14.5], 6)
    expect(axis.ticks.map((tick) => amountLabel(tick, axis))).toEqual(['2', '4', '6', '8', '10', '12', '14', '16'])
    expect(axis.at(2)).toBe(0)
    expect(axis.at(16)).toBe(1)
    const cents = amountAxis([0.0118, 0.012], 4)
    expect(cents.ticks.map((tick) => amountLabel(tick, cents))).toContain('0.0119')
  })

  it('are labelled with durations that people say', () => {
    const { ticks, at } = durationAxis([19 * MINUTE, 261 * MINUTE], 9)
    expect(ticks.map(shortDuration)).toEqual(['20 min', '30 min', '45 min', '1 h', '1.5 h', '2 h', '3 h', '4 h'])
    for (const tick of ticks) expect(at(tick)).toBeGreaterThanOrEqual(0)
    expect([90_000, 1440 * MINUTE].map(shortDuration)).toEqual(['90 s', '1 d'])
  })

  it('hold when there is no spread at all', () => {
    expect(amountAxis([0, 0], 4).at(0)).toBeGreaterThanOrEqual(0)
    expect(durationAxis([0, 0], 4).at(0)).toBeGreaterThanOrEqual(0)
  })
})

const points = [
  { finishMs: 20 * MINUTE, cost: 14, boundCost: 13.5 },
  { finishMs: 60 * MINUTE, cost: 6, boundCost: 6 },
  { finishMs: 240 * MINUTE, cost: 4, boundCost: 3.9 },
]

it('the terminal chart shows every plan, faster ones to the left, dearer ones above', () => {
  const lines = chartLines(points as unknown as Parameters<typeof chartLines>[0], 'USD')
  const marks = lines.slice(1).flatMap((line, row) => [...line.matchAll(/●/g)].map((match) => ({ row, column: match.index })))
  expect(marks).toHaveLength(3)
  expect(marks.map(({ column }) => column)).toEqual(marks.map(({ column }) => column).toSorted((a, b) => a - b))
})

it('the picture shows every plan and no number that is none', () => {
  const picture = frontierChart(points, { title: 'a <scene>', currency: 'USD', chosen: 1 })
  expect(picture.match(/<circle/g)).toHaveLength(points.length + 1)
  expect(picture).not.toMatch(/NaN|Infinity|<scene>/)
})

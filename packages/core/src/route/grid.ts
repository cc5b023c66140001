import { type OfferTables } from './tables.ts'
import type { Units } from './units.ts'

/**
 * A coarse stand-in for all frames. Each class is cut into intervals of work; every frame is replaced by two fractional frames at
 * the ends of its interval with the same count and the same work. Node-hours are linear in work, so every plan of the real frames is
 * a fluid plan of the points with the same hours and frame counts on every offer: a bound for the points is a bound for the frames.
 */
export interface Grid {
  readonly size: number
  readonly cls: Uint16Array
  /** Work of one frame at the point. */
  readonly work: Float64Array
  /** Fractional number of frames. */
  readonly count: Float64Array
  /** Units from `from` to `middle` are partly at the point as their upper end, units from `middle` to `to` as their lower end. */
  readonly from: Int32Array
  readonly middle: Int32Array
  readonly to: Int32Array
  /** Running sums over the units of the frames at their upper and at their lower end. */
  readonly upperSum: Float64Array
  readonly lowerSum: Float64Array
  /** Point below each unit and the share of the unit at the point above it (the next one). */
  readonly below: Int32Array
  readonly upperShare: Float64Array
}

interface Span {
  readonly from: number
  readonly to: number
  readonly low: number
  readonly high: number
  readonly error: number
}

/** Offers differ in the ratio of fixed to proportional hours of a frame by about this much. */
const SPREAD_WEIGHT = 0.1
/** Share by which a frame gets dearer when an offer cannot finish it in time. */
const LIMIT_WEIGHT = 0.3

/** Running sums over the units, and how many offers cannot finish a unit in time. */
interface Mass {
  readonly units: Units
  readonly frames: Float64Array
  readonly work: Float64Array
  /** Units (as first unit beyond the limit) where the frames of a class become too long for some offer, rising, with repeats. */
  readonly limits: readonly number[]
  readonly offers: number
}

/** Builds the grid for a deadline: intervals are split where the stand-in differs most from the frames. */
export function coarseGrid(units: Units, tables: OfferTables, deadlineH: number, points: number): Grid {
  const mass = massOf(units, tables, deadlineH)
  const spans: Span[][] = []
  for (let u = 0; u < units.size;) {
    let end = u
    while (end < units.size && units.cls[end] === units.cls[u]) end++
    spans.push([spanOf(mass, u, end, units.least[u] as number)])
    u = end
  }
  let used = spans.reduce((sum, list) => sum + 1 + list.length, 0)
  while (used < points) {
    let worst: Span | undefined
    let home: Span[] | undefined
    for (const list of spans) {
      for (const span of list) {
        if (span.to - span.from > 1 && span.error > 0 && (worst === undefined || span.error > worst.error)) {
          worst = span
          home = list
        }
      }
    }
    if (worst === undefined || home === undefined) break
    home.splice(home.indexOf(worst), 1, ...splitSpan(mass, worst))
    used++
  }
  return gridOf(units, spans)
}

function massOf(units: Units, tables: OfferTables, deadlineH: number): Mass {
  const frames = new Float64Array(units.size + 1)
  const work = new Float64Array(units.size + 1)
  for (let u = 0; u < units.size; u++) {
    frames[u + 1] = (frames[u] as number) + (units.count[u] as number)
    work[u + 1] = (work[u] as number) + (units.work[u] as number)
  }
  const limits: number[] = []
  for (let start = 0; start < units.size;) {
    const cls = units.cls[start] as number
    let end = start
    while (end < units.size && units.cls[end] === cls) end++
    for (let o = 0; o < tables.offers; o++) {
      const rate = tables.hoursPerWork[o * tables.classes + cls] as number
      const nodeH = deadlineH - (tables.overheadH[o] as number)
      if (rate === 0 || nodeH <= 0) continue
      const most = (nodeH - (tables.perFrameH[o] as number)) / rate
      if (most < (units.least[start] as number) || most >= (units.greatest[end - 1] as number)) continue
      limits.push(firstAbove(units.least, start, end, most))
    }
    start = end
  }
  return { units, frames, work, limits: limits.sort((a, b) => a - b), offers: tables.offers }
}

/** First of the rising values in [from, to) above `value`. */
export function firstAbove(least: Float64Array, from: number, to: number, value: number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >> 1
    if ((least[middle] as number) <= value) low = middle + 1
    else high = middle
  }
  return low
}

/** How far the end points misjudge the frames between them: by spreading their work, and by hiding that some are too long. */
function spanOf(mass: Mass, from: number, to: number, low: number): Span {
  const { units } = mass
  const high = units.greatest[to - 1] as number
  let spread = 0
  for (let u = from; u < to; u++) {
    const n = units.count[u] as number
    const mean = (units.work[u] as number) / n
    spread += n * Math.max(0, (mean - low) * (high - mean))
  }
  const work = (mass.work[to] as number) - (mass.work[from] as number)
  const frames = (mass.frames[to] as number) - (mass.frames[from] as number)
  let hidden = 0
  for (const limit of mass.limits)
    if (limit > from && limit < to) hidden += (mass.work[to] as number) - (mass.work[limit] as number)
  return {
    from,
    to,
    low,
    high,
    error: (work > 0 ? (SPREAD_WEIGHT * spread * frames) / work : 0) + (LIMIT_WEIGHT * hidden) / mass.offers,
  }
}

function splitSpan(mass: Mass, span: Span): Span[] {
  const { units } = mass
  const middle = (span.low + span.high) / 2
  let half = span.from + 1
  while (half + 1 < span.to && (units.greatest[half] as number) <= middle) half++
  const inside = mass.limits.filter((limit) => limit > span.from && limit < span.to)
  const candidates = new Set([half, (span.from + span.to) >> 1, span.from + 1, span.to - 1])
  for (let k = 1; k <= 4 && inside.length > 0; k++) candidates.add(inside[Math.floor((inside.length * (k - 0.5)) / 4)] as number)
  let best: Span[] = []
  let bestError = Infinity
  for (const cut of candidates) {
    if (cut <= span.from || cut >= span.to) continue
    const parts = [spanOf(mass, span.from, cut, span.low), spanOf(mass, cut, span.to, units.greatest[cut - 1] as number)]
    const error = (parts[0] as Span).error + (parts[1] as Span).error
    if (error < bestError) {
      bestError = error
      best = parts
    }
  }
  return best
}

/** Frames at a point that belong to units before `limit`: what an offer can take when longer frames are too long for it. */
export function framesBefore(grid: Grid, point: number, limit: number): number {
  const from = grid.from[point] as number
  const middle = grid.middle[point] as number
  const upperEnd = Math.min(middle, Math.max(from, limit))
  const lowerEnd = Math.min(grid.to[point] as number, Math.max(middle, limit))
  return (
    (grid.upperSum[upperEnd] as number) -
    (grid.upperSum[from] as number) +
    (grid.lowerSum[lowerEnd] as number) -
    (grid.lowerSum[middle] as number)
  )
}

function gridOf(units: Units, spans: Span[][]): Grid {
  const size = spans.reduce((sum, list) => sum + list.length + 1, 0)
  const grid = {
    size,
    cls: new Uint16Array(size),
    work: new Float64Array(size),
    count: new Float64Array(size),
    from: new Int32Array(size),
    middle: new Int32Array(size),
    to: new Int32Array(size),
    upperSum: new Float64Array(units.size + 1),
    lowerSum: new Float64Array(units.size + 1),
    below: new Int32Array(units.size),
    upperShare: new Float64Array(units.size),
  }
  let point = 0
  for (const list of spans) {
    for (const [i, span] of list.entries()) {
      if (i === 0) {
        grid.cls[point] = units.cls[span.from] as number
        grid.work[point] = span.low
        grid.from[point] = span.from
      }
      grid.middle[point] = span.from
      grid.to[point] = span.to
      grid.from[point + 1] = span.from
      grid.middle[point + 1] = span.to
      grid.to[point + 1] = span.to
      grid.cls[point + 1] = units.cls[span.from] as number
      grid.work[point + 1] = span.high
      spread(units, grid, span, point)
      point++
    }
    point++
  }
  return grid
}

function spread(units: Units, grid: Grid, span: Span, point: number): void {
  const width = span.high - span.low
  for (let u = span.from; u < span.to; u++) {
    const n = units.count[u] as number
    const share = width > 0 ? Math.min(1, Math.max(0, ((units.work[u] as number) / n - span.low) / width)) : 1
    grid.below[u] = point
    grid.upperShare[u] = share
    grid.count[point] = (grid.count[point] as number) + n * (1 - share)
    grid.count[point + 1] = (grid.count[point + 1] as number) + n * share
    grid.upperSum[u + 1] = (grid.upperSum[u] as number) + n * share
    grid.lowerSum[u + 1] = (grid.lowerSum[u] as number) + n * (1 - share)
  }
}

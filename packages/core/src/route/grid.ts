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
  /** Least work of a real frame that is partly at the point; a frame may fit an offer where its upper point does not. */
  readonly leastReal: Float64Array
  /** Point below each unit and the share of the unit at the point above it (the next one). */
  readonly below: Int32Array
  readonly upperShare: Float64Array
}

interface Span {
  from: number
  to: number
  low: number
  high: number
  error: number
}

/** Most points over all classes; each class gets at least 2 points. */
const POINTS = 30

/** Builds the grid: intervals are split where the stand-in differs most from the frames. */
export function coarseGrid(units: Units, points: number = POINTS): Grid {
  const spans: Span[][] = []
  for (let u = 0; u < units.size;) {
    let end = u
    while (end < units.size && units.cls[end] === units.cls[u]) end++
    spans.push([spanOf(units, u, end, units.least[u] as number)])
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
    home.splice(home.indexOf(worst), 1, ...splitSpan(units, worst))
    used++
  }
  return gridOf(units, spans)
}

/** Sum over the frames of (work - low)(high - work) / mean work: how far the two end points spread the frames. */
function spanOf(units: Units, from: number, to: number, low: number): Span {
  const high = units.greatest[to - 1] as number
  let error = 0
  let total = 0
  for (let u = from; u < to; u++) {
    const n = units.count[u] as number
    const mean = (units.work[u] as number) / n
    error += n * Math.max(0, (mean - low) * (high - mean))
    total += units.work[u] as number
  }
  let frames = 0
  for (let u = from; u < to; u++) frames += units.count[u] as number
  return { from, to, low, high, error: total > 0 ? (error * frames) / total : 0 }
}

function splitSpan(units: Units, span: Span): Span[] {
  const middle = (span.low + span.high) / 2
  let best = span.from + 1
  let bestError = Infinity
  // The best cut lies near the middle of the work range or of the mass; trying a few keeps the build cheap.
  let half = span.from + 1
  while (half + 1 < span.to && (units.greatest[half] as number) <= middle) half++
  const candidates = [half, (span.from + span.to) >> 1, span.from + 1, span.to - 1]
  for (const cut of candidates) {
    if (cut <= span.from || cut >= span.to) continue
    const error =
      spanOf(units, span.from, cut, span.low).error + spanOf(units, cut, span.to, units.greatest[cut - 1] as number).error
    if (error < bestError) {
      bestError = error
      best = cut
    }
  }
  return [spanOf(units, span.from, best, span.low), spanOf(units, best, span.to, units.greatest[best - 1] as number)]
}

function gridOf(units: Units, spans: Span[][]): Grid {
  const size = spans.reduce((sum, list) => sum + list.length + 1, 0)
  const grid = {
    size,
    cls: new Uint16Array(size),
    work: new Float64Array(size),
    count: new Float64Array(size),
    leastReal: new Float64Array(size).fill(Infinity),
    below: new Int32Array(units.size),
    upperShare: new Float64Array(units.size),
  }
  let point = 0
  for (const list of spans) {
    for (const [i, span] of list.entries()) {
      if (i === 0) {
        grid.cls[point] = units.cls[span.from] as number
        grid.work[point] = span.low
      }
      grid.cls[point + 1] = units.cls[span.from] as number
      grid.work[point + 1] = span.high
      spread(units, grid, span, point)
      point++
    }
    point++
  }
  return grid
}

function spread(units: Units, grid: Grid & { below: Int32Array }, span: Span, point: number): void {
  const width = span.high - span.low
  for (let u = span.from; u < span.to; u++) {
    const n = units.count[u] as number
    const share = width > 0 ? Math.min(1, Math.max(0, ((units.work[u] as number) / n - span.low) / width)) : 1
    grid.below[u] = point
    grid.upperShare[u] = share
    grid.count[point] = (grid.count[point] as number) + n * (1 - share)
    grid.count[point + 1] = (grid.count[point + 1] as number) + n * share
    const least = units.least[u] as number
    if (share < 1 && least < (grid.leastReal[point] as number)) grid.leastReal[point] = least
    if (share > 0 && least < (grid.leastReal[point + 1] as number)) grid.leastReal[point + 1] = least
  }
}

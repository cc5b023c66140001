/** A scale of a chart: where values lie between its ends (0 to 1), and the values that are labelled. */
export interface Axis {
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Durations that people say. */
const ROUND_MS = [1000, 2000, 5000, 10_000, 20_000, 30_000]
  .concat([1, 2, 3, 5, 10, 15, 20, 30, 45].map((minutes) => minutes * MINUTE))
  .concat([1, 1.5, 2, 3, 4, 6, 8, 12, 18].map((hours) => hours * HOUR))
  .concat([1, 2, 3, 5, 7, 10, 14, 21, 30, 60, 90, 180, 365].map((days) => days * DAY))

/** Durations on a logarithmic scale: the fast plans, where cost moves most, are the close ones. */
export function durationAxis(values: readonly number[], most: number): Axis {
  const low = Math.max(1, Math.min(...values)) / 1.06
  const high = Math.max(1, ...values) * 1.06
  const at = (ms: number) => Math.log(Math.max(1, ms) / low) / Math.log(high / low)
  const round = ROUND_MS.filter((ms) => ms >= low && ms <= high)
  // Every second, third, ... where they would stand too close.
  const stride = Math.max(1, Math.ceil(round.length / most))
  const ticks = round.filter((_, i) => i % stride === 0)
  return { at, ticks: ticks.length >= 2 ? ticks : [Math.min(...values), Math.max(...values)] }
}

/** Amounts on a linear scale whose ends and labels are round. */
export function amountAxis(values: readonly number[], most: number): Axis {
  const least = Math.min(...values)
  const greatest = Math.max(...values)
  const rough = Math.max(greatest - least, Math.abs(greatest) * 0.02, 1e-9) / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10)
  const low = Math.floor(least / step)
  const high = Math.max(low + 1, Math.ceil(greatest / step))
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => (low + i) * step)
  return { at: (value) => (value / step - low) / (high - low), ticks }
}

/** A round duration in words: `90 s`, `45 min`, `1.5 h`, `3 d`. */
export function shortDuration(ms: number): string {
  const number = (value: number) => String(Number(value.toPrecision(3)))
  if (ms < 2 * MINUTE && ms % MINUTE !== 0) return `${number(ms / 1000)} s`
  if (ms < HOUR) return `${number(ms / MINUTE)} min`
  return ms < DAY ? `${number(ms / HOUR)} h` : `${number(ms / DAY)} d`
}

/** An amount with as many digits as its axis needs. */
export function amountLabel(value: number, { ticks }: Axis): string {
  const step = ticks.length > 1 ? ticks[1]! - ticks[0]! : value
  return value.toFixed(Math.max(0, Math.min(8, -Math.floor(Math.log10(Math.abs(step) || 1) + 1e-9))))
}

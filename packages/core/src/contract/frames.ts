import { invalid } from './error.ts'

/** The most frames one job may name; a typing slip such as `1-2400000000` is refused instead of filling the memory. */
export const MAX_FRAMES = 10_000_000

const ELEMENT = /^\s*(-?\d+)\s*(?:-\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?)?$/

/**
 * Expands an Open Job Description integer range expression (2023-09 template schemas, `<IntRangeExpr>`): `1-240`, `1-10:2`, `10-1:-3`, `-5--1`, `1,4,7-9`.
 * The result is ascending; overlapping elements and empty ranges are errors, as the specification says. `1 - -1` counts as the single frame 1 there (descending
 * without a negative skip yields its start).
 * @throws invalid-input naming the element
 */
export function parseFrames(expression: string): number[] {
  const frames: number[] = []
  for (const element of expression.split(',')) {
    const match = ELEMENT.exec(element)
    if (!match) throw invalid('frames', 'a frame range such as 1-240, 1-10:2 or 1,4,7-9', element)
    // + 0 turns -0, which prints and compares differently, into 0.
    const start = Number(match[1]) + 0
    const end = match[2] === undefined ? start : Number(match[2]) + 0
    const step = match[3] === undefined ? 1 : Number(match[3])
    if (![start, end, step].every((n) => Number.isSafeInteger(n) && Math.abs(n) <= 2 ** 31))
      throw invalid('frames', 'whole numbers within 32 bits', element)
    if (step === 0) throw invalid('frames', 'a skip that is not 0', element)
    if (frames.length + Math.abs((end - start) / step) > MAX_FRAMES)
      throw invalid('frames', `at most ${MAX_FRAMES} frames`, element)
    // The start is always part of a range (specification, 3.2.1: the range is inclusive of its start).
    frames.push(start)
    for (let frame = start + step; step > 0 ? frame <= end : frame >= end; frame += step) frames.push(frame)
  }
  let ascends = true
  for (let i = 1; ascends && i < frames.length; i++) ascends = frames[i]! > frames[i - 1]!
  if (ascends) return frames
  frames.sort((a, b) => a - b)
  for (let i = 1; i < frames.length; i++)
    if (frames[i] === frames[i - 1])
      throw invalid('frames', 'ranges that do not overlap', `${expression} (frame ${frames[i]} appears twice)`)
  return frames
}

/** The shortest usual expression of a list of frames: `1-5,8,10-20:2`. Runs of at least three frames become ranges. `parseFrames(formatFrames(list))` is the sorted list. */
export function formatFrames(list: readonly number[]): string {
  const frames = [...list].sort((a, b) => a - b)
  const parts: string[] = []
  for (let i = 0; i < frames.length;) {
    const step = (frames[i + 1] ?? Infinity) - frames[i]!
    let j = i + 1
    while (j < frames.length && step === frames[j]! - frames[j - 1]!) j++
    if (j - i >= 3 || (j - i === 2 && step === 1)) {
      parts.push(`${frames[i]}-${frames[j - 1]}${step === 1 ? '' : `:${step}`}`)
      i = j
    } else parts.push(String(frames[i++]))
  }
  return parts.join(',')
}

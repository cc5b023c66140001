import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatFrames, isPictorError, MAX_FRAMES, parseFrames } from '../../src/contract/index.ts'

/**
 * An independent reading of `<IntRangeExpr>` (Open Job Description, 2023-09): a scanner over characters instead of a regular expression, sets instead of a loop.
 * Returns undefined where the text is no expression or the specification forbids it.
 */
function oracle(text: string): number[] | undefined {
  let at = 0
  const white = (): void => {
    while (at < text.length && text[at]!.trim() === '') at++
  }
  const integer = (): number | undefined => {
    let sign = 1
    if (text[at] === '-') {
      sign = -1
      at++
    }
    const from = at
    while (at < text.length && text[at]! >= '0' && text[at]! <= '9') at++
    return at === from ? undefined : sign * Number(text.slice(from, at))
  }
  const seen = new Set<number>()
  for (;;) {
    white()
    const start = integer()
    if (start === undefined) return undefined
    let end = start
    let step = 1
    white()
    if (text[at] === '-') {
      at++
      white()
      const value = integer()
      if (value === undefined) return undefined
      end = value
      white()
      if (text[at] === ':') {
        at++
        white()
        const skip = integer()
        if (skip === undefined || skip === 0) return undefined
        step = skip
        white()
      }
    }
    const count = Math.max(0, Math.floor((end - start) / step)) + 1
    for (let i = 0; i < count; i++) {
      const frame = start + i * step
      if (seen.has(frame)) return undefined
      seen.add(frame)
    }
    if (at === text.length) return [...seen].sort((a, b) => a - b)
    if (text[at] !== ',') return undefined
    at++
  }
}

const parsed = (text: string): number[] | undefined => {
  try {
    return parseFrames(text)
  } catch (error) {
    if (!isPictorError(error, 'invalid-input')) throw error
    expect(error.details.path).toBe('frames')
    return undefined
  }
}

const space = fc.constantFrom('', '', '', ' ', '\t', '  ')
const number = fc.integer({ min: -40, max: 40 }).map(String)
const element = fc.oneof(
  number,
  fc.tuple(number, space, space, number).map(([a, s, t, b]) => `${a}${s}-${t}${b}`),
  fc.tuple(number, number, space, fc.integer({ min: -9, max: 9 })).map(([a, b, s, skip]) => `${a}-${b}${s}:${skip}`),
)
const expression = fc
  .array(fc.tuple(space, element, space), { minLength: 1, maxLength: 4 })
  .map((list) => list.map((parts) => parts.join('')).join(','))

describe('parseFrames', () => {
  it('agrees with an independent reading of the grammar on expressions', () => {
    fc.assert(
      fc.property(expression, (text) => void expect(parsed(text)).toEqual(oracle(text))),
      { numRuns: 3_000 },
    )
  })
  it('agrees with it on rubbish made of the same characters', () => {
    const rubbish = fc.string({ unit: fc.constantFrom('1', '2', '0', '-', ':', ',', ' ', '+', '.', 'e', 'x'), maxLength: 9 })
    fc.assert(
      fc.property(rubbish, (text) => void expect(parsed(text)).toEqual(oracle(text))),
      { numRuns: 5_000 },
    )
  })
  it.each([
    ['1-5', [1, 2, 3, 4, 5]],
    ['1-10:3', [1, 4, 7, 10]],
    ['10-1:-4', [2, 6, 10]],
    ['-3--1', [-3, -2, -1]],
    ['1 - -1', [1]],
    ['7,1-3', [1, 2, 3, 7]],
    ['1-9:2,2-9:2', [1, 2, 3, 4, 5, 6, 7, 8, 9]],
  ])('reads %s', (text, frames) => expect(parseFrames(text)).toEqual(frames))
  it.each(['', ' ', ',', '1,', '1-', '1-5:0', '1-5,3', '1:2', '+1', '1.5', '1e3', '٣', '1-99999999999', `1-${MAX_FRAMES + 2}`])(
    'refuses %j and names the field',
    (text) => expect(parsed(text)).toBeUndefined(),
  )
})

describe('formatFrames', () => {
  it('is read back as the sorted list', () => {
    const lists = fc.uniqueArray(fc.integer({ min: -60, max: 60 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(lists, (list) => void expect(parseFrames(formatFrames(list))).toEqual([...list].sort((a, b) => a - b))),
      { numRuns: 2_000 },
    )
  })
  it('is never longer than the plain list', () => {
    const lists = fc.uniqueArray(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 80 })
    fc.assert(fc.property(lists, (list) => void expect(formatFrames(list).length).toBeLessThanOrEqual(list.join(',').length)))
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDeadline } from '../../src/plan/deadline.ts'

const NOW = new Date('2026-03-02T12:00:00').getTime() // a Monday, local time

describe('parseDeadline', () => {
  it.each([
    ['2h', 7_200_000],
    ['45m', 2_700_000],
    ['1h30m', 5_400_000],
    ['0.5d', 43_200_000],
    ['90s', 90_000],
  ])('reads %s as a duration', (text, ms) => expect(parseDeadline(text, NOW)).toBe(NOW + ms))

  it('reads a weekday as the next one, never a past one', () => {
    expect(parseDeadline('Friday 18:00', NOW)).toBe(new Date('2026-03-06T18:00:00').getTime())
    expect(parseDeadline('mon 11:00', NOW)).toBe(new Date('2026-03-09T11:00:00').getTime())
  })

  it('reads ISO dates', () => expect(parseDeadline('2026-03-03T00:00:00Z', NOW)).toBe(Date.UTC(2026, 2, 3)))

  it.each(['', 'soon', '2 weeks', '2020-01-01', '0h', 'friday', '-2h'])('refuses %j and names the field', (text) => {
    expect(() => parseDeadline(text, NOW)).toThrowError(
      expect.objectContaining({ code: 'invalid-input', details: { path: 'deadline' } }),
    )
  })

  it('never returns the past, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          return parseDeadline(text, NOW) > NOW
        } catch (error) {
          return (error as { code?: string }).code === 'invalid-input'
        }
      }),
    )
  })
})

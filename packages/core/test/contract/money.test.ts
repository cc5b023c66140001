import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addMoney, decimalsOf, formatMoney, isPictorError, money, usd } from '../../src/contract/index.ts'

const currency = fc.constantFrom('USD', 'PICTOR', 'XYZ')

describe('money', () => {
  it('reads back what formatMoney printed, to the last unit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 35n }), currency, (amount, unit) => {
        const [digits, printed] = formatMoney({ amount, currency: unit }).split(' ')
        expect(printed).toBe(unit)
        expect(money(digits!, unit)).toEqual({ amount, currency: unit })
      }),
    )
  })
  it('equals exact decimal arithmetic', () => {
    const digits = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 12n }), fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }))
    fc.assert(
      fc.property(digits, ([whole, fraction]) => {
        const expected = fraction.reduce((sum, digit, i) => sum + BigInt(digit) * 10n ** BigInt(5 - i), whole * 10n ** 6n)
        expect(usd(fraction.length === 0 ? `${whole}` : `${whole}.${fraction.join('')}`).amount).toBe(expected)
      }),
    )
  })
  it.each(['', '-1', '1.', '.5', '1e3', '0x10', '1,000', '1.1234567', 'NaN', '1 2', '9'.repeat(31)])(
    'refuses %j as US dollars',
    (text) => {
      expect(() => usd(text)).toThrowError(expect.objectContaining({ code: 'invalid-input' }))
    },
  )
  it('never adds two currencies', () => {
    try {
      addMoney(usd('1'), money('1', 'PICTOR'))
      expect.unreachable()
    } catch (error) {
      expect(isPictorError(error, 'invalid-input')).toBe(true)
    }
    expect(addMoney(usd('0.1'), usd('0.2'))).toEqual(usd('0.3'))
  })
  it('prints debts and small change', () => {
    expect(formatMoney({ amount: -1n, currency: 'USD' })).toBe('-0.000001 USD')
    expect(formatMoney(usd('12.5'))).toBe('12.50 USD')
    expect([decimalsOf('USD'), decimalsOf('PICTOR'), decimalsOf('DAI')]).toEqual([6, 18, 18])
  })
})

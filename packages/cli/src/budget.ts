import { money, PictorError, type Money } from '@pictor/core'

/** Currencies that a budget may be in; farms quote in USD. */
const CURRENCIES = ['USD', 'PICTOR']

/** `40`, `40 USD` or `20 PICTOR`. @throws invalid-input */
export function budgetOf(text: string): Money {
  const [, amount = '', currency = 'USD'] = /^\s*([0-9.]+)\s*([A-Za-z]+)?\s*$/.exec(text) ?? []
  if (!CURRENCIES.includes(currency.toUpperCase()))
    throw new PictorError('invalid-input', `--budget: expected USD or PICTOR, found ${currency}`, { details: { path: 'budget' } })
  try {
    return money(amount, currency.toUpperCase())
  } catch {
    throw new PictorError('invalid-input', `--budget: expected an amount such as 40 or "20 PICTOR", found ${text}`, {
      details: { path: 'budget' },
    })
  }
}

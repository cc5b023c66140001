import { invalid } from './error.ts'

/** An amount of one currency in its smallest unit: USD in micro-dollars (10^-6), PICTOR in 10^-18. Never a float. */
export interface Money {
  readonly amount: bigint
  readonly currency: string
}

/** Money as it travels in JSON. */
export interface MoneyJson {
  readonly amount: string
  readonly currency: string
}

const DECIMALS: Readonly<Record<string, number>> = { USD: 6, PICTOR: 18 }

/** Decimals of a currency: 6 for USD, 18 for PICTOR and anything unknown (ERC-20's default). */
export function decimalsOf(currency: string): number {
  return DECIMALS[currency] ?? 18
}

/** Reads a decimal string such as `40` or `12.50` as an amount of `currency`. @throws invalid-input on anything else, or on more digits than the currency has */
export function money(text: string, currency: string): Money {
  const match = /^(\d{1,30})(?:\.(\d+))?$/.exec(text.trim())
  const decimals = decimalsOf(currency)
  const fraction = match?.[2] ?? ''
  if (!match || fraction.length > decimals) throw invalid('money', `a decimal number with at most ${decimals} decimals`, text)
  return { amount: BigInt(match[1]! + fraction.padEnd(decimals, '0')), currency }
}

/** US dollars: `usd('12.50')`. */
export function usd(text: string): Money {
  return money(text, 'USD')
}

/** Money for people: `12.50 USD`, at least two decimals, no trailing zeros beyond. */
export function formatMoney(value: Money): string {
  const decimals = decimalsOf(value.currency)
  const digits = (value.amount < 0n ? -value.amount : value.amount).toString().padStart(decimals + 1, '0')
  const fraction = digits.slice(-decimals).replace(/0+$/, '').padEnd(2, '0')
  return `${value.amount < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${fraction} ${value.currency}`
}

/** Sum of amounts of one currency. @throws invalid-input when currencies differ */
export function addMoney(a: Money, b: Money): Money {
  if (a.currency !== b.currency) throw invalid('money.currency', a.currency, b.currency)
  return { amount: a.amount + b.amount, currency: a.currency }
}

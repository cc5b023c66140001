export interface Money {
  readonly amount: bigint
  readonly currency: string
}
export interface MoneyJson {
  readonly amount: string
  readonly currency: string
}
export declare function decimalsOf(currency: string): number
export declare function money(text: string, currency: string): Money
export declare function usd(text: string): Money
export declare function formatMoney(value: Money): string
export declare function addMoney(a: Money, b: Money): Money

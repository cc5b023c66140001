import type { HostRating, Money } from '@pictor/core/contract'
import { bigint, list, named, number, object, optional, text, word, type Schema } from '../schema.ts'

const hex = (digits: number, what: string): Schema<`0x${string}`> =>
  text({ max: digits + 2, pattern: new RegExp(`^0x[0-9a-f]{${digits}}$`), expected: what }) as Schema<`0x${string}`>
export const hash: Schema<`0x${string}`> = hex(64, '0x and 64 lower-case hex digits')
export const address: Schema<`0x${string}`> = hex(40, '0x and 40 lower-case hex digits')
export const signature: Schema<`0x${string}`> = text({
  max: 8_194,
  pattern: /^0x(?:[0-9a-fA-F]{2})*$/,
  expected: '0x and hex digits',
}) as Schema<`0x${string}`>
export const name: Schema<string> = text({ max: 1_024 })
export const words: Schema<string> = text({ max: 8_192 })
export const atMs: Schema<number> = number({ description: 'milliseconds since 1970' })
export const frame: Schema<number> = number({ whole: true, min: -(2 ** 31), max: 2 ** 31 - 1 })
export const frames: Schema<number[]> = list(frame)
export const contract: Schema<1> = word(1 as const)
export const share: Schema<number> = number({ min: 0, max: 1 })
export const zeroOrMore: Schema<number> = number({ min: 0 })
export const currency: Schema<string> = text({ max: 64, pattern: /^\S+$/, expected: 'a currency such as USD' })

/** A host in the units of price lists. */
export const hostRating: Schema<HostRating> = named(
  'HostRating',
  object<HostRating>({
    ghz: optional(zeroOrMore),
    octaneBench: optional(zeroOrMore),
    pixelSamplesPerS: optional(zeroOrMore),
    basis: words,
  }),
)

/** An amount of one currency. */
export const moneySchema: Schema<Money> = named('Money', object<Money>({ amount: bigint, currency }))

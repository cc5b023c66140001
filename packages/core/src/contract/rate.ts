import type { CallContext } from './context.ts'
import type { Address, Signature } from './messages.ts'

/** A rate of exchange that somebody answers for until it expires: `fromAmount` smallest units of `from` cost `toAmount` smallest units of `to`. */
export interface RateQuote {
  /** Currency codes, such as `USD` and `PICTOR`. */
  readonly from: string
  readonly to: string
  readonly fromAmount: bigint
  readonly toAmount: bigint
  /** Milliseconds since 1970. */
  readonly quotedAtMs: number
  readonly expiresAtMs: number
  /** Where the rate comes from, for people: `quoter`'s own words. */
  readonly source: string
  readonly quoter: Address
  /** EIP-712, over all of the above, in the domain of the quoter's own key; see docs/encodings.md. */
  readonly signature: Signature
}

/** Where rates come from: an exchange's API, an oracle that is read off chain, a treasurer's table. */
export interface RateSource {
  /** The key whose rates are taken, and no others. */
  readonly quoter: Address
  /** @throws rejects when there is no rate now; nothing is planned then */
  quote(pair: { readonly from: string; readonly to: string }, ctx: CallContext): Promise<RateQuote>
}

import { PictorError, invalid } from '../contract/error.ts'
import type { Address, Bytes32, DigestSigner } from '../contract/messages.ts'
import type { RateQuote } from '../contract/rate.ts'
import { utf8 } from './bytes.ts'
import { hashStruct, typedDigest, word } from './eip712.ts'
import { keccakBytes } from './hash.ts'
import { requireSigner } from './sign.ts'
import { localDomain } from './signature.ts'

const RATE_TYPE =
  'Rate(string from,string to,uint256 fromAmount,uint256 toAmount,uint64 quotedAtMs,uint64 expiresAtMs,string source)'

/** What the quoter of a rate signs. @throws invalid-input */
export function rateDigest(rate: Omit<RateQuote, 'signature'>): Bytes32 {
  const text = (value: string): Uint8Array => keccakBytes(utf8(value))
  return typedDigest(
    localDomain(rate.quoter),
    hashStruct(
      RATE_TYPE,
      text(rate.from),
      text(rate.to),
      word.uint(rate.fromAmount, 256, 'rate.fromAmount'),
      word.uint(rate.toAmount, 256, 'rate.toAmount'),
      word.uint(rate.quotedAtMs, 64, 'rate.quotedAtMs'),
      word.uint(rate.expiresAtMs, 64, 'rate.expiresAtMs'),
      text(rate.source),
    ),
  )
}

/** Signs a rate. @throws invalid-input */
export async function signRate(signer: DigestSigner, rate: Omit<RateQuote, 'quoter' | 'signature'>): Promise<RateQuote> {
  const unsigned = { ...rate, quoter: signer.address }
  return { ...unsigned, signature: await signer.signDigest(rateDigest(unsigned)) }
}

/**
 * Makes sure that a rate is one: positive amounts, signed by its quoter, and where they are given, by the quoter who is trusted, for these currencies, at this time.
 * @throws signature-invalid, invalid-input naming the field
 */
export function verifyRate(
  rate: RateQuote,
  expected: { readonly quoter?: Address; readonly from?: string; readonly to?: string; readonly nowMs?: number } = {},
  path = 'rate',
): void {
  const { quoter = rate.quoter, from = rate.from, to = rate.to, nowMs } = expected
  if (rate.from !== from) throw invalid(`${path}.from`, from, rate.from)
  if (rate.to !== to) throw invalid(`${path}.to`, to, rate.to)
  if (rate.fromAmount <= 0n) throw invalid(`${path}.fromAmount`, 'a positive amount', rate.fromAmount)
  if (rate.toAmount <= 0n) throw invalid(`${path}.toAmount`, 'a positive amount', rate.toAmount)
  requireSigner(rateDigest(rate), rate.signature, rate.quoter, `${path}.signature`)
  if (rate.quoter !== quoter) throw invalid(`${path}.quoter`, quoter, rate.quoter)
  if (nowMs !== undefined && !(rate.quotedAtMs <= rate.expiresAtMs && nowMs < rate.expiresAtMs))
    throw new PictorError(
      'invalid-input',
      `${path}.expiresAtMs: the rate expired at ${new Date(rate.expiresAtMs).toISOString()}`,
      {
        details: {
          path: `${path}.expiresAtMs`,
          hint: 'plan again by a rate that holds (ask its quoter for a new one); nothing was locked',
        },
      },
    )
}

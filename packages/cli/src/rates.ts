import { readFile } from 'node:fs/promises'
import { PictorError, type Address, type CallContext, type RateQuote, type RateSource } from '@pictor/core'

/** A rate answers in this time or not at all. */
const ANSWER_MS = 15_000
const MAX_BYTES = 1 << 20

/** Where signed rates come from and whose are taken. */
export interface RatesEntry {
  /** A URL, or a file beside the working folder: one rate as `pictor rate` writes it, or a list. */
  readonly from: string
  readonly quoter: string
}

/**
 * Rates that somebody else signs: read anew for every plan, so that a file or a service may be renewed while this process runs. Signature, pair and expiry are verified by
 * whoever plans with them.
 * @throws invalid-input naming the option
 */
export function ratesFrom({ from, quoter }: RatesEntry): RateSource {
  if (!/^0x[0-9a-fA-F]{40}$/.test(quoter))
    throw new PictorError('invalid-input', `--quoter: expected the address whose rates you trust, found ${quoter}`, {
      details: { path: 'quoter', hint: '`pictor rate` prints it for whoever signs the rates' },
    })
  return {
    quoter: quoter.toLowerCase() as Address,
    async quote(pair, ctx) {
      const found = list(from, await textOf(from, ctx)).find((one) => one.from === pair.from && one.to === pair.to)
      if (found) return found
      throw new PictorError('invalid-input', `--rate ${from}: it has no rate from ${pair.from} to ${pair.to}`, {
        details: { path: 'rate', hint: `pictor rate --to ${pair.to} makes one` },
      })
    },
  }
}

async function textOf(from: string, { signal }: CallContext): Promise<string> {
  try {
    if (!/^https?:\/\//.test(from)) return await readFile(from, 'utf8')
    const limit = AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])])
    const response = await fetch(from, { signal: limit, redirect: 'error' })
    if (!response.ok) throw new Error(`it answers ${response.status}`)
    const bytes = await response.arrayBuffer()
    if (bytes.byteLength > MAX_BYTES) throw new Error(`it answers with ${bytes.byteLength} bytes`)
    return Buffer.from(bytes).toString()
  } catch (cause) {
    throw new PictorError('invalid-input', `--rate ${from} cannot be read: ${(cause as Error).message}`, {
      details: { path: 'rate', hint: 'nothing was locked; a budget in USD needs no rate' },
      cause,
    })
  }
}

function list(from: string, text: string): readonly RateQuote[] {
  const refuse = (message: string): PictorError =>
    new PictorError('invalid-input', `--rate ${from}: ${message}`, { details: { path: 'rate' } })
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw refuse(`no JSON: ${(cause as Error).message}`)
  }
  return [parsed].flat().map((one) => {
    const fields = (typeof one === 'object' && one !== null ? one : {}) as Record<string, unknown>
    for (const name of ['from', 'to', 'source', 'quoter', 'signature'] as const)
      if (typeof fields[name] !== 'string') throw refuse(`${name}: expected a text`)
    for (const name of ['fromAmount', 'toAmount'] as const)
      if (typeof fields[name] !== 'string' || !/^\d{1,60}$/.test(fields[name])) throw refuse(`${name}: expected digits as a text`)
    for (const name of ['quotedAtMs', 'expiresAtMs'] as const)
      if (!Number.isSafeInteger(fields[name])) throw refuse(`${name}: expected milliseconds since 1970`)
    const { fromAmount, toAmount } = fields as { fromAmount: string; toAmount: string }
    return { ...(fields as unknown as RateQuote), fromAmount: BigInt(fromAmount), toAmount: BigInt(toAmount) }
  })
}

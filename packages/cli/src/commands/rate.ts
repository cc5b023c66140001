import { writeFileSync } from 'node:fs'
import { canonicalJson, decimalsOf, parseDeadline, PictorError, signedRates, systemClock, usd } from '@pictor/core'
import { privateKeySigner } from '@pictor/core/proof'
import { openKeystore } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

export interface RateOptions {
  readonly price: string
  readonly to: string
  readonly valid: string
  readonly source: string
  readonly keystore: string
  readonly out?: string
  readonly env: CommandContext['env']
}

/** `pictor rate PRICE`: signs what one unit of a currency costs in USD, until it expires. Whoever plans by it trusts the key's address (`--quoter`). */
export async function rate(options: RateOptions, context: CommandContext): Promise<number> {
  const { amount } = usd(options.price)
  if (amount <= 0n)
    throw new PictorError('invalid-input', `price: expected USD above zero for one ${options.to}, found ${options.price}`, {
      details: { path: 'price' },
    })
  const nowMs = Date.now()
  const validForMs = parseDeadline(options.valid, nowMs) - nowMs
  const wallet = await openKeystore(options.keystore, options.env.PICTOR_KEYSTORE_PASSWORD)
  const rates = signedRates({
    signer: privateKeySigner(wallet.privateKey as `0x${string}`),
    source: options.source,
    validForMs,
    amountsOf: async () => ({ fromAmount: amount, toAmount: 10n ** BigInt(decimalsOf(options.to)) }),
    clock: systemClock(),
  })
  const quote = await rates.quote({ from: 'USD', to: options.to }, { key: 'rate' })
  const json = canonicalJson(quote)
  if (options.out === undefined) process.stdout.write(`${json}\n`)
  else {
    writeFileSync(options.out, `${json}\n`)
    context.emit({ type: 'rate', quoter: quote.quoter, expiresAtMs: quote.expiresAtMs, out: options.out })
    context.screen.log(
      `1 ${options.to} = ${options.price} USD until ${new Date(quote.expiresAtMs).toISOString()}, signed by ${quote.quoter}, in ${options.out}`,
    )
  }
  return EXIT.ok
}

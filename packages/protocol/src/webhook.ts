import { createHmac, timingSafeEqual } from 'node:crypto'
import { PictorError } from '@pictor/core/contract'
import { hintSchema } from './wire.ts'

/** Header that carries time and signature of a hint: `t=SECONDS,v1=HEX`. */
export const SIGNATURE_HEADER = 'pictor-signature'

/** How old a hint may be, in seconds. */
export const HINT_WINDOW_S = 300

const mac = (secret: string, atS: number, body: Uint8Array): Buffer =>
  createHmac('sha256', secret).update(`${atS}.`).update(body).digest()

/** Signs the body of a hint: HMAC-SHA256 over time, a dot and the body. */
export function signHint(secret: string, body: Uint8Array, nowMs: number): string {
  const atS = Math.floor(nowMs / 1_000)
  return `t=${atS},v1=${mac(secret, atS, body).toString('hex')}`
}

/** Reads a hint: the tasks worth polling. @throws signature-invalid when signature or time do not fit, invalid-input on another body */
export function readHint(
  secret: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  nowMs: number,
): readonly string[] {
  const header = Object.entries(headers).find(([name]) => name.toLowerCase() === SIGNATURE_HEADER)?.[1] ?? ''
  const match = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header)
  const refuse = (message: string) => new PictorError('signature-invalid', message, { details: { path: SIGNATURE_HEADER } })
  if (!match) throw refuse('the hint carries no signature')
  const atS = Number(match[1])
  if (!timingSafeEqual(mac(secret, atS, body), Buffer.from(match[2]!, 'hex')))
    throw refuse('the hint is not signed with the agreed secret')
  if (Math.abs(nowMs / 1_000 - atS) > HINT_WINDOW_S) throw refuse('the hint is too old')
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(body))
  } catch (cause) {
    throw new PictorError('invalid-input', 'the hint is no JSON', { details: { path: 'body' }, cause })
  }
  return hintSchema.read(json, 'body').tasks
}

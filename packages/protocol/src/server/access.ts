import { createHash, timingSafeEqual } from 'node:crypto'
import { invalid, PictorError } from '@pictor/core/contract'
import { SCOPES, type Scope } from '../document.ts'

/** One bearer token of a served farm. */
export interface FarmToken {
  /** At least 16 characters. Only its sha256 is kept. */
  readonly token: string
  /** Callers with the same tenant see the same tasks and files. Left out: the one tenant of a private farm. */
  readonly tenant?: string
  /** Left out: all scopes but `metrics`. */
  readonly scopes?: readonly Scope[]
}

/** Requests that one token may make. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** Who calls, after his token was checked. */
export interface Caller {
  readonly tenant: string
  readonly scopes: ReadonlySet<Scope>
}

/** Checks tokens, scopes and rates. */
export interface Access {
  /** @throws Refused with 401, 403 or 429 */
  admit(authorization: string | undefined, scope: Scope): Caller
}

/** An answer with an HTTP status of its own. */
export class Refused extends Error {
  readonly status: number
  readonly error: PictorError
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, error: PictorError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message)
    this.status = status
    this.error = error
    this.headers = headers
  }
}

interface Entry extends Caller {
  readonly digest: Buffer
  level: number
  atMs: number
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/** @throws invalid-input for short tokens, unknown scopes and rates that let nobody in */
export function accessOf(tokens: readonly FarmToken[], rate: RateLimit, now: () => number): Access {
  if (tokens.length === 0) throw invalid('tokens', 'at least one token', tokens)
  if (!(rate.perSecond > 0) || !(rate.burst >= 1)) throw invalid('rate', 'perSecond > 0 and burst >= 1', rate)
  const entries = tokens.map(({ token, tenant = '', scopes = SCOPES.filter((scope) => scope !== 'metrics') }, i): Entry => {
    if (token.length < 16) throw invalid(`tokens[${i}].token`, 'at least 16 characters', `${token.length} characters`)
    for (const scope of scopes)
      if (!SCOPES.includes(scope)) throw invalid(`tokens[${i}].scopes`, `some of ${SCOPES.join(', ')}`, scope)
    return { digest: digestOf(token), tenant, scopes: new Set(scopes), level: rate.burst, atMs: now() }
  })
  return {
    admit(authorization, scope) {
      const token = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1]
      const digest = digestOf(token ?? '')
      // Every entry is compared, in constant time, so that an answer's delay tells nothing about a token.
      let found: Entry | undefined
      for (const entry of entries) if (timingSafeEqual(entry.digest, digest)) found = entry
      if (token === undefined || !found)
        throw new Refused(401, new PictorError('farm-refused', 'a valid bearer token is needed'), {
          'www-authenticate': 'Bearer',
        })
      takeOne(found, rate, now())
      if (!found.scopes.has(scope)) throw new Refused(403, new PictorError('farm-refused', `the token lacks the scope ${scope}`))
      return found
    },
  }
}

/** A bucket that fills by `perSecond` up to `burst`; an empty one says when to come back. */
function takeOne(entry: Entry, rate: RateLimit, nowMs: number): void {
  entry.level = Math.min(rate.burst, entry.level + (Math.max(0, nowMs - entry.atMs) / 1_000) * rate.perSecond)
  entry.atMs = nowMs
  if (entry.level >= 1) {
    entry.level--
    return
  }
  const waitS = Math.max(1, Math.ceil((1 - entry.level) / rate.perSecond))
  const error = new PictorError('farm-unreachable', 'too many requests', { details: { retryAfterMs: waitS * 1_000 } })
  throw new Refused(429, error, { 'retry-after': String(waitS) })
}

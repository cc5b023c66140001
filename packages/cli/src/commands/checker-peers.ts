import { readFileSync } from 'node:fs'
import type { Peer } from '@pictor/checker'
import { PictorError, type Address } from '@pictor/core'
import { httpChecker } from '@pictor/farm-protocol/checker'

/** Another checker of the same jobs. */
export interface PeerEntry {
  readonly url: string
  readonly address: Address
  /** Token that this checker reads the other with. */
  readonly token: string
  /** Token that the other one reads this checker with. */
  readonly accept: string
}

/**
 * Reads the file of peers: a JSON list of `{ "url", "address", "token", "accept" }`.
 * @throws invalid-input naming the entry and field
 */
export function readPeers(path: string): readonly PeerEntry[] {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw refuse('', `${path} is no JSON file: ${(cause as Error).message}`, cause)
  }
  if (!Array.isArray(json)) throw refuse('', `${path}: expected a list of peers`)
  return json.map((value: unknown, i) => {
    const entry = value as Record<string, unknown> | null
    const text = (field: keyof PeerEntry, pattern: RegExp, expected: string): string => {
      const found = entry?.[field]
      if (typeof found === 'string' && pattern.test(found)) return found
      throw refuse(`[${i}].${field}`, `${path}: [${i}].${field}: expected ${expected}`)
    }
    const token = /^[\x21-\x7e]{16,4096}$/
    return {
      url: text('url', /^https?:\/\/\S+$/, 'an http or https URL'),
      address: text('address', /^0x[0-9a-fA-F]{40}$/, 'an address').toLowerCase() as Address,
      token: text('token', token, 'a token of at least 16 visible characters'),
      accept: text('accept', token, 'a token of at least 16 visible characters'),
    }
  })
}

/** A peer to listen to. */
export function peerOf({ url, address, token }: PeerEntry, allowInsecure: boolean): Peer {
  return httpChecker({ url, address, token, allowInsecure })
}

function refuse(field: string, message: string, cause?: unknown): PictorError {
  return new PictorError('invalid-input', message, { details: { path: `peers${field}` }, cause })
}

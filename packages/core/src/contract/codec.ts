import { invalid } from './error.ts'

/** Plain data that survives JSON. `bigint` travels as `{ "~bigint": "123" }` inside journals; money has its own wire form, see money.ts. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * Canonical JSON (RFC 8785): keys sorted by UTF-16 code units, no white space, numbers as ECMAScript prints them. `undefined` fields are left out, bigints are
 * written as decimal strings (every schema that holds one reads it back by `BigInt`), so equal values have equal bytes and equal hashes.
 * @throws invalid-input on NaN, infinities, functions and symbols
 */
export function canonicalJson(value: unknown, path = '$'): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `"${value}"`
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid(path, 'a finite number', value)
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map((item, i) => canonicalJson(item ?? null, `${path}[${i}]`)).join(',')}]`
  if (typeof value !== 'object') throw invalid(path, 'plain data', typeof value)
  const object = value as Record<string, unknown>
  const fields = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key], `${path}.${key}`)}`)
  return `{${fields.join(',')}}`
}

/** JSON that keeps bigints apart from strings, for journals and other private files: `{ "~bigint": "12" }`. Typed arrays are not allowed. */
export function encodeJournal(value: unknown): string {
  return JSON.stringify(tagBigints(value))
}

/** Reads what {@link encodeJournal} wrote. @throws invalid-input when the text is no JSON */
export function decodeJournal<T>(text: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid('json', 'valid JSON', (cause as Error).message)
  }
  return untagBigints(value) as T
}

// Replacers and revivers of JSON would do the same, several times slower: a million-frame order or the votes of a batch are long lists of numbers and texts.

/** The value itself where no bigint lies in it, otherwise a copy with tagged ones. */
function tagBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return { '~bigint': value.toString() }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined
    for (let i = 0; i < value.length; i++) {
      const tagged = tagBigints(value[i])
      if (tagged !== value[i]) (copy ??= [...(value as unknown[])])[i] = tagged
    }
    return copy ?? value
  }
  // Dates and the like say themselves what they are in JSON.
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value
  let copy: Record<string, unknown> | undefined
  for (const [key, item] of Object.entries(value)) {
    const tagged = tagBigints(item)
    if (tagged !== item) (copy ??= { ...value })[key] = tagged
  }
  return copy ?? value
}

/** Changes `value`. */
function untagBigints(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const fields = value as Record<string, unknown>
  if (typeof fields['~bigint'] === 'string') return BigInt(fields['~bigint'])
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (typeof value[i] === 'object') value[i] = untagBigints(value[i])
    return value
  }
  for (const key of Object.keys(fields)) if (typeof fields[key] === 'object') fields[key] = untagBigints(fields[key])
  return value
}

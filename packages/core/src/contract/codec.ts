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
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? { '~bigint': item.toString() } : item))
}

/** Reads what {@link encodeJournal} wrote. @throws invalid-input when the text is no JSON */
export function decodeJournal<T>(text: string): T {
  try {
    return JSON.parse(text, (_key, item: unknown) => {
      const tagged = item as { '~bigint'?: string } | null
      return typeof tagged === 'object' && tagged !== null && typeof tagged['~bigint'] === 'string'
        ? BigInt(tagged['~bigint'])
        : item
    }) as T
  } catch (cause) {
    throw invalid('json', 'valid JSON', (cause as Error).message)
  }
}

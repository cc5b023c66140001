import { invalid } from '@pictor/core/contract'

/** A JSON Schema (2020-12) as OpenAPI 3.1 uses it. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** One definition with two uses: it documents a value on the wire and reads it, naming the field that breaks a rule. */
export interface Schema<T> {
  readonly json: JsonSchema
  /** Set where the field may be left out. */
  readonly optional?: boolean
  /** @throws invalid-input naming the path */
  read(value: unknown, path: string): T
}

/** Named schemas become `#/components/schemas/NAME` of the document. */
const NAMES = new WeakMap<JsonSchema, string>()

/** Name of a schema that {@link named} named. */
export function nameOf(json: JsonSchema): string | undefined {
  return NAMES.get(json)
}

/** Gives a schema its name in the document. */
export function named<T>(name: string, schema: Schema<T>): Schema<T> {
  NAMES.set(schema.json, name)
  return schema
}

/** Text of at most `max` UTF-16 units, matching `pattern` where one is given. */
export function text(options: { max?: number; pattern?: RegExp; expected?: string; description?: string } = {}): Schema<string> {
  const { max = 65_536, pattern, expected = `text of at most ${max} characters`, description } = options
  return {
    json: { type: 'string', maxLength: max, ...(pattern && { pattern: pattern.source }), ...(description && { description }) },
    read(value, path) {
      if (typeof value !== 'string' || value.length > max || (pattern && !pattern.test(value)))
        throw invalid(path, expected, value)
      return value
    },
  }
}

/** A finite number, whole when `whole` is set. */
export function number(options: { min?: number; max?: number; whole?: boolean; description?: string } = {}): Schema<number> {
  const { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, whole = false, description } = options
  return {
    json: {
      type: whole ? 'integer' : 'number',
      ...(options.min !== undefined && { minimum: min }),
      ...(options.max !== undefined && { maximum: max }),
      ...(description && { description }),
    },
    read(value, path) {
      if (
        typeof value !== 'number' ||
        !Number.isFinite(value) ||
        value < min ||
        value > max ||
        (whole && !Number.isInteger(value))
      )
        throw invalid(path, `a ${whole ? 'whole ' : ''}number from ${min} to ${max}`, value)
      return value
    },
  }
}

/** A whole number of at least `min` (0). */
export const count = (min = 0, description?: string): Schema<number> =>
  number({ min, whole: true, ...(description !== undefined && { description }) })

/** True or false. */
export const flag: Schema<boolean> = {
  json: { type: 'boolean' },
  read(value, path) {
    if (typeof value !== 'boolean') throw invalid(path, 'true or false', value)
    return value
  },
}

/** An integer of any size, as a decimal string on the wire. */
export const bigint: Schema<bigint> = {
  json: { type: 'string', pattern: '^-?[0-9]{1,78}$', description: 'a whole number in decimal digits' },
  read(value, path) {
    if (typeof value !== 'string' || !/^-?\d{1,78}$/.test(value)) throw invalid(path, 'a whole number as a decimal string', value)
    return BigInt(value)
  },
}

/** One of the given words. */
export function word<T extends string | number>(...words: readonly T[]): Schema<T> {
  return {
    json: { enum: words },
    read(value, path) {
      if (!words.includes(value as T)) throw invalid(path, `one of ${words.join(', ')}`, value)
      return value as T
    },
  }
}

/** A list of `min` to `max` items. */
export function list<T>(item: Schema<T>, max = 100_000, min = 0): Schema<T[]> {
  return {
    json: { type: 'array', items: item.json, maxItems: max, ...(min > 0 && { minItems: min }) },
    read(value, path) {
      if (!Array.isArray(value) || value.length > max || value.length < min)
        throw invalid(path, `a list of ${min} to ${max} items`, value)
      return value.map((entry, i) => item.read(entry, `${path}[${i}]`))
    },
  }
}

/** A list whose items of unknown types are left out, so that a newer farm may send more. */
export function openList<T>(item: Tagged<T>, max = 100_000): Schema<T[]> {
  const all = list<unknown>({ json: item.openJson, read: (value) => value }, max)
  return {
    json: all.json,
    read: (value, path) =>
      all.read(value, path).flatMap((entry, i) => (item.knows(entry) ? [item.read(entry, `${path}[${i}]`)] : [])),
  }
}

/** A field that may be left out. */
export function optional<T>(schema: Schema<T>): Schema<T | undefined> {
  return {
    json: schema.json,
    optional: true,
    read: (value, path) => (value === undefined ? undefined : schema.read(value, path)),
  }
}

/** A value or null. */
export function nullable<T>(schema: Schema<T>): Schema<T | null> {
  return {
    json: { anyOf: [schema.json, { type: 'null' }] },
    read: (value, path) => (value === null ? null : schema.read(value, path)),
  }
}

/** Plain JSON of any shape, for `ext`. */
export const anything: Schema<unknown> = { json: {}, read: (value) => value }

/** An object of any fields with values of one kind. */
export function record<T>(item: Schema<T>, max = 1_000): Schema<Record<string, T>> {
  return {
    json: { type: 'object', additionalProperties: item.json, maxProperties: max },
    read(value, path) {
      const fields = plain(value, path)
      const keys = Object.keys(fields)
      if (keys.length > max) throw invalid(path, `at most ${max} fields`, keys.length)
      return Object.fromEntries(keys.map((key) => [key, item.read(fields[key], `${path}.${key}`)]))
    },
  }
}

/** The field `ext`: data of others, passed through. */
export const ext: Schema<Record<string, unknown> | undefined> = optional(record(anything))

type Fields<T> = { readonly [K in keyof T]-?: Schema<unknown> }

function plain(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, 'an object', value)
  return value as Record<string, unknown>
}

/**
 * An object with these fields. Fields that are not named pass through untouched: a newer version may send more, and digests cover them.
 * `__proto__` never passes.
 */
export function object<T>(fields: Fields<T>, description?: string): Schema<T> {
  const entries = Object.entries(fields) as [string, Schema<unknown>][]
  const properties = Object.fromEntries(entries.map(([key, schema]) => [key, schema.json]))
  const required = entries.filter(([, schema]) => !schema.optional).map(([key]) => key)
  return {
    json: { type: 'object', properties, ...(required.length > 0 && { required }), ...(description && { description }) },
    read(value, path) {
      const source = plain(value, path)
      const result: Record<string, unknown> = {}
      for (const key of Object.keys(source)) if (key !== '__proto__' && !(key in fields)) result[key] = source[key]
      for (const [key, schema] of entries) {
        const item = schema.read(source[key], `${path}.${key}`)
        if (item !== undefined) result[key] = item
      }
      return result as T
    },
  }
}

/** One of several objects, told apart by a word in one field. */
export interface Tagged<T> extends Schema<T> {
  knows(value: unknown): boolean
  /** The same, and any object with another word. */
  readonly openJson: JsonSchema
}

/** One of several objects, told apart by the word in `tag`. */
export function tagged<T>(tag: string, variants: Readonly<Record<string, Schema<unknown>>>): Tagged<T> {
  const words = Object.keys(variants)
  const variantOf = (value: unknown): Schema<unknown> | undefined => {
    const key = (value as Record<string, unknown> | null | undefined)?.[tag]
    return typeof key === 'string' && Object.hasOwn(variants, key) ? variants[key] : undefined
  }
  const known = words.map((key) => ({
    allOf: [{ type: 'object', properties: { [tag]: { const: key } }, required: [tag] }, variants[key]!.json],
  }))
  const other = { type: 'object', properties: { [tag]: { type: 'string', not: { enum: words } } }, required: [tag] }
  return {
    json: { oneOf: known },
    openJson: { oneOf: [...known, { ...other, description: 'of a later version' }] },
    knows: (value) => variantOf(value) !== undefined,
    read(value, path) {
      const variant = variantOf(plain(value, path))
      if (!variant) throw invalid(`${path}.${tag}`, `one of ${words.join(', ')}`, (value as Record<string, unknown>)[tag])
      return variant.read(value, path) as T
    },
  }
}

/** The first schema that reads the value; for unions without a tag. */
export function either<A, B>(first: Schema<A>, second: Schema<B>, isFirst: (value: unknown) => boolean): Schema<A | B> {
  return {
    json: { anyOf: [first.json, second.json] },
    read: (value, path) => (isFirst(value) ? first.read(value, path) : second.read(value, path)),
  }
}

/** JSON of a contract value: bigints become decimal strings, as every schema here reads them back. */
export function toWire(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item))
}

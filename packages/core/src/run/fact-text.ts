import { PictorError } from '../contract/error.ts'

export interface FactBase {
  readonly v: number
  readonly t: string
  readonly at: number
}

/**
 * Versions of the text of a fact. 1: plain JSON. 2: JSON in which hexadecimal strings and lists of integers, which are nearly all of a journal, are packed. In memory
 * a fact is the same, whichever of them it was read from.
 */
export const FACT_VERSION = 2

/** Text of a fact as this release writes it. {@link readFact} gives back the same fact. */
export function writeFact(fact: FactBase): string {
  return JSON.stringify({ ...(pack(fact) as object), v: FACT_VERSION })
}

/** Reads a fact. @throws unknown-fact when it was written by a newer version */
export function readFact<F extends FactBase>(text: string, stream: string): F {
  const fact = JSON.parse(text) as { v: number }
  if (!(fact.v >= 1 && fact.v <= FACT_VERSION))
    throw new PictorError(
      'unknown-fact',
      `${stream}: a fact of version ${fact.v} needs a newer Pictor; this one reads up to ${FACT_VERSION}`,
      { details: { stream, needs: fact.v, reads: FACT_VERSION } },
    )
  if (fact.v === 1) return fact as unknown as F
  fact.v = 1
  return unpack(fact) as F
}

/** Packed strings begin with a mark and a letter: `h`ex with and without (`x`) 0x, `i`ntegers, `r`epeated letters, or the mark again for a text that begins with it. */
const MARK = '~'
/** Shorter ones are not worth it: addresses have 40 digits. */
const LEAST_HEX = 40
const LEAST_INTEGERS = 4
const LEAST_REPEATS = 8
/** Differences of integers below it are exact. */
const INTEGER_LIMIT = 2 ** 52

/** A JSON value with its long parts packed. What JSON drops is dropped here. */
export function pack(value: unknown): unknown {
  if (typeof value === 'string') return packText(value)
  if (Array.isArray(value)) return packIntegers(value) ?? value.map(pack)
  if (typeof value !== 'object' || value === null) return value
  const fields = value as Record<string, unknown>
  let packed: Record<string, unknown> | undefined
  for (const key of Object.keys(fields)) {
    const item = fields[key]
    const kept = typeof item === 'string' || typeof item === 'object' ? pack(item) : item
    if (kept !== item) (packed ??= { ...fields })[key] = kept
  }
  return packed ?? value
}

/** What {@link pack} packed. Changes `value`. */
export function unpack(value: unknown): unknown {
  if (typeof value === 'string') return value.startsWith(MARK) ? unpackText(value) : value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = unpack(value[i])
    return value
  }
  if (typeof value !== 'object' || value === null) return value
  const fields = value as Record<string, unknown>
  for (const key of Object.keys(fields)) {
    const item = fields[key]
    if (typeof item === 'string' || typeof item === 'object') fields[key] = unpack(item)
  }
  return value
}

function packText(text: string): string {
  if (text.startsWith(MARK)) return MARK + MARK + text
  const from = text.startsWith('0x') ? 2 : 0
  const digits = text.length - from
  if (text.length >= LEAST_REPEATS && /^([a-z-])\1*$/.test(text)) return `${MARK}r${text[0]}${text.length}`
  if (digits < LEAST_HEX || digits % 2 !== 0 || !/^(?:0x)?[0-9a-f]+$/.test(text)) return text
  return `${MARK}${from === 2 ? 'h' : 'x'}${Buffer.from(text.slice(from), 'hex').toString('base64url')}`
}

function unpackText(text: string): unknown {
  const rest = text.slice(2)
  switch (text[1]) {
    case 'h':
      return `0x${Buffer.from(rest, 'base64url').toString('hex')}`
    case 'x':
      return Buffer.from(rest, 'base64url').toString('hex')
    case 'r':
      return rest[0]!.repeat(Number(rest.slice(1)))
    case 'i':
      return unpackIntegers(rest)
    default:
      return rest
  }
}

/** The first integer, then its differences to the next ones, equal ones counted: 1 to 20 is `1,1*19`. Undefined where plain JSON is as short. */
function packIntegers(list: readonly unknown[]): string | undefined {
  if (list.length < LEAST_INTEGERS) return undefined
  let last = 0
  let plain = 1
  let packed = ''
  let step: number | undefined
  let count = 0
  const flush = (): void => {
    if (step !== undefined) packed += `,${step}${count > 1 ? `*${count}` : ''}`
  }
  for (let i = 0; i < list.length; i++) {
    const value = list[i]
    if (!Number.isInteger(value) || Math.abs(value as number) >= INTEGER_LIMIT) return undefined
    const integer = value as number
    plain += String(integer).length + 1
    if (i === 0) packed = String(integer)
    else if (integer - last === step) count++
    else {
      flush()
      step = integer - last
      count = 1
    }
    last = integer
  }
  flush()
  // Quotes, mark and letter come on top.
  return packed.length + 4 < plain ? `${MARK}i${packed}` : undefined
}

function unpackIntegers(packed: string): number[] {
  const [first, ...steps] = packed.split(',')
  let last = Number(first)
  const list = [last]
  for (const part of steps) {
    const [step, count] = part.split('*')
    for (let i = Number(count ?? 1); i > 0; i--) list.push((last += Number(step)))
  }
  return list
}

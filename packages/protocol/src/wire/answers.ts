import type { Refusal, TaskChange, Unavailable } from '@pictor/core/contract'
import { anything, either, list, named, number, object, optional, record, text, word, type Schema } from '../schema.ts'
import { hash, name, words, zeroOrMore } from './basics.ts'

/** What is wanted of a task. */
export const changeSchema: Schema<TaskChange> = named(
  'TaskChange',
  object<TaskChange>({
    desired: optional(word('run', 'hold', 'cancel', 'erase')),
    priority: optional(number()),
    answer: optional(object<NonNullable<TaskChange['answer']>>({ ticket: name, fields: record(words) })),
  }),
)
const refusal = object<Refusal>({ refused: { json: { const: true }, read: () => true as const }, reason: name, message: words })
/** Answer of a change: one word or a refusal. */
export const changeAnswerSchema: Schema<{ result: 'done' | 'accepted' | 'manual' | Refusal }> = named(
  'ChangeAnswer',
  object<{ result: 'done' | 'accepted' | 'manual' | Refusal }>({
    result: either(word('done', 'accepted', 'manual'), refusal, (value) => typeof value === 'string'),
  }),
)
/** Why an output cannot be had. */
export const unavailableSchema: Schema<Unavailable> = named(
  'Unavailable',
  object<Unavailable>({ unavailable: word('not-yet', 'payment', 'expired', 'gone'), retryAfterMs: optional(zeroOrMore) }),
)
/** Files that have to be sent. */
export const missingSchema: Schema<{ missing: `0x${string}`[] }> = named(
  'Missing',
  object<{ missing: `0x${string}`[] }>({ missing: list(hash, 200_000) }),
)
/** Tasks with news. */
export const hintSchema: Schema<{ tasks: string[] }> = named('Hint', object<{ tasks: string[] }>({ tasks: list(name, 100_000) }))
/** An error as it travels. */
export const errorSchema: Schema<{ error: { code: string; message: string; details: Record<string, unknown> } }> = named(
  'Error',
  object<{ error: { code: string; message: string; details: Record<string, unknown> } }>({
    error: object<{ code: string; message: string; details: Record<string, unknown> }>({
      code: text({ max: 64 }),
      message: words,
      details: record(anything),
    }),
  }),
)
/** A sha256 as `0x` hex. */
export const hashSchema: Schema<`0x${string}`> = hash

import type { FarmEvent, FarmPoll } from '@pictor/core/contract'
import { bigint, count, named, object, openList, optional, tagged, text, word, type Schema, type Tagged } from '../schema.ts'
import { atMs, currency, frame, frames, hash, share, signature, words, zeroOrMore } from './basics.ts'
import { commit, failure, outputSchema, ticket } from './farm.ts'
import { taskRefSchema } from './job.ts'

const state = word(
  'submitted',
  'uploading',
  'queued',
  'starting',
  'running',
  'pausing',
  'suspended',
  'awaiting-operator',
  'interrupted',
  'canceling',
  'succeeded',
  'failed',
  'canceled',
  'incompatible',
  'lost',
)
type EventOf<T extends FarmEvent['type']> = Extract<FarmEvent, { type: T }>
/** One event of a poll; unknown types are passed over by the reader of a page. */
export const eventSchema: Tagged<FarmEvent> = tagged<FarmEvent>('type', {
  state: object<EventOf<'state'>>({
    type: word('state'),
    task: taskRefSchema,
    state,
    raw: words,
    atMs,
    failure: optional(failure),
  }),
  progress: object<EventOf<'progress'>>({
    type: word('progress'),
    task: taskRefSchema,
    atMs,
    framesDone: count(),
    framesTotal: count(),
    frame: optional(frame),
    fraction: optional(share),
  }),
  output: object<EventOf<'output'>>({ type: word('output'), output: outputSchema, atMs }),
  'frame-failed': object<EventOf<'frame-failed'>>({ type: word('frame-failed'), task: taskRefSchema, frame, failure, atMs }),
  commit: object<EventOf<'commit'>>({ type: word('commit'), task: taskRefSchema, commit, atMs }),
  ticket: object<EventOf<'ticket'>>({ type: word('ticket'), task: optional(taskRefSchema), ticket, atMs }),
  canceled: object<EventOf<'canceled'>>({
    type: word('canceled'),
    task: taskRefSchema,
    framesDone: frames,
    outputRoot: optional(hash),
    signature: optional(signature),
    atMs,
  }),
  usage: object<EventOf<'usage'>>({
    type: word('usage'),
    task: taskRefSchema,
    line: words,
    amount: optional(bigint),
    currency: optional(currency),
    atMs,
  }),
})
/** One page of a poll. */
export const pollSchema: Schema<FarmPoll> = named(
  'FarmPoll',
  object<FarmPoll>({ events: openList(eventSchema, 1_000_000), cursor: text({ max: 4_096 }), waitMs: zeroOrMore }),
)

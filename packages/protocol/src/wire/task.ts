import type { LeaseTicket, Task, Window, Work } from '@pictor/core/contract'
import { count, ext, list, named, number, object, optional, tagged, word, type Schema } from '../schema.ts'
import { contract, frame, frames, hash, name, words } from './basics.ts'
import { manifestSchema, region, renderSpecSchema, stageRefSchema } from './job.ts'
import { domain, lease, leaseSet, ready, sealKey, terms } from './messages.ts'

const window = object<Window>({
  region: optional(region),
  samples: optional(count(1)),
  seed: optional(number({ whole: true })),
  resolutionPct: optional(number({ min: 0.01, max: 10_000 })),
})
const workVariants = {
  frames: object<Extract<Work, { kind: 'frames' }>>({ kind: word('frames'), frames: list(frame, 100_000, 1) }),
  tiles: object<Extract<Work, { kind: 'tiles' }>>({ kind: word('tiles'), frame, tiles: list(region, 100_000, 1) }),
  samples: object<Extract<Work, { kind: 'samples' }>>({
    kind: word('samples'),
    frame,
    ranges: list(object<{ offset: number; samples: number }>({ offset: count(), samples: count(1) }), 100_000, 1),
  }),
  command: object<Extract<Work, { kind: 'command' }>>({ kind: word('command'), argv: list(words, 1_000, 1), frames }),
}
const knownWork = tagged<Work>('kind', workVariants)
/** Kinds of work that are not known here travel on: the farm declines them by itself. */
const work: Schema<Work> = {
  json: knownWork.openJson,
  read: (value, path) =>
    knownWork.knows(value)
      ? knownWork.read(value, path)
      : (object<{ kind: string }>({ kind: name }).read(value, path) as unknown as Work),
}

const leaseTicket = named(
  'LeaseTicket',
  object<LeaseTicket>({
    domain,
    terms,
    job: hash,
    lease,
    set: leaseSet,
    proof: list(hash, 64),
    ready: list(ready, 1_000),
    sealKeys: optional(list(sealKey, 1_000)),
  }),
)

/** A task as a farm is given it, with its lease. */
export const taskSchema: Schema<Task> = named(
  'Task',
  object<Task>({
    contract,
    run: name,
    id: count(),
    attempt: count(),
    purpose: word('render', 'probe', 'check'),
    bundle: manifestSchema,
    stage: stageRefSchema,
    spec: renderSpecSchema,
    work,
    window: optional(window),
    offer: optional(name),
    lease: optional(leaseTicket),
    priority: optional(number()),
    ext,
  }),
)

import type {
  Commit,
  Failure,
  FarmCapabilities,
  FarmInfo,
  FrameOutput,
  ListedPrice,
  Output,
  Seal,
  SoftwareBuild,
  Ticket,
} from '@pictor/core/contract'
import { count, ext, flag, list, named, object, optional, text, word, type Schema } from '../schema.ts'
import { address, atMs, contract, currency, frame, hash, hostRating, name, signature, words, zeroOrMore } from './basics.ts'
import { taskRefSchema } from './job.ts'

const support = word('native', 'emulated', 'manual', 'none')
const capabilities = object<FarmCapabilities>({
  cancelQueued: support,
  cancelRunning: support,
  hold: support,
  priority: support,
  tiles: support,
  samples: support,
  windows: support,
  partialOutputs: support,
  resumeDownload: support,
  bindingQuote: support,
})
const listedPrice = object<ListedPrice>({
  tier: name,
  device: optional(word('cpu', 'gpu')),
  unit: name,
  rate: optional(text({ pattern: /^\d{1,20}(\.\d{1,20})?$/ })),
  currency,
  hosts: optional(count()),
  source: words,
  asOf: name,
  trust: word('A', 'B', 'C', 'own'),
  note: optional(words),
})
/** A program that a farm renders with. */
export const softwareBuild: Schema<SoftwareBuild> = object<SoftwareBuild>({
  name,
  version: name,
  engines: list(name, 1_000),
  devices: list(name, 1_000),
})
/** What a farm says about itself. */
export const farmInfoSchema: Schema<FarmInfo> = named(
  'FarmInfo',
  object<FarmInfo>({
    contract,
    id: name,
    name,
    lane: word('api', 'partner', 'desktop', 'manual'),
    verification: word('live', 'contract-simulated', 'none'),
    capabilities,
    idempotency: word('native', 'search', 'at-most-once'),
    software: list(softwareBuild, 1_000),
    key: optional(address),
    payTo: optional(address),
    slots: optional(count()),
    rating: optional(hostRating),
    priceBook: optional(
      object<NonNullable<FarmInfo['priceBook']>>({
        source: words,
        asOf: name,
        kind: word('list', 'third-party', 'own'),
        prices: optional(list(listedPrice, 1_000)),
      }),
    ),
    adapter: optional(object<NonNullable<FarmInfo['adapter']>>({ name, version: name })),
    ext,
  }),
)

export const failure: Schema<Failure> = named(
  'Failure',
  object<Failure>({
    class: word(
      'auth',
      'quota',
      'payment',
      'capacity',
      'license',
      'asset',
      'scene',
      'out-of-memory',
      'device-fault',
      'timeout',
      'stalled',
      'preempted',
      'bad-output',
      'transfer',
      'rate-limit',
      'protocol',
    ),
    message: words,
    frame: optional(frame),
    retryAfterMs: optional(zeroOrMore),
    raw: optional(words),
  }),
)
const seal = named(
  'Seal',
  object<Seal>({
    hash,
    bytes: count(),
    preview: optional(object<NonNullable<Seal['preview']>>({ name: text({ max: 4_200 }), hash, bytes: count() })),
  }),
)
/** One delivered file. */
export const outputSchema: Schema<Output> = named(
  'Output',
  object<Output>({
    task: taskRefSchema,
    frame,
    part: count(),
    layer: name,
    name: text({ max: 4_096 }),
    bytes: count(),
    hash,
    completedAtMs: atMs,
    renderMs: optional(zeroOrMore),
    sealed: optional(seal),
  }),
)
const frameOutput = object<FrameOutput>({ frame, part: count(), outputHash: hash, completedAtMs: atMs })
export const commit: Schema<Commit> = named(
  'Commit',
  object<Commit>({
    job: hash,
    lease: count(),
    index: count(),
    outputRoot: hash,
    outputs: list(frameOutput, 100_000),
    signature,
  }),
)
export const ticket: Schema<Ticket> = named(
  'Ticket',
  object<Ticket>({
    id: name,
    title: words,
    instructions: list(words, 1_000),
    fields: list(object<Ticket['fields'][number]>({ name, label: words, required: flag }), 100),
    closed: optional(flag),
  }),
)

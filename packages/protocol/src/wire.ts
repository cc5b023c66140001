import type {
  BundleFile,
  BundleManifest,
  Commit,
  Estimate,
  FarmCapabilities,
  FarmInfo,
  FarmPoll,
  Failure,
  FrameOutput,
  JobSpec,
  Lease,
  LeaseSet,
  LeaseTicket,
  LedgerDomain,
  Money,
  Offer,
  OfferPrice,
  Output,
  OutputSpec,
  Decline,
  FarmEvent,
  Quote,
  QuoteRequest,
  Ready,
  Refusal,
  Region,
  RenderSpec,
  SoftwareBuild,
  StageRef,
  Task,
  TaskChange,
  TaskRef,
  Terms,
  Ticket,
  Unavailable,
  Window,
  Work,
} from '@pictor/core/contract'
import {
  anything,
  bigint,
  count,
  either,
  ext,
  flag,
  list,
  named,
  nullable,
  number,
  object,
  openList,
  optional,
  record,
  tagged,
  text,
  word,
  type Schema,
  type Tagged,
} from './schema.ts'

/** Every value that travels, defined once: read by client and server, printed into openapi.json. */

const hex = (digits: number, what: string): Schema<`0x${string}`> =>
  text({ max: digits + 2, pattern: new RegExp(`^0x[0-9a-f]{${digits}}$`), expected: what }) as Schema<`0x${string}`>
const hash = hex(64, '0x and 64 lower-case hex digits')
const address = hex(40, '0x and 40 lower-case hex digits')
const signature = text({
  max: 8_194,
  pattern: /^0x(?:[0-9a-fA-F]{2})*$/,
  expected: '0x and hex digits',
}) as Schema<`0x${string}`>
const name = text({ max: 1_024 })
const words = text({ max: 8_192 })
const atMs = number({ description: 'milliseconds since 1970' })
const frame = number({ whole: true, min: -(2 ** 31), max: 2 ** 31 - 1 })
const frames = list(frame)
const contract = word(0 as const)
const share = number({ min: 0, max: 1 })
const zeroOrMore = number({ min: 0 })
const currency = text({ max: 64, pattern: /^\S+$/, expected: 'a currency such as USD' })

export const moneySchema: Schema<Money> = named('Money', object<Money>({ amount: bigint, currency }))

export const taskRefSchema: Schema<TaskRef> = named(
  'TaskRef',
  object<TaskRef>({ farm: name, ref: name, leaseSignature: optional(signature) }),
)
export const stageRefSchema: Schema<StageRef> = named('StageRef', object<StageRef>({ farm: name, ref: name }))

const bundleFile = named(
  'BundleFile',
  object<BundleFile>({
    path: text({
      max: 4_096,
      // Relative, `/`-separated, without `.` or `..` parts, backslashes, drive letters or control characters.
      pattern: /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)(?![A-Za-z]:)[^\\/\p{Cc}][^\\\p{Cc}]*$/u,
      expected: 'a relative path with / and without ..',
    }),
    hash,
    bytes: count(),
  }),
)
export const manifestSchema: Schema<BundleManifest> = named(
  'BundleManifest',
  object<BundleManifest>({ root: hash, entry: text({ max: 4_096 }), files: list(bundleFile, 200_000) }),
)

const outputSpec = object<OutputSpec>({
  format: word('PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER', 'JPEG', 'TIFF', 'WEBP'),
  width: number({ whole: true, min: 1, max: 65_536 }),
  height: number({ whole: true, min: 1, max: 65_536 }),
  colorMode: word('BW', 'RGB', 'RGBA'),
  bitDepth: word(8, 16, 32),
  passes: optional(list(name, 1_000)),
})
const checkClass = word('crop', 'sidecar', 'replica', 'file-only')

export const renderSpecSchema: Schema<RenderSpec> = named(
  'RenderSpec',
  object<RenderSpec>({
    software: name,
    softwareVersion: name,
    engine: name,
    scene: name,
    viewLayers: list(name, 10_000),
    camera: name,
    samples: count(),
    adaptive: flag,
    denoise: flag,
    seed: number({ whole: true }),
    animatedSeed: flag,
    output: outputSpec,
    checkClass,
    legitBlackFrames: optional(frames),
    legitStatic: optional(flag),
    ext,
  }),
)

export const jobSpecSchema: Schema<JobSpec> = named(
  'JobSpec',
  object<JobSpec>({
    name,
    frames: text({ max: 1_000_000 }),
    bundle: manifestSchema,
    render: renderSpecSchema,
    deadlineAtMs: atMs,
    budget: moneySchema,
    goal: either(
      word('cheapest', 'fastest'),
      object<{ hourValue: Money }>({ hourValue: moneySchema }),
      (value) => typeof value === 'string',
    ),
    allowHumanLanes: optional(flag),
    maxFarms: optional(count(1)),
    priority: optional(number()),
    ext,
  }),
)

const estimate = named(
  'Estimate',
  object<Estimate>({
    work: list(zeroOrMore, 10_000_000),
    low: zeroOrMore,
    high: zeroOrMore,
    classes: list(object<Estimate['classes'][number]>({ id: name, memoryMiB: zeroOrMore }), 1_000, 1),
    classOf: optional(list(count(), 10_000_000)),
    basis: list(words, 1_000),
    probeMs: zeroOrMore,
  }),
)
export const quoteRequestSchema: Schema<QuoteRequest> = named(
  'QuoteRequest',
  object<QuoteRequest>({ spec: jobSpecSchema, estimate, atMs }),
)

const offerPrice = object<OfferPrice>({
  perHostHour: bigint,
  tiers: optional(list(object<NonNullable<OfferPrice['tiers']>[number]>({ fromHostMs: zeroOrMore, perMille: count() }), 1_000)),
  stepMs: zeroOrMore,
  minCharge: bigint,
  fixed: bigint,
  perFrame: bigint,
})
const offer = named(
  'Offer',
  object<Offer>({
    id: name,
    tier: name,
    hosts: count(1),
    readyMs: zeroOrMore,
    startMs: zeroOrMore,
    billStart: flag,
    perFrameMs: zeroOrMore,
    deliverMs: zeroOrMore,
    msPerWork: list(nullable(zeroOrMore), 1_000),
    price: offerPrice,
    ext,
  }),
)
export const quoteSchema: Schema<Quote | Decline> = tagged<Quote | Decline>('kind', {
  quote: named(
    'Quote',
    object<Quote>({
      contract,
      kind: word('quote'),
      id: name,
      farm: name,
      currency,
      validUntilAtMs: atMs,
      firmness: word('estimate', 'ceiling', 'locked'),
      offers: list(offer, 1_000),
      basis: list(words, 1_000),
      seenBy: optional(list(name, 1_000)),
      ext,
    }),
  ),
  decline: named(
    'Decline',
    object<Decline>({
      contract,
      kind: word('decline'),
      farm: name,
      reason: word(
        'software',
        'engine',
        'memory',
        'capacity',
        'license',
        'region',
        'currency',
        'asset',
        'deadline',
        'policy',
        'unreachable',
      ),
      message: words,
      retryAfterMs: optional(zeroOrMore),
    }),
  ),
})

const region = object<Region>({ x: count(), y: count(), width: count(1), height: count(1) })
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

const domain = object<LedgerDomain>({
  name: word('Pictor'),
  version: word('1'),
  chainId: count(),
  verifyingContract: address,
})
const terms = named(
  'Terms',
  object<Terms>({
    creator: address,
    runId: hash,
    token: address,
    farmBudget: bigint,
    checkBudget: bigint,
    frameCap: bigint,
    checkFee: bigint,
    specHash: hash,
    bundleRoot: hash,
    quoteHash: hash,
    checkers: list(address, 1_000),
    registryDraw: count(),
    quorum: count(),
    arbiter: address,
    leaseKey: address,
    platform: address,
    platformFeeBps: count(),
    recordMode: word('full', 'root'),
    deadlineAtS: count(),
    attestByS: count(),
    claimTimeS: count(),
    refundAfterS: count(),
    disputeWindowS: count(),
    resolveByS: count(),
  }),
)
const lease = object<Lease>({
  id: count(),
  farm: address,
  payTo: address,
  price: bigint,
  frames: list(frame, 1_000, 1),
  weights: list(count(1), 1_000, 1),
  part: count(),
  checkClass,
  commitByS: count(),
  hedgeOf: count(),
})
const leaseSet = object<LeaseSet>({ job: hash, seq: count(), setRoot: hash, signature: optional(signature) })
const ready = object<Ready>({
  job: hash,
  seq: count(),
  setRoot: hash,
  bundleRoot: hash,
  seedRoot: hash,
  checker: address,
  signature,
})
const leaseTicket = named(
  'LeaseTicket',
  object<LeaseTicket>({ domain, terms, job: hash, lease, set: leaseSet, proof: list(hash, 64), ready: list(ready, 1_000) }),
)

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
    software: list(object<SoftwareBuild>({ name, version: name, engines: list(name, 1_000), devices: list(name, 1_000) }), 1_000),
    key: optional(address),
    payTo: optional(address),
    slots: optional(count()),
    priceBook: optional(
      object<NonNullable<FarmInfo['priceBook']>>({ source: words, asOf: name, kind: word('list', 'third-party', 'own') }),
    ),
    ext,
  }),
)

const failure = named(
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
  }),
)
const frameOutput = object<FrameOutput>({ frame, part: count(), outputHash: hash, completedAtMs: atMs })
const commit = named(
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
const ticket = named(
  'Ticket',
  object<Ticket>({
    id: name,
    title: words,
    instructions: list(words, 1_000),
    fields: list(object<Ticket['fields'][number]>({ name, label: words, required: flag }), 100),
    closed: optional(flag),
  }),
)
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
export const pollSchema: Schema<FarmPoll> = named(
  'FarmPoll',
  object<FarmPoll>({ events: openList(eventSchema, 1_000_000), cursor: text({ max: 4_096 }), waitMs: zeroOrMore }),
)

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
export const unavailableSchema: Schema<Unavailable> = named(
  'Unavailable',
  object<Unavailable>({ unavailable: word('not-yet', 'payment', 'expired', 'gone'), retryAfterMs: optional(zeroOrMore) }),
)
export const missingSchema: Schema<{ missing: `0x${string}`[] }> = named(
  'Missing',
  object<{ missing: `0x${string}`[] }>({ missing: list(hash, 200_000) }),
)
export const hintSchema: Schema<{ tasks: string[] }> = named('Hint', object<{ tasks: string[] }>({ tasks: list(name, 100_000) }))
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
export const hashSchema: Schema<`0x${string}`> = hash

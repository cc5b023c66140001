import type {
  Batch,
  CanceledLease,
  CheckerAction,
  CheckerEvent,
  CheckerJob,
  CheckerSignature,
  Finding,
  FrameRecord,
  FrameReport,
  Held,
  LeaseResult,
  KeyAnswer,
  KeyRequest,
  LedgerDomain,
  SealedOutput,
  SealKey,
  SeedReveal,
  Vote,
} from '@pictor/core/contract'
import {
  bigint,
  count,
  flag,
  list,
  named,
  number,
  object,
  openList,
  optional,
  tagged,
  text,
  word,
  type Schema,
  type Tagged,
} from '../schema.ts'
import { address, atMs, contract, frame, hash, name, signature, words, zeroOrMore } from '../wire/basics.ts'
import { commit, softwareBuild } from '../wire/farm.ts'
import { manifestSchema, renderSpecSchema } from '../wire/job.ts'
import { domain, lease, leaseSet, ready, sealKey, terms } from '../wire/messages.ts'
import { region } from '../wire/job.ts'

/** Who a checker is. */
export interface CheckerInfo {
  readonly contract: 1
  readonly id: string
  /** The key that signs its Ready, Held, votes and batches. */
  readonly address: `0x${string}`
}

/** Where the files of a job lie: `GET {url}/v1/jobs/{job}/files/{hash}` with the token as bearer. */
export interface FileSource {
  readonly url: string
  readonly token: string
}

/** A job as it travels: where its files lie instead of the files. */
export type WireJob = Omit<CheckerJob, 'files'> & { readonly files: FileSource }
type OnWire<A> = A extends { readonly job: CheckerJob } ? Omit<A, 'job'> & { readonly job: WireJob } : never
/** A checker's action as it travels. */
export type WireAction = OnWire<CheckerAction>

export const checkerInfoSchema: Schema<CheckerInfo> = named('CheckerInfo', object<CheckerInfo>({ contract, id: name, address }))

const fileSource = object<FileSource>({
  url: text({ max: 2_048, pattern: /^https?:\/\/\S+$/, expected: 'an http or https URL' }),
  token: text({ max: 4_096, pattern: /^[\x21-\x7e]{16,}$/, expected: 'a token of at least 16 visible characters' }),
})
const job = named(
  'CheckerJob',
  object<WireJob>({
    domain,
    terms,
    job: hash,
    run: name,
    spec: renderSpecSchema,
    bundle: manifestSchema,
    files: fileSource,
  }),
)
const canceledLease = object<CanceledLease>({ job: hash, lease: count(), outputRoot: hash, signature })
const verdict = word('accept', 'refuse', 'unsure')
const score = number({ min: 0, max: 1_000, whole: true })
const vote = named(
  'Vote',
  object<Vote>({
    job: hash,
    lease: count(),
    frame,
    part: count(),
    outputHash: hash,
    checked: flag,
    verdict,
    score,
    cropsHash: hash,
    checker: address,
    signature,
  }),
)
const seed = object<SeedReveal>({ lease: count(), seed: hash, proof: list(hash, 64), checker: address })
/** JSON has no infinity: it travels as null, and is left out by the reader. */
const measured: Schema<number | undefined> = {
  json: { type: ['number', 'null'] },
  optional: true,
  read: (value, path) => (value === undefined || value === null ? undefined : number().read(value, path)),
}
const finding = object<Finding>({
  code: name,
  message: words,
  value: measured,
  threshold: measured,
  region: optional(region),
})
const reportFields = {
  lease: count(),
  frame,
  part: count(),
  verdict,
  checked: flag,
  findings: list(finding, 1_000),
  picture: optional(hash),
  ms: zeroOrMore,
  replica: optional(hash),
}
const report = named('FrameReport', object<FrameReport>(reportFields))
const record = object<FrameRecord>({ frame, part: count(), outputHash: hash, completedAtMs: atMs, verdict, checked: flag, score })
const batch = named(
  'Batch',
  object<Batch>({
    job: hash,
    results: list(
      object<LeaseResult>({
        lease,
        seq: count(),
        records: list(record, 1_000),
        acceptedWeight: count(),
        votes: list(object<{ checker: `0x${string}`; count: number }>({ checker: address, count: count() }), 1_000),
      }),
      10_000,
    ),
    batchHash: hash,
    validUntilS: count(),
  }),
)
const checkerSignature = object<CheckerSignature>({ checker: address, signature })

type ActionOf<K extends WireAction['kind']> = Extract<WireAction, { kind: K }>
type Revealed = FrameReport & { readonly checker: `0x${string}` }
type Neighbour = { readonly frame: number; readonly hash: `0x${string}` }

/** What a checker is asked. */
export const actionSchema: Tagged<WireAction> = tagged<WireAction>('kind', {
  ready: object<ActionOf<'ready'>>({
    kind: word('ready'),
    job,
    set: leaseSet,
    leases: list(lease, 100_000),
    canceled: optional(list(canceledLease)),
  }),
  hold: object<ActionOf<'hold'>>({
    kind: word('hold'),
    job,
    lease,
    commit,
    farm: address,
    sealed: optional(list(object<SealedOutput>({ outputHash: hash, sealedHash: hash }), 10_000)),
  }),
  check: object<ActionOf<'check'>>({
    kind: word('check'),
    job,
    lease,
    commits: list(commit, 1_000),
    neighbours: optional(list(object<Neighbour>({ frame, hash }), 1_000)),
    software: optional(list(softwareBuild, 1_000)),
  }),
  reveal: object<ActionOf<'reveal'>>({ kind: word('reveal'), job, lease: count() }),
  'sign-batch': object<ActionOf<'sign-batch'>>({
    kind: word('sign-batch'),
    job,
    batch,
    votes: list(vote, 1_000_000),
    seeds: list(seed),
    readies: optional(list(ready, 100_000)),
    reports: optional(list(object<Revealed>({ ...reportFields, checker: address }), 1_000_000)),
  }),
  'sign-final': object<ActionOf<'sign-final'>>({
    kind: word('sign-final'),
    job,
    keep: bigint,
    canceled: optional(list(canceledLease)),
  }),
})
named('CheckerAction', actionSchema)

type EventOf<T extends CheckerEvent['type']> = Extract<CheckerEvent, { type: T }>
const event: Tagged<CheckerEvent> = tagged<CheckerEvent>('type', {
  ready: object<EventOf<'ready'>>({ type: word('ready'), ready, atMs }),
  held: object<EventOf<'held'>>({
    type: word('held'),
    held: object<Held>({ job: hash, lease: count(), outputRoot: hash, checker: address, signature }),
    atMs,
  }),
  checked: object<EventOf<'checked'>>({ type: word('checked'), lease: count(), checker: address, cpuMs: zeroOrMore, atMs }),
  votes: object<EventOf<'votes'>>({
    type: word('votes'),
    lease: count(),
    votes: list(vote, 1_000),
    seed,
    reports: list(report, 1_000),
    atMs,
  }),
  'batch-signature': object<EventOf<'batch-signature'>>({
    type: word('batch-signature'),
    batchHash: hash,
    signature: checkerSignature,
    atMs,
  }),
  'final-signature': object<EventOf<'final-signature'>>({
    type: word('final-signature'),
    keep: bigint,
    signature: checkerSignature,
    atMs,
  }),
  'lease-progress': object<EventOf<'lease-progress'>>({
    type: word('lease-progress'),
    lease: count(),
    state: word('waiting', 'rendering', 'stalled', 'committed', 'late', 'canceled'),
    held: count(),
    frames: count(),
    lastCompletedAtMs: optional(atMs),
    message: words,
    atMs,
  }),
  alarm: object<EventOf<'alarm'>>({
    type: word('alarm'),
    action: name,
    lease: optional(count()),
    reason: name,
    message: words,
    atMs,
  }),
})

/** One page of what a checker said about a job. Events of unknown types are passed over. */
export interface CheckerPage {
  readonly events: readonly CheckerEvent[]
  readonly cursor: string
  readonly waitMs: number
}
export const pageSchema: Schema<CheckerPage> = named(
  'CheckerPage',
  object<CheckerPage>({ events: openList(event), cursor: text({ max: 4_096 }), waitMs: zeroOrMore }),
)

/** Which ledger's jobs the asked key is for: it is signed in that domain. */
export const sealKeyAskSchema: Schema<{ domain: LedgerDomain }> = named(
  'SealKeyAsk',
  object<{ domain: LedgerDomain }>({ domain }),
)
export const sealKeySchema: Schema<SealKey> = named('SealKey', sealKey)
export const keyRequestSchema: Schema<KeyRequest> = named(
  'KeyRequest',
  object<KeyRequest>({ job: hash, lease: count(), recipient: hash, validUntilS: count(), signature }),
)
export const keyAnswerSchema: Schema<KeyAnswer> = named(
  'KeyAnswer',
  object<KeyAnswer>({
    checker: address,
    envelope: text({ max: 4_194_304, pattern: /^0x(?:[0-9a-f]{2})*$/, expected: '0x and hex digits' }) as Schema<`0x${string}`>,
  }),
)

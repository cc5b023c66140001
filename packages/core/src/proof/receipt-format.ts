import { type Json, canonicalJson } from '../contract/codec.ts'
import { invalid } from '../contract/error.ts'
import {
  type Address,
  type Bytes32,
  type CheckClass,
  type FrameRecord,
  type Lease,
  type LedgerDomain,
  type Terms,
  type Verdict,
  CHECK_CLASSES,
  VERDICTS,
} from '../contract/messages.ts'
import { PAYMENT_ROLES } from './pay.ts'
import type { Receipt, ReceiptAnchor, ReceiptStep } from './receipt.ts'

/** Reads one value or refuses it with its path. A receipt is read strictly: what no check covers must not be there. */
type Read<T> = (value: unknown, path: string) => T

const pattern =
  <T extends string>(regex: RegExp, expected: string): Read<T> =>
  (value, path) => {
    if (typeof value !== 'string' || !regex.test(value)) throw invalid(path, expected, value)
    return value as T
  }
const hash = pattern<Bytes32>(/^0x[0-9a-f]{64}$/, '0x and 64 lower-case hex digits')
const address = pattern<Address>(/^0x[0-9a-f]{40}$/, '0x and 40 lower-case hex digits')
const hex = pattern<`0x${string}`>(/^0x([0-9a-f]{2})*$/, '0x and lower-case hex digits')
const amount: Read<bigint> = (value, path) => {
  if (typeof value === 'bigint' && value >= 0n) return value
  return BigInt(pattern<string>(/^(0|[1-9]\d{0,38})$/, 'a decimal amount')(value, path))
}
const int: Read<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || Object.is(value, -0))
    throw invalid(path, 'a whole number', value)
  return value
}
const bool: Read<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw invalid(path, 'true or false', value)
  return value
}
const oneOf =
  <T extends string | number>(...words: readonly T[]): Read<T> =>
  (value, path) => {
    if (!words.includes(value as T)) throw invalid(path, words.join(' or '), value)
    return value as T
  }
const list =
  <T>(item: Read<T>): Read<readonly T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) throw invalid(path, 'a list', value)
    return value.map((one, i) => item(one, `${path}[${i}]`))
  }
const optional =
  <T>(read: Read<T>): Read<T | undefined> =>
  (value, path) =>
    value === undefined ? undefined : read(value, path)
const json: Read<Json> = (value) => value as Json

/** An object with exactly these fields; optional ones may be absent. */
function fields<T>(shape: { readonly [K in keyof T]-?: Read<T[K] | undefined> }): Read<T> {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, 'an object', value)
    const found = value as Record<string, unknown>
    for (const key of Object.keys(found))
      if (!Object.hasOwn(shape, key)) throw invalid(`${path}.${key}`, 'no such field', found[key])
    const read: Record<string, unknown> = {}
    for (const key of Object.keys(shape) as (keyof T & string)[]) {
      const item = shape[key](found[key], `${path}.${key}`)
      if (item !== undefined) read[key] = item
    }
    return read as T
  }
}

const domain = fields<LedgerDomain>({ name: oneOf('Pictor'), version: oneOf('1'), chainId: int, verifyingContract: address })
const terms = fields<Terms>({
  creator: address,
  runId: hash,
  token: address,
  farmBudget: amount,
  checkBudget: amount,
  frameCap: amount,
  checkFee: amount,
  specHash: hash,
  bundleRoot: hash,
  quoteHash: hash,
  checkers: list(address),
  registryDraw: int,
  quorum: int,
  arbiter: address,
  leaseKey: address,
  platform: address,
  platformFeeBps: int,
  recordMode: oneOf('full', 'root'),
  deadlineAtS: int,
  attestByS: int,
  claimTimeS: int,
  refundAfterS: int,
  disputeWindowS: int,
  resolveByS: int,
})
const lease = fields<Lease>({
  id: int,
  farm: address,
  payTo: address,
  price: amount,
  frames: list(int),
  weights: list(int),
  part: int,
  checkClass: oneOf<CheckClass>(...CHECK_CLASSES),
  commitByS: int,
  hedgeOf: int,
})
const verdict = oneOf<Verdict>(...VERDICTS)
const checkerSignature = fields<{ checker: Address; signature: `0x${string}` }>({ checker: address, signature: hex })
const record = fields<FrameRecord>({
  frame: int,
  part: int,
  outputHash: hash,
  completedAtMs: int,
  verdict,
  checked: bool,
  score: int,
})

type Step<K extends ReceiptStep['kind']> = Extract<ReceiptStep, { kind: K }>
const steps: { readonly [K in ReceiptStep['kind']]: Read<Step<K>> } = {
  attest: fields<Step<'attest'>>({
    kind: oneOf('attest'),
    batch: int,
    results: list(
      fields<Step<'attest'>['results'][number]>({ lease: int, seq: int, acceptedWeight: int, records: list(record) }),
    ),
    votes: list(fields<{ checker: Address; count: number }>({ checker: address, count: int })),
    validUntilS: int,
    signatures: list(checkerSignature),
  }),
  claim: fields<Step<'claim'>>({ kind: oneOf('claim'), batch: int, lease: int, farm: address, price: amount, outputRoot: hash }),
  resolve: fields<Step<'resolve'>>({ kind: oneOf('resolve'), batch: int, farm: address, acceptedPerMille: int }),
  release: fields<Step<'release'>>({
    kind: oneOf('release'),
    batch: int,
    paid: list(fields<Step<'release'>['paid'][number]>({ account: address, role: oneOf(...PAYMENT_ROLES), amount })),
    refunded: amount,
  }),
  final: fields<Step<'final'>>({ kind: oneOf('final'), keep: amount, refunded: amount }),
  refund: fields<Step<'refund'>>({ kind: oneOf('refund'), amount }),
  'lease-key': fields<Step<'lease-key'>>({ kind: oneOf('lease-key'), leaseKey: address }),
}
const step: Read<ReceiptStep> = (value, path) => {
  const kind = (value as { kind?: unknown } | null)?.kind
  if (typeof kind !== 'string' || !Object.hasOwn(steps, kind)) throw invalid(`${path}.kind`, Object.keys(steps).join(', '), kind)
  return steps[kind as ReceiptStep['kind']](value, path)
}

type Evm = Extract<ReceiptAnchor, { kind: 'evm' }>
type Local = Extract<ReceiptAnchor, { kind: 'local' }>
const evm = fields<Evm>({
  kind: oneOf('evm'),
  chainId: int,
  escrow: address,
  blockHash: hash,
  header: hex,
  accountProof: list(hex),
  storageProof: list(fields<Evm['storageProof'][number]>({ slot: hash, value: hash, proof: list(hex) })),
})
const local = fields<Local>({
  kind: oneOf('local'),
  head: fields<Local['head']>({
    job: hash,
    terms: hash,
    setRoot: hash,
    head: hash,
    deposited: amount,
    locked: amount,
    pending: amount,
    released: amount,
    refunded: amount,
    entry: int,
    entryHash: hash,
  }),
  signature: hex,
})
/** Reads what a ledger's `evidence` gave. @throws invalid-input naming the field */
export const readAnchor: Read<ReceiptAnchor> = (value, path) =>
  (value as { kind?: unknown } | null)?.kind === 'evm' ? evm(value, path) : local(value, path)

const receipt = fields<Receipt>({
  kind: oneOf('pictor-receipt'),
  version: oneOf(1),
  custody: oneOf('escrow', 'none'),
  domain,
  terms,
  job: hash,
  committee: list(address),
  sets: list(
    fields<Receipt['sets'][number]>({
      // Which key counted when a receipt tells by its steps, not by the creator's word.
      set: fields<Omit<Receipt['sets'][number]['set'], 'keyChange'>>({
        job: hash,
        seq: int,
        setRoot: hash,
        signature: optional(hex),
      }),
      leases: list(lease),
    }),
  ),
  ready: list(
    fields<Receipt['ready'][number]>({
      job: hash,
      seq: int,
      setRoot: hash,
      bundleRoot: hash,
      seedRoot: hash,
      checker: address,
      signature: hex,
    }),
  ),
  accepts: list(fields<Receipt['accepts'][number]>({ seq: int, lease: int, signature: hex })),
  commits: list(
    fields<Receipt['commits'][number]>({
      job: hash,
      lease: int,
      index: int,
      outputRoot: hash,
      outputs: list(
        fields<Receipt['commits'][number]['outputs'][number]>({ frame: int, part: int, outputHash: hash, completedAtMs: int }),
      ),
      signature: hex,
    }),
  ),
  votes: list(
    fields<Receipt['votes'][number]>({
      job: hash,
      lease: int,
      frame: int,
      part: int,
      outputHash: hash,
      checked: bool,
      verdict,
      score: int,
      cropsHash: hash,
      checker: address,
      signature: hex,
    }),
  ),
  seeds: list(fields<Receipt['seeds'][number]>({ lease: int, seed: hash, proof: list(hash), checker: address })),
  steps: list(step),
  money: fields<Receipt['money']>({
    deposited: amount,
    locked: amount,
    pending: amount,
    released: amount,
    refunded: amount,
    head: hash,
  }),
  spec: optional(json),
  quote: optional(json),
  anchor: readAnchor,
})

/** The receipt's JSON: canonical, amounts as decimal strings. */
export function encodeReceipt(value: Receipt): string {
  return canonicalJson(value)
}

/** Reads a receipt from its JSON text or from what `JSON.parse` gave; takes no unknown field. @throws invalid-input naming the field */
export function parseReceipt(value: unknown): Receipt {
  if (typeof value !== 'string') return receipt(value, 'receipt')
  try {
    return receipt(JSON.parse(value), 'receipt')
  } catch (error) {
    throw error instanceof SyntaxError ? invalid('receipt', 'JSON', error.message) : error
  }
}

import {
  streamOf,
  type Address,
  type Artifacts,
  type Bytes32,
  type KeyRequest,
  type LeaseResult,
  type SealedOutput,
} from '@pictor/core/contract'
import { fromHex, keyRequestDigest, requireSigner, toHex, type Openings } from '@pictor/core/proof'
import { derive, fileKeyOf, readLeaseSecret, sealKeys, unseal } from '@pictor/core/sealing'
import { refuse } from './refusal.ts'
import type { CheckerStore, JobState } from './state.ts'

/** The secret of the key that farms seal to, out of the checker's own. */
export const sealSecretOf = (store: CheckerStore): Buffer => derive(store.secret(), 'pictor seal key')

/** Files of a commitment, the sealed ones opened as they are read. */
export interface OpenedFiles extends Pick<Artifacts, 'has'> {
  /** The bytes in pieces; they count once the stream has ended without an error. */
  stream(hash: Bytes32): AsyncIterable<Uint8Array>
  /** The lease's secret, hex; undefined while nothing sealed was read. */
  leaseSecret(): Bytes32 | undefined
}

/**
 * The files of a commitment with the sealed ones opened: read by the hash of what is in them. All of a lease must be sealed with one secret, which is what keys are served from.
 * Streams throw signature-invalid, invalid-input, checker-refused when a file does not open to what was committed to.
 */
export function openedFiles(
  files: Artifacts,
  sealed: readonly SealedOutput[],
  about: { readonly job: Bytes32; readonly lease: number; readonly checker: Address },
  { known, secret }: { readonly known: Bytes32 | undefined; readonly secret: Uint8Array },
): OpenedFiles {
  const places = new Map(sealed.map(({ outputHash, sealedHash }) => [outputHash, sealedHash]))
  let leaseSecret = known
  const sameSecret = (head: Buffer): Buffer => {
    const found = readLeaseSecret(head, about, secret)
    leaseSecret ??= toHex(found) as Bytes32
    if (toHex(found) !== leaseSecret)
      throw refuse('sealed-otherwise', `lease ${about.lease}: one file is sealed with another secret than the others`)
    return found
  }
  return {
    has: (hash) => files.has(places.get(hash) ?? hash),
    stream(hash) {
      const place = places.get(hash)
      if (!place) return streamOf(files, hash)
      return unseal(streamOf(files, place), (head) => fileKeyOf(sameSecret(head), hash), hash)
    },
    leaseSecret: () => leaseSecret,
  }
}

/** Files as this checker keeps them, then as the job has them: what was sealed lies open here alone. */
export function keptFirst(keep: Artifacts | undefined, files: Artifacts): Artifacts {
  if (!keep || keep === files) return files
  const holderOf = async (hash: Bytes32): Promise<Artifacts> => ((await keep.has(hash)) ? keep : files)
  return {
    put: (source) => files.put(source),
    has: async (hash) => (await keep.has(hash)) || files.has(hash),
    read: async (hash) => (await holderOf(hash)).read(hash),
    path: async (hash) => (await holderOf(hash)).path(hash),
  }
}

/** Of the results of a batch: what keys are due for once it is on the ledger. */
export function dueKeys(state: JobState, results: readonly LeaseResult[]): Record<number, readonly Bytes32[]> {
  const due: Record<number, readonly Bytes32[]> = {}
  for (const { lease, records } of results)
    if (state.leaseSecrets?.[lease.id])
      due[lease.id] = records.filter(({ verdict }) => verdict !== 'refuse').map(({ outputHash }) => outputHash)
  return due
}

/**
 * The keys that a request may have, encrypted to it.
 * @throws checker-refused with the reason, see `CheckerSealing`
 */
export async function serveKeys(
  state: JobState | undefined,
  request: KeyRequest,
  { openings, checker, nowMs, signal }: { openings: Openings | undefined; checker: Address; nowMs: number; signal?: AbortSignal },
): Promise<`0x${string}`> {
  const { job, lease } = request
  if (!state?.context) throw refuse('unknown-job', `job ${job} is not known to ${checker}`)
  if (!openings) throw refuse('no-ledger', 'this checker follows no ledger and cannot tell what is paid')
  if (request.validUntilS * 1000 < nowMs)
    throw refuse('expired', `the request was good until ${new Date(request.validUntilS * 1000).toISOString()}`)
  const { terms, domain } = state.context
  const ctx = signal ? { signal } : {}
  requireCreator(request, [terms.creator, await openings.leaseKey({ job, terms }, ctx)], domain)
  const signed = Object.entries(state.keysDue ?? {}).filter(([, leases]) => leases[lease])
  if (signed.length === 0)
    throw refuse('not-signed', `no batch with lease ${lease} was signed here: ask another checker of the job`)
  const attested = await openings.attested(job, ctx)
  const batch = signed.find(([batchHash]) => attested.has(batchHash as Bytes32))
  if (!batch) throw refuse('not-attested', `the batch with lease ${lease} is not final on the ledger yet: ask again later`)
  const secret = fromHex(state.leaseSecrets![lease]!, 'secret')
  return sealKeys(request, new Map(batch[1][lease]!.map((hash) => [hash, fileKeyOf(secret, hash)])))
}

function requireCreator(
  request: KeyRequest,
  allowed: readonly Address[],
  domain: NonNullable<JobState['context']>['domain'],
): void {
  const digest = keyRequestDigest(domain, request)
  const good = allowed.some((one) => {
    try {
      requireSigner(digest, request.signature, one, 'request.signature')
      return true
    } catch {
      return false
    }
  })
  if (!good) throw refuse('not-creator', 'the request is not signed by the creator of the job, nor by its leaseKey in force')
}

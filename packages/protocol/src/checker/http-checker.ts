import {
  invalid,
  PictorError,
  type Address,
  type Artifacts,
  type Bytes32,
  type CallContext,
  type Checker,
  type CheckerAction,
  type CheckerEvent,
} from '@pictor/core/contract'
import { readAnswer } from '../answers.ts'
import { PROTOCOL } from '../document.ts'
import { farmHttp, type FarmHttpOptions } from '../farm-http.ts'
import type { FileShare } from './share-files.ts'
import { checkerInfoSchema, keyAnswerSchema, pageSchema, sealKeySchema } from './wire.ts'

/** Options of {@link httpChecker}. */
export interface HttpCheckerOptions extends Omit<FarmHttpOptions, 'headers'> {
  /** Bearer token that the checker's operator gave. */
  readonly token: string
  /** The checker's signing address, known beforehand: it stands in the terms of the job. */
  readonly address: Address
  /** Where the checker fetches scenes and outputs. Left out, it can be listened to and not asked: a peer. */
  readonly share?: FileShare
  /** Name of the checker here. Default: host and port of the URL. */
  readonly id?: string
}

/** Largest difference picture that is fetched. */
const MAX_PICTURE_BYTES = 64 * 2 ** 20
/** How long a page of votes waits for its pictures, in milliseconds. */
const PICTURES_MS = 15_000

/**
 * A checker on another machine, as a `Checker`. What it signs is verified by the runner as any checker's; difference pictures of its reports are fetched into the job's own files.
 * @throws invalid-input when the URL, the token or the address cannot be used
 * @example
 * const share = await shareFiles({ publicUrl: 'https://runner.example' })
 * const checker = httpChecker({ url: 'https://checker.example', token, address, share })
 */
export function httpChecker(options: HttpCheckerOptions): Checker {
  const { token, address, share } = options
  if (!/^[\x21-\x7e]{16,4096}$/.test(token))
    throw invalid('token', 'a token of at least 16 visible characters', `${token.length} characters`)
  if (!/^0x[0-9a-f]{40}$/.test(address)) throw invalid('address', 'an address in lower-case hex', address)
  const http = farmHttp({ ...options, headers: { authorization: `Bearer ${token}` } })
  const id = options.id ?? new URL(options.url).host
  const filesOf = new Map<Bytes32, Artifacts>()
  let known: Promise<void> | undefined

  /** Refuses to hand a scene to anybody but the checker that the terms name. */
  const identified = (ctx: CallContext): Promise<void> => {
    known ??= http
      .call({ path: `${PROTOCOL}/checker` }, ctx)
      .then(({ json }) => {
        const found = readAnswer(checkerInfoSchema, json).address
        if (found !== address)
          throw new PictorError('checker-refused', `${options.url} is the checker ${found}, not ${address}`, {
            details: { reason: 'address', expected: address, found },
          })
      })
      .catch((error: unknown) => {
        known = undefined
        throw error
      })
    return known
  }

  async function fetchPictures(job: Bytes32, events: readonly CheckerEvent[], ctx: CallContext): Promise<void> {
    const files = filesOf.get(job)
    if (!files) return
    const signal = AbortSignal.any([AbortSignal.timeout(PICTURES_MS), ...(ctx.signal ? [ctx.signal] : [])])
    for (const event of events) {
      if (event.type !== 'votes') continue
      for (const { picture } of event.reports) {
        if (!picture || (await files.has(picture))) continue
        const path = `${PROTOCOL}/jobs/${job}/pictures/${picture}`
        // Votes count without their pictures; a checker that cannot show one does not hold up the job.
        await fetchPicture(path, picture, files, { ...ctx, signal }).catch((error: Error) =>
          ctx.log?.(`picture ${picture} of ${id}: ${error.message}`),
        )
      }
    }
  }

  async function fetchPicture(path: string, hash: Bytes32, files: Artifacts, ctx: CallContext): Promise<void> {
    const response = await http.stream({ path }, ctx)
    const bytes = Number(response.headers.get('content-length'))
    if (!(bytes <= MAX_PICTURE_BYTES)) {
      await response.body?.cancel()
      throw new PictorError('checker-refused', `it has ${bytes} bytes`)
    }
    const stored = await files.put(new Uint8Array(await response.arrayBuffer()))
    if (stored.hash !== hash) throw new PictorError('checker-refused', `its bytes have the sha256 ${stored.hash}`)
  }

  return {
    contract: 1,
    id,
    address,
    async send(action, ctx) {
      if (!share) throw invalid('share', 'where the checker fetches files', share)
      await identified(ctx)
      const { files, ...job } = action.job
      filesOf.set(job.job, files)
      share.grant(job.job, files, hashesOf(action))
      const source = share.grant(job.job, files, await layersOf(action, files))
      const json = { ...action, job: { ...job, files: source } }
      await http.call(
        { method: 'post', path: `${PROTOCOL}/actions`, headers: { 'idempotency-key': ctx.key }, json, accept: [202] },
        ctx,
      )
    },
    async poll({ job, cursor }, ctx) {
      const query = cursor === undefined ? [] : [['cursor', cursor] as const]
      const { status, json } = await http.call({ path: `${PROTOCOL}/jobs/${job}/events`, query, accept: [404] }, ctx)
      // A checker that was asked nothing about the job yet knows nothing of it.
      if (status === 404) return { events: [], cursor: cursor ?? '0', waitMs: 1_000 }
      const page = readAnswer(pageSchema, json)
      await fetchPictures(job, page.events, ctx)
      return page
    },
    sealing: {
      async key(domain, ctx) {
        const { json } = await http.call({ method: 'post', path: `${PROTOCOL}/seal-key`, json: { domain } }, ctx)
        return readAnswer(sealKeySchema, json)
      },
      async keys(request, ctx) {
        const { json } = await http.call({ method: 'post', path: `${PROTOCOL}/jobs/${request.job}/keys`, json: request }, ctx)
        return readAnswer(keyAnswerSchema, json)
      },
    },
  }
}

/** What follows the name of the tag in a picture: one separator or the head of an EXR attribute, then the hash. */
const LAYERS = /pictor\.layers\0[^]{0,16}?(0x[0-9a-f]{64})/

/** The layers that pictures of the class `sidecar` name: they are checked with the picture. Neither PNG nor EXR compresses the text. */
async function layersOf(action: CheckerAction, files: Artifacts): Promise<Bytes32[]> {
  if ((action.kind !== 'hold' && action.kind !== 'check') || action.lease.checkClass !== 'sidecar') return []
  const commits = action.kind === 'hold' ? [action.commit] : action.commits
  const named: Bytes32[] = []
  for (const { outputHash } of commits.flatMap((commit) => commit.outputs)) {
    if (!(await files.has(outputHash))) continue
    const hash = LAYERS.exec(Buffer.from(await files.read(outputHash)).toString('latin1'))?.[1]
    if (hash) named.push(hash as Bytes32)
  }
  return named
}

/** The files that an action is about. */
function* hashesOf(action: CheckerAction): Generator<Bytes32> {
  for (const { hash } of action.job.bundle.files) yield hash
  const commits = action.kind === 'hold' ? [action.commit] : action.kind === 'check' ? action.commits : []
  for (const commit of commits) for (const { outputHash } of commit.outputs) yield outputHash
  if (action.kind === 'hold') for (const { sealedHash } of action.sealed ?? []) yield sealedHash
  if (action.kind === 'check') for (const { hash } of action.neighbours ?? []) yield hash
}

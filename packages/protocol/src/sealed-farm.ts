import { createHash } from 'node:crypto'
import {
  invalid,
  isPictorError,
  PictorError,
  type CallContext,
  type Farm,
  type FarmEvent,
  type Address,
  type Ledger,
  type Output,
  type Seal,
  type Task,
} from '@pictor/core/contract'
import { followOpenings, requireSigner, sealKeyDigest } from '@pictor/core/proof'
import { fileKeyOf, leaseSecretOf, sealedBytes, sealedFile, sealedPart, sealHead } from '@pictor/core/sealing'
import { openSealBook, outputName, type KeptTask, type KeptTicket } from './seal-book.ts'

/** Options of {@link sealedFarm}. */
export interface SealedFarmOptions {
  /** At least 32 bytes that all keys derive from: the same at every start. Whoever has them opens every output of the farm. */
  readonly secret: Uint8Array
  /** File of what was sealed, so that a restart seals nothing anew; `:memory:` for tests. */
  readonly book: string
  /** Makes the small marked picture that the creator may see at once (`markedPreview` of `@pictor/image`); left out, he sees none. */
  readonly preview?: (bytes: Uint8Array, task: { readonly frame: number }) => Uint8Array | undefined
  /** Says whom the registry drew, so that all of them can open; left out, such leases are sealed to those who signed its Ready. */
  readonly ledger?: Pick<Ledger, 'domain' | 'poll'>
}

/** Larger pictures, bytes, get no preview: it takes the whole picture in memory. */
const MAX_PREVIEWED_BYTES = 256 * 2 ** 20

/** The name that a preview is opened by. */
const PREVIEW = 'preview:'

/**
 * A farm whose leased outputs can be had encrypted only, until a checker that signed for them gives the creator their keys (PROTOCOL.md, 9; decision 0013). It wraps any
 * farm with a key. Leases of a ledger without custody and tasks without a lease (probes, a checker's own renders) are left open. Outputs of tasks that it does not
 * remember are held back, so that a lost book gives nothing away.
 * @throws invalid-input when the secret is too short; store-failed when the book cannot be opened
 */
export function sealedFarm(farm: Farm, options: SealedFarmOptions): Farm {
  const { secret } = options
  if (secret.length < 32)
    throw new PictorError('invalid-input', `secret: expected at least 32 bytes, found ${secret.length}`, {
      details: { path: 'secret' },
    })
  const book = openSealBook(options.book)
  const openings = options.ledger && followOpenings(options.ledger, 'farm-refused')
  const making = new Map<string, Promise<Seal>>()

  async function* plainOf(output: Output, ctx: CallContext, offset = 0): AsyncGenerator<Uint8Array> {
    const got = await farm.open(output, { offset }, ctx)
    if ('unavailable' in got) {
      const code = got.unavailable === 'gone' || got.unavailable === 'expired' ? 'not-found' : 'farm-unreachable'
      throw new PictorError(code, `${output.name} cannot be sealed: ${got.unavailable}`, { details: { class: 'transfer' } })
    }
    yield* got.stream
  }
  const headOf = ({ job, lease, keys }: KeptTicket): Buffer => sealHead(secret, job, lease, keys)
  const keyOfFile = ({ job, lease }: KeptTicket, output: Output): Uint8Array =>
    fileKeyOf(leaseSecretOf(secret, job, lease), output.hash)
  /** The sealed file from `offset` on. Only what is needed for it is read and sealed again. */
  const sealedFrom = (ticket: KeptTicket, output: Output, offset: number, ctx: CallContext) => {
    const head = headOf(ticket)
    const { first, plainOffset, skip } = sealedPart(head, output.bytes, offset)
    return without(skip, sealedFile(head, keyOfFile(ticket, output), plainOf(output, ctx, plainOffset), first))
  }
  const previewOf = async (output: Output, ctx: CallContext): Promise<Uint8Array | undefined> => {
    if (!options.preview || output.bytes > MAX_PREVIEWED_BYTES) return undefined
    const chunks: Uint8Array[] = []
    for await (const chunk of plainOf(output, ctx)) chunks.push(chunk)
    return options.preview(Buffer.concat(chunks), { frame: output.frame })
  }

  /** What an output is sealed as; worked out once and kept. */
  async function sealOf(ticket: KeptTicket, output: Output, ctx: CallContext): Promise<Seal> {
    const head = headOf(ticket)
    const digest = createHash('sha256')
    const plain = asNamed(output, plainOf(output, ctx))
    for await (const chunk of sealedFile(head, keyOfFile(ticket, output), plain)) digest.update(chunk)
    const preview = await previewOf(output, ctx)
    const seal: Seal = {
      hash: `0x${digest.digest('hex')}`,
      bytes: sealedBytes(head, output.bytes),
      ...(preview ? { preview: { name: PREVIEW + output.name, hash: hashOf(preview), bytes: preview.length } } : {}),
    }
    book.keepSeal(output, seal)
    return seal
  }
  const sealOnce = (ticket: KeptTicket, output: Output, ctx: CallContext): Promise<Seal> => {
    const key = `${outputName(output)} ${output.hash}`
    const running = making.get(key) ?? sealOf(ticket, output, ctx).finally(() => making.delete(key))
    making.set(key, running)
    return running
  }

  /** The event as the creator may see it; undefined while it must be held back. */
  async function shown(event: FarmEvent, ctx: CallContext): Promise<FarmEvent | undefined> {
    if (event.type !== 'output') return event
    const task = book.task(event.output.task.ref)
    if (!task) return undefined
    if (!task.ticket) return event
    const kept = book.seal(event.output)
    // A frame that was rendered again has its name and another hash.
    const known = kept?.output.hash === event.output.hash ? kept.seal : undefined
    const sealed = known ?? (await sealOnce(task.ticket, event.output, ctx).catch(goneOrThrow))
    return sealed && { ...event, output: { ...event.output, sealed } }
  }

  return {
    ...farm,
    async submit(task, ctx) {
      const { lease } = task
      const drawn = lease && lease.terms.registryDraw > 0 ? await openings?.committee(lease, ctx) : undefined
      const kept = keptTask(task, drawn)
      const ref = await farm.submit(task, ctx)
      book.keepTask(ref.ref, kept)
      return ref
    },
    async poll(query, ctx) {
      const page = await farm.poll(query, ctx)
      const events: FarmEvent[] = []
      for (const event of page.events) {
        const visible = await shown(event, ctx)
        if (visible) events.push(visible)
      }
      return { ...page, events }
    },
    async open(output, { offset }, ctx) {
      const task = book.task(output.task.ref)
      if (!task) return { unavailable: 'gone' }
      if (!task.ticket) return farm.open(output, { offset }, ctx)
      const isPreview = output.name.startsWith(PREVIEW)
      const kept = book.seal(isPreview ? { ...output, name: output.name.slice(PREVIEW.length) } : output)
      if (!kept) return { unavailable: 'not-yet', retryAfterMs: 1_000 }
      const preview = isPreview ? await previewOf(kept.output, ctx) : undefined
      if (isPreview && !preview) return { unavailable: 'gone' }
      const bytes = preview ? preview.length : kept.seal.bytes
      if (!(offset >= 0 && offset <= bytes)) throw invalid('offset', `0 to ${bytes}`, offset)
      const stream = preview ? without(offset, [preview]) : sealedFrom(task.ticket, kept.output, offset, ctx)
      return { bytes: bytes - offset, stream }
    },
    async set(ref, change, ctx) {
      const answer = await farm.set(ref, change, ctx)
      if (change.desired === 'erase' && answer === 'done') book.forget(ref.ref)
      return answer
    },
    async close() {
      await farm.close?.()
      book.close()
    },
  }
}

/** What its farm no longer has nobody can seal; what it does not have yet is asked for again with the next poll. */
function goneOrThrow(error: unknown): undefined {
  if (!isPictorError(error, 'not-found')) throw error
}

const hashOf = (bytes: Uint8Array): `0x${string}` => `0x${createHash('sha256').update(bytes).digest('hex')}`

/** What has to be known of a task to seal its outputs. @throws farm-refused when too few checkers can open what would be sealed; signature-invalid */
function keptTask({ lease: ticket, purpose }: Task, drawn: readonly Address[] | undefined): KeptTask {
  // A book of one's own holds nobody's money: there is nothing to wait for.
  if (!ticket || purpose !== 'render' || ticket.domain.chainId === 0) return {}
  const { job, lease, terms, domain, sealKeys = [] } = ticket
  // To nobody else: whoever hands out the lease may list a key of its own, and would have the frames at once. Who signed Ready was drawn, as the farm beneath makes sure.
  const committee = terms.registryDraw > 0 ? (drawn ?? ticket.ready.map(({ checker }) => checker)) : terms.checkers
  const keys = sealKeys.filter(({ checker }) => committee.includes(checker))
  for (const [i, { checker, publicKey, signature }] of keys.entries())
    requireSigner(sealKeyDigest(domain, publicKey), signature, checker, `task.lease.sealKeys[${i}].signature`)
  const found = new Set(keys.map(({ checker }) => checker)).size
  if (found < terms.quorum)
    throw new PictorError(
      'farm-refused',
      `this farm seals what it renders until it is accepted: that needs ${terms.quorum} checkers that open sealed files, the lease names ${found}`,
      { details: { path: 'task.lease.sealKeys', reason: 'sealing' } },
    )
  return { ticket: { job, lease: lease.id, keys } }
}

/** A stream without its first bytes. */
async function* without(bytes: number, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let skip = bytes
  for await (const chunk of chunks) {
    if (skip < chunk.length) yield skip > 0 ? chunk.subarray(skip) : chunk
    skip = Math.max(0, skip - chunk.length)
  }
}

/**
 * The bytes of an output, which must be those that its farm named. The file's key follows from that name, and may encrypt one content only.
 * @throws not-found when its farm gives others (a frame that was rendered again): this one is told of no more
 */
async function* asNamed({ name, hash, bytes }: Output, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256')
  let length = 0
  for await (const chunk of chunks) {
    digest.update(chunk)
    length += chunk.length
    yield chunk
  }
  const found = `0x${digest.digest('hex')}`
  if (found !== hash || length !== bytes)
    throw new PictorError(
      'not-found',
      `${name} cannot be sealed: named ${hash} with ${bytes} bytes, given ${found} with ${length}`,
      { details: { class: 'transfer', path: 'output.hash' } },
    )
}

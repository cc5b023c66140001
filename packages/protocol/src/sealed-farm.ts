import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import {
  decodeJournal,
  encodeJournal,
  invalid,
  isPictorError,
  PictorError,
  type Body,
  type CallContext,
  type Farm,
  type FarmEvent,
  type Address,
  type LeaseTicket,
  type Ledger,
  type Output,
  type Seal,
  type SealKey,
  type Task,
} from '@pictor/core/contract'
import { followOpenings, requireSigner, sealKeyDigest } from '@pictor/core/proof'
import { fileKeyOf, leaseSecretOf, sealedFile, sealHead, sealOverhead } from '@pictor/core/sealing'

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

/** What the farm remembers of a task; `head` is left out for tasks without a lease on a ledger, whose outputs lie open. */
interface KeptTask {
  readonly ticket?: Pick<LeaseTicket, 'job'> & { readonly lease: number; readonly keys: readonly SealKey[] }
}

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
  const book = openBook(options.book)
  const openings = options.ledger && followOpenings(options.ledger, 'farm-refused')
  const making = new Map<string, Promise<Seal>>()

  async function* plainOf(output: Output, ctx: CallContext): AsyncGenerator<Uint8Array> {
    const got = await farm.open(output, { offset: 0 }, ctx)
    if ('unavailable' in got) {
      const code = got.unavailable === 'gone' || got.unavailable === 'expired' ? 'not-found' : 'farm-unreachable'
      throw new PictorError(code, `${output.name} cannot be sealed: ${got.unavailable}`, { details: { class: 'transfer' } })
    }
    yield* got.stream
  }
  const headOf = ({ job, lease, keys }: NonNullable<KeptTask['ticket']>): Buffer => sealHead(secret, job, lease, keys)
  const streamOf = (ticket: NonNullable<KeptTask['ticket']>, output: Output, ctx: CallContext): AsyncGenerator<Uint8Array> => {
    const leaseSecret = leaseSecretOf(secret, ticket.job, ticket.lease)
    return sealedFile(headOf(ticket), fileKeyOf(leaseSecret, output.hash), plainOf(output, ctx))
  }
  const previewOf = async (output: Output, ctx: CallContext): Promise<Uint8Array | undefined> => {
    if (!options.preview) return undefined
    const chunks: Uint8Array[] = []
    for await (const chunk of plainOf(output, ctx)) chunks.push(chunk)
    return options.preview(Buffer.concat(chunks), { frame: output.frame })
  }

  /** What an output is sealed as; worked out once and kept. */
  async function sealOf(ticket: NonNullable<KeptTask['ticket']>, output: Output, ctx: CallContext): Promise<Seal> {
    const digest = createHash('sha256')
    for await (const chunk of streamOf(ticket, output, ctx)) digest.update(chunk)
    const preview = await previewOf(output, ctx)
    const seal: Seal = {
      hash: `0x${digest.digest('hex')}`,
      bytes: output.bytes + sealOverhead(headOf(ticket)),
      ...(preview ? { preview: { name: PREVIEW + output.name, hash: hashOf(preview), bytes: preview.length } } : {}),
    }
    book.keepSeal(output, seal)
    return seal
  }
  const sealOnce = (ticket: NonNullable<KeptTask['ticket']>, output: Output, ctx: CallContext): Promise<Seal> => {
    const key = keyOf(output)
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
    const sealed = book.seal(event.output)?.seal ?? (await sealOnce(task.ticket, event.output, ctx).catch(goneOrThrow))
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
      if (!isPreview) return from(streamOf(task.ticket, kept.output, ctx), kept.seal.bytes, offset)
      const preview = await previewOf(kept.output, ctx)
      return preview ? from([preview], preview.length, offset) : { unavailable: 'gone' }
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
const keyOf = ({ task, frame, part, layer, name }: Output): string => JSON.stringify([task.ref, frame, part, layer, name])

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

/** A body from `offset` on: what lies before it is made again and dropped. */
function from(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, bytes: number, offset: number): Body {
  if (!(offset >= 0 && offset <= bytes)) throw invalid('offset', `0 to ${bytes}`, offset)
  async function* rest(): AsyncGenerator<Uint8Array> {
    let skip = offset
    for await (const chunk of chunks) {
      if (skip < chunk.length) yield skip > 0 ? chunk.subarray(skip) : chunk
      skip = Math.max(0, skip - chunk.length)
    }
  }
  return { bytes: bytes - offset, stream: rest() }
}

interface SealBook {
  task(ref: string): KeptTask | undefined
  keepTask(ref: string, task: KeptTask): void
  seal(output: Output): { readonly output: Output; readonly seal: Seal } | undefined
  keepSeal(output: Output, seal: Seal): void
  forget(ref: string): void
  close(): void
}

const SCHEMA = `
create table if not exists task (ref text primary key, task text not null) strict;
create table if not exists sealed (key text primary key, ref text not null, sealed text not null) strict;
create index if not exists sealed_of on sealed (ref);
`

function openBook(path: string): SealBook {
  let db: DatabaseSync
  try {
    db = new DatabaseSync(path)
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    db.exec(SCHEMA)
  } catch (cause) {
    throw new PictorError('store-failed', `the book of sealed outputs ${path} cannot be opened: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
  const findTask = db.prepare('select task as value from task where ref = ?')
  const saveTask = db.prepare('insert into task values (?, ?) on conflict (ref) do update set task = excluded.task')
  const findSeal = db.prepare('select sealed as value from sealed where key = ?')
  const saveSeal = db.prepare('insert or replace into sealed values (?, ?, ?)')
  const read = <T>(row: unknown): T | undefined => (row ? decodeJournal<T>((row as { value: string }).value) : undefined)
  return {
    task: (ref) => read<KeptTask>(findTask.get(ref)),
    keepTask: (ref, task) => void saveTask.run(ref, encodeJournal(task)),
    seal: (output) => read(findSeal.get(keyOf(output))),
    keepSeal: (output, seal) => void saveSeal.run(keyOf(output), output.task.ref, encodeJournal({ output, seal })),
    forget(ref) {
      db.prepare('delete from sealed where ref = ?').run(ref)
      db.prepare('delete from task where ref = ?').run(ref)
    },
    close: () => db.close(),
  }
}

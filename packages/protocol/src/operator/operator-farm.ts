import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  canonicalJson,
  invalid,
  isPictorError,
  parseFrames,
  PictorError,
  type Decline,
  type DigestSigner,
  type Farm,
  type FarmInfo,
  type Quote,
  type QuoteRequest,
  type RenderSpec,
  type Task,
  type TaskRef,
} from '@pictor/core/contract'
import { signedFarm } from '../signed-farm.ts'
import { arrivalsIn, type DecodePicture } from './arrivals.ts'
import { exchangeFolder } from './exchange-folder.ts'
import { openJournal, type OperatorJournal } from './journal.ts'
import { operatorDesk, type OperatorDesk } from './operator-desk.ts'
import type { OperatorWords } from './tickets.ts'

/** Formats whose files can be checked for being whole (packages/image). */
export const CHECKED_FORMATS: readonly RenderSpec['output']['format'][] = ['PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER']

/** Options of {@link operatorFarm}. */
export interface OperatorFarmOptions {
  readonly info: Omit<FarmInfo, 'contract' | 'id'> & { readonly id: string }
  /** Exchange folder: packages are written here, the journal lies in `.pictor`. One process at a time. */
  readonly folder: string
  /** Where the farm's app puts finished frames. Default: `downloads` in the exchange folder. */
  readonly downloads?: string
  readonly words: OperatorWords
  readonly decode: DecodePicture
  readonly quote: (request: QuoteRequest) => Quote | Decline
  /** The operator's signer: on this lane he is paid, and his signature stands for the farm's commitment. */
  readonly operator?: DigestSigner
  /** How long a file must stay the same before it is looked at, in milliseconds. Default 5,000. */
  readonly stableMs?: number
  /** How often the folder is looked at while a task is open, in milliseconds. Default 5,000. */
  readonly scanMs?: number
  readonly now?: () => number
}

/** A farm whose work is done by an operator. */
export interface OperatorFarm extends Farm {
  /** Puts one frame where the farm's app would put it: delivery by upload. It is accepted under the same rules. */
  deliver(task: TaskRef, frame: number, bytes: Uint8Array): Promise<void>
}

/**
 * A farm driven by a person with the farm's own app: packages go out through a folder, questions go out as tickets, frames come in through a folder. It scrapes no web
 * console and keeps no password of the farm. The journal outlives the process, so cursors and keys hold over restarts.
 */
export function operatorFarm(options: OperatorFarmOptions): OperatorFarm {
  const {
    info,
    folder,
    downloads = join(folder, 'downloads'),
    stableMs = 5_000,
    scanMs = 5_000,
    now = Date.now,
    operator,
  } = options
  const exchange = exchangeFolder(folder)
  const arrivals = arrivalsIn(downloads, options.decode, stableMs)
  let opened: Promise<{ journal: OperatorJournal; desk: OperatorDesk }> | undefined
  let queue: Promise<unknown> = Promise.resolve()

  const open = () =>
    (opened ??= (async () => {
      await mkdir(downloads, { recursive: true })
      const journal = await openJournal(exchange.journal)
      return { journal, desk: operatorDesk({ journal, exchange, arrivals, words: options.words, downloads, now }) }
    })())
  /** One call at a time: the journal has one writer. */
  const inTurn = <T>(
    signal: AbortSignal | undefined,
    work: (desk: OperatorDesk, journal: OperatorJournal) => Promise<T>,
  ): Promise<T> => {
    const turn = queue.then(async () => {
      signal?.throwIfAborted()
      const { desk, journal } = await open()
      return work(desk, journal)
    })
    queue = turn.catch(() => {})
    return turn
  }

  const farm: Farm = {
    contract: 1,
    id: info.id,
    async describe(ctx) {
      ctx.signal?.throwIfAborted()
      return { contract: 1, ...info, ...(operator && { ext: { ...info.ext, signedBy: 'operator' } }) }
    },
    async quote(request, ctx) {
      ctx.signal?.throwIfAborted()
      return refusesJob(info.id, request, info) ?? options.quote(request)
    },
    async stage(manifest, files, ctx) {
      ctx.signal?.throwIfAborted()
      return { farm: info.id, ref: await exchange.stage(manifest, files, ctx.signal) }
    },
    submit: (task, ctx) =>
      inTurn(ctx.signal, async (desk) => {
        const frames = framesOf(task)
        const digest = createHash('sha256').update(canonicalJson(task)).digest('hex')
        const known = desk.byKey(ctx.key)
        if (known && known.digest !== digest)
          throw new PictorError('conflict', 'the key was used for another task', { details: { path: 'key' } })
        if (known) return known.ref
        const name = `pictor-${createHash('sha256').update(ctx.key).digest('hex').slice(0, 12)}`
        const ref: TaskRef = { farm: info.id, ref: name }
        await desk.add({ kind: 'task', key: ctx.key, digest, ref, task, atMs: now() }, frames)
        return ref
      }),
    poll: ({ cursor, scope }, ctx) =>
      inTurn(ctx.signal, async (desk) => {
        await desk.look(ctx.signal)
        const { events, at } = desk.since(readCursor(cursor, desk.size))
        const wanted = scope && new Set(scope.map(({ ref }) => ref))
        const kept = events.filter((event) => {
          const task = event.type === 'output' ? event.output.task : 'task' in event ? event.task : undefined
          return !wanted || (task !== undefined && wanted.has(task.ref))
        })
        return { events: kept, cursor: String(at), waitMs: desk.open > 0 ? scanMs : Math.max(scanMs, 30_000) }
      }),
    set: (ref, change, ctx) => inTurn(ctx.signal, (desk) => desk.change(ref, change)),
    async open(output, { offset }, ctx) {
      ctx.signal?.throwIfAborted()
      if (!Number.isInteger(offset) || offset < 0 || offset > output.bytes)
        throw invalid('offset', `a whole number from 0 to ${output.bytes}`, offset)
      const known = await inTurn(ctx.signal, async (desk) => desk.output(output))
      if (!known) return { unavailable: 'not-yet' }
      const path = exchange.outputPath(output.task.ref, known.name)
      const size = await stat(path).catch(() => undefined)
      if (size?.size !== known.bytes) return { unavailable: 'gone' }
      if (offset === known.bytes) return { bytes: 0, stream: nothing() }
      return { bytes: known.bytes - offset, stream: reading(path, offset, ctx.signal) }
    },
    async close() {
      await queue
    },
  }
  const signed = operator ? signedFarm(farm, { signer: operator, now, book: bookOf(open) }) : farm
  return {
    ...signed,
    deliver: (ref, frame, bytes) =>
      inTurn(undefined, async (desk) => {
        const { task } = desk.find(ref)
        const ending = task.spec.output.format === 'PNG' ? 'png' : 'exr'
        const target = join(downloads, ref.ref)
        await mkdir(target, { recursive: true })
        await writeFile(join(target, `${ref.ref}_${String(frame).padStart(4, '0')}.${ending}`), bytes)
      }),
  }
}

/** Leases are in the journal with their tasks. */
function bookOf(open: () => Promise<{ desk: OperatorDesk }>) {
  return {
    get: async (ref: string) => {
      const { desk } = await open()
      try {
        return desk.find({ farm: '', ref }).task.lease
      } catch (error) {
        if (isPictorError(error, 'not-found')) return undefined
        throw error
      }
    },
    set: () => {},
  }
}

function refusesJob(farm: string, { spec }: QuoteRequest, info: OperatorFarmOptions['info']): Decline | undefined {
  const decline = (reason: Decline['reason'], message: string): Decline => ({
    contract: 1,
    kind: 'decline',
    farm,
    reason,
    message,
  })
  if (!spec.allowHumanLanes) return decline('policy', 'an operator does the work here, and the job does not allow human lanes')
  const { software, output } = spec.render
  if (!info.software.some(({ name }) => name === software))
    return decline('software', `${software} is not known to be rendered here`)
  if (!CHECKED_FORMATS.includes(output.format))
    return decline('policy', `files of the format ${output.format} cannot be checked for being whole: order PNG or OPEN_EXR`)
  if (parseFrames(spec.frames)[0]! < 0)
    return decline('policy', 'frames below 0 cannot be told from file names here: move the animation to frames from 0 on')
  return undefined
}

function framesOf(task: Task): readonly number[] {
  if (task.work.kind !== 'frames')
    throw new PictorError('farm-refused', `work of the kind ${task.work.kind} is not done by operators`)
  if (task.window)
    throw new PictorError('farm-refused', 'parts of a picture are not rendered by operators', {
      details: { path: 'task.window' },
    })
  if (!CHECKED_FORMATS.includes(task.spec.output.format))
    throw new PictorError('farm-refused', `files of the format ${task.spec.output.format} cannot be checked for being whole`)
  if (task.work.frames.some((frame) => frame < 0))
    throw new PictorError('farm-refused', 'negative frame numbers cannot be told from file names')
  return task.work.frames
}

function readCursor(cursor: string | undefined, size: number): number {
  if (cursor === undefined) return 0
  if (!/^\d{1,12}$/.test(cursor) || Number(cursor) > size) throw invalid('cursor', 'a cursor of this farm', cursor)
  return Number(cursor)
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function* reading(path: string, start: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { start })) {
    signal?.throwIfAborted()
    yield chunk as Uint8Array
  }
}

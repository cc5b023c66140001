import { farmInfo, type Memo } from '../cache/index.ts'
import type { Artifacts } from '../contract/artifacts.ts'
import type { CallContext, Clock } from '../contract/context.ts'
import { invalid, PictorError, isPictorError } from '../contract/error.ts'
import { parseFrames } from '../contract/frames.ts'
import type { Farm, FarmInfo } from '../contract/farm.ts'
import type { Inspection, InspectOptions, Inspector } from '../contract/inspect.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Money } from '../contract/money.ts'
import type { Decline, Quote } from '../contract/quote.ts'
import { estimateFrom, planProbes, probeFarm, type FarmProbe, type MeasuredEstimate } from '../estimate/index.ts'
import type { FarmParty } from '../run/index.ts'
import { parseDeadline } from './deadline.ts'
import { tilesFor, tileWork, type TileRequest } from './tiles.ts'
import { probeEntry, quoteEntry } from './kept.ts'
import { knownOffer } from './offers.ts'
import { patientFarm } from './patient-farm.ts'
import { PLANNED_SHARE, refuseLate, type PlanBasis } from './make-plan.ts'

/** What a creator asks for. */
export interface PlanRequest {
  readonly scene: string
  /** Frame range expression; left out: the range of the file. */
  readonly frames?: string
  /** Words or a time: see {@link parseDeadline}; a number is Unix milliseconds. */
  readonly deadline: string | number
  readonly budget: Money
  /** Name of the job and of its files; left out: the scene's file name, with the scene and camera that `inspect` chooses. */
  readonly name?: string
  readonly goal?: JobSpec['goal']
  /** Splits the frames over at most so many farms (any number). */
  readonly maxFarms?: number
  readonly allowHumanLanes?: boolean
  readonly inspect?: InspectOptions
  /** Splits frames into tiles over several hosts: a number of tiles, or `auto` for jobs of fewer frames than hosts. Left out: frames are whole. */
  readonly tiles?: TileRequest
  /** Most frames that are probed (24); probes cost at most about 5 % of the job. */
  readonly probeFrames?: number
  /** Probes again although the same scene was probed on the same farms within the last week (false). */
  readonly probeAgain?: boolean
  /** Share of the time until the deadline that the plan may use, above 0 to 1 (0.8): the rest is for what goes wrong. Smaller is safer and dearer. */
  readonly plannedShare?: number
  readonly ext?: JobSpec['ext']
}

/** Steps of planning, for progress. */
export type PlanProgress =
  | { readonly step: 'inspect' | 'bundle'; readonly scene: string }
  | { readonly step: 'probe'; readonly farm: string; readonly done: number; readonly total: number }
  | { readonly step: 'probe-reuse'; readonly farm: string; readonly measuredAtMs: number }
  | { readonly step: 'quote'; readonly farm: string; readonly offers: number; readonly decline?: string }

export interface PrepareOptions {
  readonly inspector: Inspector
  readonly farms: readonly Farm[]
  readonly files: Artifacts
  readonly clock: Clock
  readonly checkers: number
  /** Why farms get no leases now, by id. */
  readonly quarantined?: ReadonlyMap<string, string>
  /** Keeps quotes, probe results and what farms say of themselves. */
  readonly memo: Memo
  readonly newRun: PlanBasis['newRun']
  readonly onProgress?: (progress: PlanProgress) => void
}

/** Inspects, bundles, probes and asks for quotes: everything before the choice of a plan. No money moves. @throws the inspector's errors, no-farm, invalid-input */
export async function prepare(
  request: PlanRequest,
  options: PrepareOptions,
  ctx: CallContext,
): Promise<{ readonly basis: PlanBasis; readonly inspection: Inspection }> {
  const nowMs = options.clock.now()
  const deadlineAtMs = typeof request.deadline === 'number' ? request.deadline : parseDeadline(request.deadline, nowMs)
  if (request.frames !== undefined) parseFrames(request.frames)
  const plannedShare = request.plannedShare ?? PLANNED_SHARE
  if (!(plannedShare > 0 && plannedShare <= 1)) throw invalid('plannedShare', 'a share above 0, at most 1', plannedShare)
  if (request.maxFarms !== undefined && !(Number.isInteger(request.maxFarms) && request.maxFarms >= 1))
    throw invalid('maxFarms', 'a whole number from 1', request.maxFarms)
  options.onProgress?.({ step: 'inspect', scene: request.scene })
  const inspection = await options.inspector.inspect(request.scene, request.inspect ?? {}, ctx)
  const frames = parseFrames(request.frames ?? inspection.frames)
  options.onProgress?.({ step: 'bundle', scene: request.scene })
  const bundle = await options.inspector.bundle(inspection, options.files, ctx)
  let spec: JobSpec = {
    name: request.name ?? nameOf(request),
    frames: request.frames ?? inspection.frames,
    bundle,
    render: inspection.spec,
    deadlineAtMs,
    budget: request.budget,
    goal: request.goal ?? 'cheapest',
    ...(request.allowHumanLanes === undefined ? {} : { allowHumanLanes: request.allowHumanLanes }),
    ...(request.maxFarms === undefined ? {} : { maxFarms: request.maxFarms }),
    ...(request.ext === undefined ? {} : { ext: request.ext }),
  }
  const declines: Decline[] = []
  const farms = options.farms.map((farm) => patientFarm(farm, options.clock))
  const infos = await describeAll({ ...options, farms }, request.allowHumanLanes === true, declines, ctx)
  // No probe may outlast the job that it is for.
  const untilDeadline = { ...ctx, deadlineAtMs: Math.min(ctx.deadlineAtMs ?? deadlineAtMs, deadlineAtMs) }
  const measured = await probeAll(infos, spec, frames, inspection, request, options, declines, untilDeadline)
  const tiles = tilesFor(request.tiles, spec.render, frames.length, hostsOf(infos, declines), options.inspector.tiles)
  if (tiles) spec = { ...spec, render: { ...spec.render, tiles } }
  const quotes = await quoteAll(infos, spec, measured, declines, options, ctx)
  const parties: Record<string, FarmParty> = {}
  for (const { info } of infos) if (info.key) parties[info.id] = { key: info.key, payTo: info.payTo ?? info.key }
  return {
    inspection,
    basis: {
      spec,
      frames,
      estimate: tiles ? tileWork(measured.estimate, measured.fixedWork, tiles) : measured.estimate,
      quotes,
      declines,
      parties,
      checkers: options.checkers,
      plannedShare,
      nowMs: options.clock.now(),
      newRun: options.newRun,
    },
  }
}

/** Another scene or camera of the same file has another name, so that its frames do not replace the first one's. */
function nameOf({ scene, inspect = {} }: PlanRequest): string {
  const file = scene.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '')
  return [file, inspect.scene, inspect.camera].filter((part) => part !== undefined).join('-')
}

/** Hosts that could render tiles at once. Farms that cannot are declined where frames are split. */
function hostsOf(infos: readonly Described[], declines: readonly Decline[]): number {
  return infos
    .filter(({ info }) => hasTiles(info) && !declines.some((one) => one.farm === info.id))
    .reduce((sum, { info }) => sum + (info.slots ?? 1), 0)
}

const hasTiles = ({ capabilities }: FarmInfo): boolean => capabilities.tiles === 'native' || capabilities.tiles === 'emulated'

interface Described {
  readonly farm: Farm
  readonly info: FarmInfo
}

async function describeAll(
  { farms, memo, quarantined }: PrepareOptions,
  humans: boolean,
  declines: Decline[],
  ctx: CallContext,
): Promise<Described[]> {
  const described = await Promise.all(
    farms.map(async (farm) => {
      const quarantine = quarantined?.get(farm.id)
      if (quarantine !== undefined) {
        declines.push(decline(farm.id, 'policy', quarantine))
        return undefined
      }
      try {
        const info = await farmInfo(memo, farm, () => farm.describe({ ...ctx, key: `${ctx.key}/describe/${farm.id}` }))
        return { farm, info }
      } catch (error) {
        if (ctx.signal?.aborted) throw error
        declines.push(decline(farm.id, 'unreachable', message(error)))
        return undefined
      }
    }),
  )
  return described.filter((entry): entry is Described => {
    if (!entry) return false
    const { info } = entry
    const human = info.lane === 'desktop' || info.lane === 'manual'
    if (human && !humans)
      declines.push(decline(info.id, 'policy', 'its lane needs people, and the job does not allow that (allowHumanLanes)'))
    else if (!info.key)
      declines.push(decline(info.id, 'policy', 'it has no signing key, so it can neither accept a lease nor commit to frames'))
    else return true
    return false
  })
}

/** Probes every farm that can render windows without a person. All at once, so that farms on one machine meet the contention of the job. */
async function probeAll(
  infos: readonly Described[],
  spec: JobSpec,
  frames: readonly number[],
  { memoryMiB, looks }: Inspection,
  { probeFrames, probeAgain = false }: PlanRequest,
  options: PrepareOptions,
  declines: Decline[],
  ctx: CallContext,
): Promise<MeasuredEstimate> {
  const plan = planProbes(spec.render, frames, probeFrames, looks)
  const able = infos.filter(({ info }) => info.capabilities.windows === 'native' || info.capabilities.windows === 'emulated')
  const run = options.newRun()
  const probes = await Promise.all(
    able.map(async ({ farm, info }): Promise<FarmProbe | undefined> => {
      try {
        const onProgress = (id: string, done: number, total: number) =>
          options.onProgress?.({ step: 'probe', farm: id, done, total })
        const request = {
          run,
          spec: spec.render,
          bundle: spec.bundle,
          files: options.files,
          plan,
          role: farm === able[0]?.farm ? ('reference' as const) : ('other' as const),
          clock: options.clock,
          onProgress,
        }
        const { value, remembered } = await options.memo.recall({
          ...probeEntry(info, spec, plan, request.role),
          fresh: probeAgain,
          make: () => probeFarm(farm, info, request, { ...ctx, key: `${run}/probe/${farm.id}` }),
        })
        if (!remembered) return value
        options.onProgress?.({ step: 'probe-reuse', farm: farm.id, measuredAtMs: value.measuredAtMs })
        return { ...value, spentMs: 0 }
      } catch (error) {
        if (ctx.signal?.aborted) throw error
        declines.push(decline(farm.id, isPictorError(error, 'farm-refused') ? 'software' : 'unreachable', message(error)))
        return undefined
      }
    }),
  )
  refuseLate(spec.deadlineAtMs, options.clock.now())
  const measured = probes.filter((probe): probe is FarmProbe => probe !== undefined)
  if (measured.length === 0)
    throw new PictorError(
      'no-farm',
      `no farm could render a probe${declines.length ? `: ${declines.map((entry) => `${entry.farm}: ${entry.message}`).join('; ')}` : ''}`,
      { details: { declines } },
    )
  const ratings = Object.fromEntries(infos.flatMap(({ info }) => (info.rating ? [[info.id, info.rating]] : [])))
  return estimateFrom(plan, measured, frames, memoryMiB, ratings)
}

async function quoteAll(
  infos: readonly Described[],
  spec: JobSpec,
  measured: MeasuredEstimate,
  declines: Decline[],
  options: PrepareOptions,
  ctx: CallContext,
): Promise<Quote[]> {
  const answers = await Promise.all(
    infos
      .filter(({ farm }) => !declines.some((entry) => entry.farm === farm.id))
      .map(async ({ farm, info }) => {
        if (spec.render.tiles && !hasTiles(info)) return decline(farm.id, 'software', 'it cannot render tiles of a frame')
        try {
          const request = { spec, estimate: measured.estimate, atMs: options.clock.now() }
          const make = async () => ({
            answer: await farm.quote(request, { ...ctx, key: `${ctx.key}/quote/${farm.id}` }),
            deadlineAtMs: spec.deadlineAtMs,
          })
          return (await options.memo.recall({ ...quoteEntry(farm.id, request, options.clock), make })).value.answer
        } catch (error) {
          if (ctx.signal?.aborted) throw error
          return decline(farm.id, 'unreachable', message(error))
        }
      }),
  )
  const quotes: Quote[] = []
  for (const answer of answers) {
    const refusal =
      answer.kind === 'decline'
        ? answer
        : answer.currency === spec.budget.currency
          ? undefined
          : decline(answer.farm, 'currency', `it quotes in ${answer.currency}`)
    options.onProgress?.({
      step: 'quote',
      farm: answer.farm,
      offers: answer.kind === 'quote' ? answer.offers.length : 0,
      ...(refusal ? { decline: refusal.message } : {}),
    })
    if (refusal) declines.push(refusal)
    else if (answer.kind === 'quote')
      quotes.push({ ...answer, offers: answer.offers.map((offer) => knownOffer(offer, known(measured, answer.farm))) })
  }
  return quotes
}

function known(measured: MeasuredEstimate, farm: string): { msPerWork?: number; startMs?: number } {
  const msPerWork = measured.msPerWork[farm]
  const startMs = measured.startMs[farm]
  return { ...(msPerWork === undefined ? {} : { msPerWork }), ...(startMs === undefined ? {} : { startMs }) }
}

function decline(farm: string, reason: Decline['reason'], text: string): Decline {
  return { contract: 1, kind: 'decline', farm, reason, message: text }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

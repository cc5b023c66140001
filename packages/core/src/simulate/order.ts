import { formatFrames } from '../contract/frames.ts'
import type { JobSpec } from '../contract/job.ts'
import type { Address, Terms } from '../contract/messages.ts'
import type { Quote } from '../contract/quote.ts'
import type { Region } from '../contract/task.ts'
import { leastFrameCap, sharePrice, splitRoute, type SplitLease } from '../job/split.ts'
import type { Allocation, FarmParty, JobOptions, JobOrder, ReplanRequest } from '../run/job-order.ts'
import { ZERO_ADDRESS } from '../proof/terms.ts'
import { simulatedAddress, textHash } from './keys.ts'

export interface SimulatedOrderOptions {
  readonly name: string
  readonly nowMs: number
  readonly frames: readonly number[]
  /** Work of each frame in reference seconds (1 each). */
  readonly work?: readonly number[]
  readonly quotes: readonly Quote[]
  readonly parties: Readonly<Record<string, FarmParty>>
  readonly checkers: readonly Address[]
  readonly quorum: number
  readonly deadlineMs: number
  /** Farm budget over the price of the first plan, per mille (2500). */
  readonly headroomPerMille?: number
  /** Check budget over the fees of the first plan, per mille (4000). */
  readonly checkHeadroomPerMille?: number
  readonly leaseMs?: number
  readonly graceMs?: number
  readonly slack?: number
  readonly leaseKey?: Address
  readonly platformFeeBps?: number
  readonly disputeWindowS?: number
  readonly bundle?: JobSpec['bundle']
  /** Splits every frame into so many strips, each a lease of its own (1). */
  readonly tiles?: number
  readonly options?: Partial<JobOptions>
}

/** A whole order from quotes: frames spread over the farms by speed, leases split, terms with headroom. Plain arithmetic; real plans come from `route`. */
export function simulatedOrder(options: SimulatedOrderOptions): JobOrder {
  const { nowMs, frames, quotes, parties } = options
  const run = textHash(`run ${options.name}`)
  const work = options.work ?? frames.map(() => 1)
  const checkFee = 10n
  const deadlineAtS = Math.ceil((nowMs + options.deadlineMs) / 1000)
  const bundle = options.bundle ?? { root: textHash('bundle'), entry: 'scene.blend', files: [] }
  const spec: JobSpec = {
    name: options.name,
    frames: formatFrames(frames),
    bundle,
    render: {
      software: 'blender',
      softwareVersion: '4.2',
      engine: 'CYCLES',
      scene: 'Scene',
      viewLayers: ['ViewLayer'],
      camera: 'Camera',
      samples: 16,
      adaptive: false,
      denoise: false,
      seed: 0,
      animatedSeed: false,
      output: { format: 'PNG', width: 320, height: 180, colorMode: 'RGB', bitDepth: 8 },
      checkClass: 'crop',
    },
    deadlineAtMs: nowMs + options.deadlineMs,
    budget: { amount: 0n, currency: 'USD' },
    goal: 'cheapest',
  }
  let firstId = 1
  const leases: SplitLease[] = []
  let from = 0
  const speeds = quotes.map(
    (quote) => quote.offers[0]!.hosts / ((quote.offers[0]!.msPerWork[0] ?? 1) + quote.offers[0]!.perFrameMs),
  )
  const all = speeds.reduce((sum, speed) => sum + speed, 0)
  let share = 0
  quotes.forEach((quote, i) => {
    share += speeds[i]!
    const to = i === quotes.length - 1 ? frames.length : Math.round((frames.length * share) / all)
    const party = parties[quote.farm]!
    const made = splitRoute(
      {
        farm: quote.farm,
        offer: quote.offers[0]!,
        frames: frames.slice(from, to),
        work: work.slice(from, to),
        key: party.key,
        payTo: party.payTo,
      },
      {
        firstId,
        nowMs,
        deadlineAtS,
        checkClass: 'crop',
        ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
        ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
        ...(options.slack === undefined ? {} : { slack: options.slack }),
      },
    )
    leases.push(...made)
    firstId += made.length
    from = to
  })
  const tiles = options.tiles === undefined ? undefined : strips(spec.render.output, options.tiles)
  const parts = tiles?.length ?? 1
  if (tiles) leases.splice(0, leases.length, ...leases.flatMap((one) => inTiles(one, parts)))
  leases.forEach((one, i) => (leases[i] = { ...one, lease: { ...one.lease, id: i + 1 } }))
  const price = leases.reduce((sum, { lease }) => sum + lease.price, 0n)
  const mostWork = work.reduce((most, one) => Math.max(most, one), 0)
  const dearest = quotes.reduce((most, quote) => {
    const each = sharePrice(quote.offers[0]!, 1, (quote.offers[0]!.msPerWork[0] ?? 0) * mostWork + quote.offers[0]!.perFrameMs, 1)
    return each > most ? each : most
  }, 0n)
  const headroom = BigInt(options.headroomPerMille ?? 2500)
  const cap = leastFrameCap(leases.map(({ lease }) => lease))
  const terms: Terms = {
    creator: simulatedAddress('creator'),
    runId: run,
    token: ZERO_ADDRESS,
    farmBudget: (price * headroom) / 1000n + 1n,
    checkBudget: (checkFee * BigInt(frames.length * parts) * BigInt(options.checkHeadroomPerMille ?? 4000)) / 1000n,
    frameCap: (cap > dearest ? cap : dearest) * 2n + 1n,
    checkFee,
    specHash: textHash('spec'),
    bundleRoot: bundle.root,
    quoteHash: textHash('quotes'),
    checkers: [...options.checkers].sort(),
    registryDraw: 0,
    quorum: options.quorum,
    arbiter: simulatedAddress('arbiter'),
    leaseKey: options.leaseKey ?? simulatedAddress('lease key'),
    platform: simulatedAddress('platform'),
    platformFeeBps: options.platformFeeBps ?? 500,
    recordMode: 'root',
    deadlineAtS,
    attestByS: deadlineAtS + 3_600,
    claimTimeS: 3_600,
    refundAfterS: deadlineAtS + 10_800,
    disputeWindowS: options.disputeWindowS ?? 0,
    resolveByS: 3_600,
  }
  return {
    run,
    spec: tiles ? { ...spec, render: { ...spec.render, tiles } } : spec,
    terms,
    leases,
    parties,
    quotes,
    work: tiles ? work.flatMap((one) => tiles.map(() => one / parts)) : work,
    options: { giveUpAtMs: (terms.refundAfterS + 3_600) * 1000, outDir: '/simulated', ...options.options },
  }
}

/** The picture cut into strips from top to bottom. */
function strips({ width, height }: JobSpec['render']['output'], count: number): Region[] {
  const edges = Array.from({ length: count + 1 }, (_, i) => Math.round((i * height) / count))
  return edges.slice(1).map((bottom, i) => ({ x: 0, y: edges[i]!, width, height: bottom - edges[i]! }))
}

/** A lease of whole frames as leases of their tiles, one each; the price is divided. */
function inTiles({ lease, ...planned }: SplitLease, parts: number): SplitLease[] {
  const share = lease.price / BigInt(lease.frames.length * parts)
  const price = share > 0n ? share : 1n
  return lease.frames.flatMap((frame) =>
    Array.from({ length: parts }, (_, i) => ({
      ...planned,
      lease: { ...lease, price, frames: [frame], weights: [1], part: i + 1 },
    })),
  )
}

/** Places frames on the farm that is not excluded and has the fewest frames a host under lease. */
export function simulatedReplan(request: ReplanRequest): Allocation[] {
  const open = request.quotes.filter((quote) => request.excluded[quote.farm] === undefined)
  const load = (quote: Quote): number => (request.busy[quote.farm] ?? 0) / quote.offers[0]!.hosts
  const best = open.sort((a, b) => load(a) - load(b) || (a.farm < b.farm ? -1 : 1))[0]
  return best ? [{ farm: best.farm, offer: best.offers[0]!.id, frames: request.frames }] : []
}

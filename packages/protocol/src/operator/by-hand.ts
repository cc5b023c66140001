import { invalid, money, type DigestSigner, type FarmCapabilities, type FarmInfo } from '@pictor/core/contract'
import type { DecodePicture } from './arrivals.ts'
import { operatorFarm, type OperatorFarm } from './operator-farm.ts'
import { quoteFrom, withOwnPrices, type PriceFigure } from './price-book.ts'
import { ratingOf, type CoreCount, type ReferenceMachine } from './rating.ts'
import type { OperatorWords } from './tickets.ts'

/** What a user says about a farm without an API that an operator works for him. */
export interface ByHandOptions {
  readonly lane: 'desktop' | 'manual'
  readonly id?: string
  /** Exchange folder: packages for the operator and the journal. One process at a time. */
  readonly folder: string
  /** Download folder of the farm's app. Default: `downloads` in the exchange folder. */
  readonly downloads?: string
  /** Signs in the farm's place and is paid. */
  readonly operator?: DigestSigner
  readonly device?: 'cpu' | 'gpu'
  /** Own rates in US dollars a GHz-hour or OctaneBench-hour, by tier: `{ medium: '0.036' }`. They replace published ones. */
  readonly prices?: Readonly<Record<string, string>>
  /** Rating (GHz or OctaneBench) of one host of the farm and how many work on a job, where the farm publishes neither. */
  readonly host?: { readonly rating: number; readonly hosts: number }
  /** The machine whose seconds the estimate counts: its GHz or OctaneBench rating, or its cores. Left out: taken as equal to a host. */
  readonly reference?: number | ReferenceMachine
  /** Which cores the farm counts in a GHz-hour, when you have asked it. Left out: not published, so the dearer reading is taken. */
  readonly coreCount?: CoreCount
  /** Queue and upload, in milliseconds. Default 10 minutes, a guess. */
  readonly readyMs?: number
  readonly stableMs?: number
  readonly scanMs?: number
  readonly now?: () => number
}

/** What an adapter knows of its farm. */
export interface ByHandFacts {
  readonly id: string
  readonly name: string
  readonly capabilities: FarmCapabilities
  readonly device: 'cpu' | 'gpu'
  readonly adapter: NonNullable<FarmInfo['adapter']>
  readonly priceBook: NonNullable<FarmInfo['priceBook']>
  readonly figures: readonly PriceFigure[]
  /** Published ratings of one host. */
  readonly hostRatings?: Readonly<Record<'cpu' | 'gpu', number>>
  readonly words: Readonly<Record<ByHandOptions['lane'], OperatorWords>>
  readonly remarks: readonly string[]
  readonly ext: Readonly<Record<string, unknown>>
  readonly decode: DecodePicture
}

/** An {@link operatorFarm} whose quotes come from published prices. @throws invalid-input naming the option */
export function byHandFarm(options: ByHandOptions, facts: ByHandFacts): OperatorFarm {
  checkOptions(options, facts)
  const { id = facts.id, device = facts.device, now = Date.now, readyMs = 600_000, host, operator } = options
  const figures = withOwnPrices(facts.figures, options.prices, device, new Date(now()).toISOString().slice(0, 10))
  const rating = options.reference === undefined ? undefined : ratingOf(options.reference, device, options.coreCount)
  const hostRating = host?.rating ?? facts.hostRatings?.[device]
  const engines = ['CYCLES', 'BLENDER_EEVEE', 'BLENDER_EEVEE_NEXT']
  return operatorFarm({
    info: {
      id,
      name: facts.name,
      lane: options.lane,
      verification: 'contract-simulated',
      capabilities: facts.capabilities,
      idempotency: 'native',
      software: [{ name: 'blender', version: '*', engines, devices: [device.toUpperCase()] }],
      priceBook: { ...facts.priceBook, prices: figures },
      adapter: facts.adapter,
      ext: facts.ext,
      ...(operator && { payTo: operator.address }),
    },
    folder: options.folder,
    words: facts.words[options.lane],
    decode: facts.decode,
    now,
    ...(options.downloads !== undefined && { downloads: options.downloads }),
    ...(options.stableMs !== undefined && { stableMs: options.stableMs }),
    ...(options.scanMs !== undefined && { scanMs: options.scanMs }),
    ...(operator && { operator }),
    quote: (request) =>
      quoteFrom(
        request,
        {
          farm: id,
          figures,
          device,
          ...(hostRating !== undefined && { hostRating }),
          ...(host && { hosts: host.hosts }),
          ...(rating && { referenceRating: rating.value }),
          readyMs,
          validForMs: 86_400_000,
          remarks: [...facts.remarks, ...(rating?.remarks ?? [])],
        },
        now(),
      ),
  })
}

/** Options may come from a JSON file: each is looked at before anything is written into a folder. */
function checkOptions(options: ByHandOptions, { figures }: ByHandFacts): void {
  const { lane, folder, downloads, device, prices = {}, host, reference, coreCount } = options
  if (lane !== 'desktop' && lane !== 'manual') throw invalid('lane', "'partner', 'desktop' or 'manual'", lane)
  if (typeof folder !== 'string' || folder === '') throw invalid('folder', 'the path of an exchange folder', folder)
  if (downloads !== undefined && (typeof downloads !== 'string' || downloads === ''))
    throw invalid('downloads', 'the path of a folder', downloads)
  if (device !== undefined && device !== 'cpu' && device !== 'gpu') throw invalid('device', "'cpu' or 'gpu'", device)
  if (coreCount !== undefined && coreCount !== 'physical' && coreCount !== 'logical')
    throw invalid('coreCount', "'physical' or 'logical'", coreCount)
  const tiers = new Set(figures.map(({ tier }) => tier))
  for (const [tier, rate] of Object.entries(prices)) {
    if (!tiers.has(tier)) throw invalid(`prices.${tier}`, `a tier of this farm: ${[...tiers].join(', ')}`, tier)
    if (typeof rate !== 'string' || !/^\d+(\.\d{1,6})?$/.test(rate) || money(rate, 'USD').amount === 0n)
      throw invalid(`prices.${tier}`, 'US dollars above 0 as text, such as "0.024"', rate)
  }
  if (host !== undefined) {
    positive('host.rating', host.rating)
    if (!Number.isInteger(host.hosts)) throw invalid('host.hosts', 'a whole number above 0', host.hosts)
    positive('host.hosts', host.hosts)
  }
  if (typeof reference === 'number') positive('reference', reference)
  else if (reference !== undefined) for (const [key, value] of Object.entries(reference)) positive(`reference.${key}`, value)
  for (const key of ['readyMs', 'stableMs', 'scanMs'] as const)
    if (options[key] !== undefined && options[key] !== 0) positive(key, options[key])
}

function positive(path: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) throw invalid(path, 'a number above 0', value)
}

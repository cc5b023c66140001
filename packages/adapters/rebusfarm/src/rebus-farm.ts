import manifest from '../package.json' with { type: 'json' }
import type { DigestSigner, Farm, FarmCapabilities, FarmInfo } from '@pictor/core/contract'
import { remoteFarm, type RemoteFarmOptions } from '@pictor/farm-protocol'
import { operatorFarm, quoteFrom, withOwnPrices, type OperatorFarm, type OperatorWords } from '@pictor/farm-protocol/operator'
import { decodeImage } from '@pictor/image'
import { REBUSFARM_PREPAY, REBUSFARM_PRICES } from './prices.ts'
import { desktopWords, manualWords } from './words.ts'

/** Options of the partner lane: a gateway that speaks the farm protocol for RebusFarm. */
export interface RebusFarmPartner extends RemoteFarmOptions {
  readonly lane: 'partner'
}

/** Options of the lanes that an operator works. */
export interface RebusFarmByHand {
  readonly lane: 'desktop' | 'manual'
  readonly id?: string
  /** Exchange folder: packages for the operator and the journal. */
  readonly folder: string
  /** RebusDrop's download folder. Default: `downloads` in the exchange folder. */
  readonly downloads?: string
  /** Signs in the farm's place and is paid. */
  readonly operator?: DigestSigner
  readonly device?: 'cpu' | 'gpu'
  /** Own rate in US dollars a GHz-hour or OctaneBench-hour. Without it only the third party's GPU figure is known. */
  readonly prices?: { readonly standard: string }
  /** Rating (GHz or OctaneBench) of one host and how many work on a job; the farm publishes neither, and without them no quote is made. */
  readonly host?: { readonly rating: number; readonly hosts: number }
  /** GHz or OctaneBench of the machine whose seconds the estimate counts. */
  readonly reference?: number
  /** Queue and upload, in milliseconds. Default 10 minutes, a guess: the farm publishes none. */
  readonly readyMs?: number
  readonly stableMs?: number
  readonly scanMs?: number
  readonly now?: () => number
}

/** Options of {@link rebusFarm}. */
export type RebusFarmOptions = RebusFarmPartner | RebusFarmByHand

/** RebusFarm has no public API; these facts travel with every answer. */
export const REBUSFARM_FACTS = {
  apiVisibility: 'none',
  affiliated: false,
  notice:
    'RebusFarm publishes no API. This adapter is not made or endorsed by RebusFarm and was verified only against simulations.',
} as const

const BY_HAND: FarmCapabilities = {
  cancelQueued: 'manual',
  cancelRunning: 'manual',
  hold: 'manual',
  priority: 'manual',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'emulated',
  resumeDownload: 'native',
  bindingQuote: 'none',
}

/**
 * RebusFarm on one of three lanes: `partner` (our protocol at a gateway), `desktop` (RebusDrop, worked by an operator) or `manual`.
 * @example rebusFarm({ lane: 'desktop', folder: '//nas/rebus', device: 'gpu', host: { rating: 2400, hosts: 20 } })
 */
export function rebusFarm(options: RebusFarmPartner): Farm
export function rebusFarm(options: RebusFarmByHand): OperatorFarm
export function rebusFarm(options: RebusFarmOptions): Farm
export function rebusFarm(options: RebusFarmOptions): Farm {
  return options.lane === 'partner' ? partner(options) : byHand(options)
}

const priceBook: NonNullable<FarmInfo['priceBook']> = {
  source: 'rentaflop comparison table',
  asOf: '2022-10-05',
  kind: 'third-party',
  prices: REBUSFARM_PRICES,
}
const adapter: NonNullable<FarmInfo['adapter']> = { name: manifest.name, version: manifest.version }
const ext = { rebusfarm: { ...REBUSFARM_FACTS, prepay: REBUSFARM_PREPAY } }

function partner({ lane, ...options }: RebusFarmPartner): Farm {
  const farm = remoteFarm({ id: 'rebusfarm', ...options })
  return {
    ...farm,
    async describe(ctx) {
      const info = await farm.describe(ctx)
      return {
        priceBook,
        ...info,
        adapter,
        name: 'RebusFarm',
        lane,
        verification: 'contract-simulated',
        ext: { ...info.ext, ...ext },
      }
    },
  }
}

function byHand(options: RebusFarmByHand): OperatorFarm {
  const { lane, id = 'rebusfarm', device = 'gpu', now = Date.now, readyMs = 600_000, reference, host, operator } = options
  const words: OperatorWords = lane === 'desktop' ? desktopWords : manualWords
  const asOf = new Date(now()).toISOString().slice(0, 10)
  const figures = withOwnPrices(REBUSFARM_PRICES, options.prices, device, asOf)
  return operatorFarm({
    info: {
      id,
      name: 'RebusFarm',
      lane,
      verification: 'contract-simulated',
      capabilities: BY_HAND,
      idempotency: 'native',
      software: [
        {
          name: 'blender',
          version: '*',
          engines: ['CYCLES', 'BLENDER_EEVEE', 'BLENDER_EEVEE_NEXT'],
          devices: [device.toUpperCase()],
        },
      ],
      priceBook: { ...priceBook, prices: figures },
      adapter,
      ext,
      ...(operator && { payTo: operator.address }),
    },
    folder: options.folder,
    words,
    decode: decodeImage,
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
          ...(host && { hostRating: host.rating, hosts: host.hosts }),
          ...(reference !== undefined && { referenceRating: reference }),
          readyMs,
          validForMs: 86_400_000,
          remarks: [
            'not an offer of the farm: the farm charges what it charges, and the operator bears the difference',
            ...REBUSFARM_PREPAY.map((rule) => `prepay: ${rule}`),
          ],
        },
        now(),
      ),
  })
}

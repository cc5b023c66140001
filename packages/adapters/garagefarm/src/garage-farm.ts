import manifest from '../package.json' with { type: 'json' }
import type { DigestSigner, Farm, FarmCapabilities, FarmInfo } from '@pictor/core/contract'
import { remoteFarm, type RemoteFarmOptions } from '@pictor/farm-protocol'
import { operatorFarm, quoteFrom, withOwnPrices, type OperatorFarm, type OperatorWords } from '@pictor/farm-protocol/operator'
import { decodeImage } from '@pictor/image'
import { CPU_NODE_GHZ, GARAGEFARM_PRICES, GPU_NODE_OB } from './prices.ts'
import { desktopWords, manualWords } from './words.ts'

/** Options of the partner lane: a gateway that speaks the farm protocol for GarageFarm. */
export interface GarageFarmPartner extends RemoteFarmOptions {
  readonly lane: 'partner'
}

/** Options of the lanes that an operator works. */
export interface GarageFarmByHand {
  readonly lane: 'desktop' | 'manual'
  readonly id?: string
  /** Exchange folder: packages for the operator and the journal. */
  readonly folder: string
  /** renderBeamer's download folder. Default: `downloads` in the exchange folder. */
  readonly downloads?: string
  /** Signs in the farm's place and is paid. */
  readonly operator?: DigestSigner
  readonly device?: 'cpu' | 'gpu'
  /** Own rates in US dollars a unit, by tier: `{ medium: '0.036' }`. They replace published ones. */
  readonly prices?: Readonly<Record<string, string>>
  /** GHz or OctaneBench of the machine whose seconds the estimate counts. */
  readonly reference?: number
  /** Queue and upload, in milliseconds. Default 10 minutes, a guess: the farm publishes none. */
  readonly readyMs?: number
  readonly stableMs?: number
  readonly scanMs?: number
  readonly now?: () => number
}

/** Options of {@link garageFarm}. */
export type GarageFarmOptions = GarageFarmPartner | GarageFarmByHand

/** GarageFarm has no public API; these facts travel with every answer. */
export const GARAGEFARM_FACTS = {
  apiVisibility: 'none',
  affiliated: false,
  notice:
    'GarageFarm publishes no API. This adapter is not made or endorsed by GarageFarm and was verified only against simulations.',
} as const

const BY_HAND: FarmCapabilities = {
  cancelQueued: 'manual',
  cancelRunning: 'manual',
  // Whether GarageFarm can pause a job was not found.
  hold: 'none',
  // Tiers are price plans, chosen by the offer, not a priority.
  priority: 'none',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'emulated',
  resumeDownload: 'native',
  bindingQuote: 'none',
}

/**
 * GarageFarm on one of three lanes: `partner` (our protocol at a gateway), `desktop` (renderBeamer, worked by an operator) or `manual`.
 * @example garageFarm({ lane: 'desktop', folder: '//nas/garage' })
 */
export function garageFarm(options: GarageFarmPartner): Farm
export function garageFarm(options: GarageFarmByHand): OperatorFarm
export function garageFarm(options: GarageFarmOptions): Farm
export function garageFarm(options: GarageFarmOptions): Farm {
  return options.lane === 'partner' ? partner(options) : byHand(options)
}

const priceBook: NonNullable<FarmInfo['priceBook']> = {
  source: 'https://garagefarm.net/pricing',
  asOf: '2026-11-22',
  kind: 'list',
  prices: GARAGEFARM_PRICES,
}
const adapter: NonNullable<FarmInfo['adapter']> = { name: manifest.name, version: manifest.version }
const ext = { garagefarm: GARAGEFARM_FACTS }

function partner({ lane, ...options }: GarageFarmPartner): Farm {
  const farm = remoteFarm({ id: 'garagefarm', ...options })
  return {
    ...farm,
    async describe(ctx) {
      const info = await farm.describe(ctx)
      return {
        priceBook,
        ...info,
        adapter,
        name: 'GarageFarm',
        lane,
        verification: 'contract-simulated',
        ext: { ...info.ext, ...ext },
      }
    },
  }
}

function byHand(options: GarageFarmByHand): OperatorFarm {
  const { lane, id = 'garagefarm', device = 'cpu', now = Date.now, readyMs = 600_000, reference, operator } = options
  const words: OperatorWords = lane === 'desktop' ? desktopWords : manualWords
  const asOf = new Date(now()).toISOString().slice(0, 10)
  const figures = withOwnPrices(GARAGEFARM_PRICES, options.prices, device, asOf)
  return operatorFarm({
    info: {
      id,
      name: 'GarageFarm',
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
          hostRating: device === 'cpu' ? CPU_NODE_GHZ : GPU_NODE_OB,
          ...(reference !== undefined && { referenceRating: reference }),
          readyMs,
          validForMs: 86_400_000,
          remarks: [
            'a list price, not an offer: the farm charges what it charges, and the operator bears the difference',
            'whether a GHz-hour counts physical or logical cores is not published (a factor of 2)',
          ],
        },
        now(),
      ),
  })
}

import manifest from '../package.json' with { type: 'json' }
import type { Farm, FarmCapabilities, FarmInfo } from '@pictor/core/contract'
import { remoteFarm, type RemoteFarmOptions } from '@pictor/farm-protocol'
import { byHandFarm, type ByHandOptions, type OperatorFarm } from '@pictor/farm-protocol/operator'
import { decodeImage } from '@pictor/image'
import { CPU_NODE_GHZ, GARAGEFARM_PRICES, GPU_NODE_OB } from './prices.ts'
import { desktopWords, manualWords } from './words.ts'

/** Options of the partner lane: a gateway that speaks the farm protocol for GarageFarm. */
export interface GarageFarmPartner extends RemoteFarmOptions {
  readonly lane: 'partner'
}

/** Options of the lanes that an operator works. */
export type GarageFarmByHand = ByHandOptions

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
  return byHandFarm(options, {
    id: 'garagefarm',
    name: 'GarageFarm',
    capabilities: BY_HAND,
    device: 'cpu',
    adapter,
    priceBook,
    figures: GARAGEFARM_PRICES,
    hostRatings: { cpu: CPU_NODE_GHZ, gpu: GPU_NODE_OB },
    words: { desktop: desktopWords, manual: manualWords },
    remarks: [
      'a list price, not an offer: the farm charges what it charges, and the operator bears the difference',
      'whether a GHz-hour counts physical or logical cores is not published (a factor of 2)',
    ],
    ext,
    decode: decodeImage,
  })
}

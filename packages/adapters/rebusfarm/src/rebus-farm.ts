import manifest from '../package.json' with { type: 'json' }
import type { Farm, FarmCapabilities, FarmInfo } from '@pictor/core/contract'
import { remoteFarm, type RemoteFarmOptions } from '@pictor/farm-protocol'
import { byHandFarm, type ByHandOptions, type OperatorFarm } from '@pictor/farm-protocol/operator'
import { decodeImage } from '@pictor/image'
import { REBUSFARM_PREPAY, REBUSFARM_PRICES } from './prices.ts'
import { desktopWords, manualWords } from './words.ts'

/** Options of the partner lane: a gateway that speaks the farm protocol for RebusFarm. */
export interface RebusFarmPartner extends RemoteFarmOptions {
  readonly lane: 'partner'
}

/** Options of the lanes that an operator works. RebusFarm publishes no rating of its hosts and no limit: without `host` no quote is made, and without `prices` only the third party's GPU figure is known. */
export type RebusFarmByHand = ByHandOptions

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
  return byHandFarm(options, {
    id: 'rebusfarm',
    name: 'RebusFarm',
    capabilities: BY_HAND,
    device: 'gpu',
    adapter,
    priceBook,
    figures: REBUSFARM_PRICES,
    words: { desktop: desktopWords, manual: manualWords },
    remarks: [
      'not an offer of the farm: the farm charges what it charges, and the operator bears the difference',
      ...REBUSFARM_PREPAY.map((rule) => `prepay: ${rule}`),
    ],
    ext,
    decode: decodeImage,
  })
}

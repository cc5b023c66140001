import type { PriceFigure } from '@pictor/farm-protocol/operator'

/**
 * RebusFarm publishes no rate that we found. The one GPU figure is a third party's of 2022; the CPU rate is left empty. RebusFarm counts RenderPoints, debited in
 * GHz-hours (CPU) or OctaneBench-hours (GPU).
 */
export const REBUSFARM_PRICES: readonly PriceFigure[] = [
  {
    tier: 'standard',
    device: 'cpu',
    unit: 'GHz-hour',
    currency: 'USD',
    source: 'https://rebusfarm.net',
    asOf: '2026-11-22',
    trust: 'A',
    note: 'no rate was found on the farm’s own pages',
  },
  {
    tier: 'standard',
    device: 'gpu',
    unit: 'OctaneBench-hour',
    currency: 'USD',
    rate: '0.0045',
    source: 'rentaflop comparison table',
    asOf: '2022-10-05',
    trust: 'B',
    note: 'a third party’s figure; no first-party rate was found',
  },
]

/** What RebusFarm says about paying ahead; its own pages disagree (trust C). */
export const REBUSFARM_PREPAY: readonly string[] = [
  'older page (rebusfarm.com): hold at least 30 % of the estimate; overdraft of 2.33 times the balance at the start; the job stops at 0',
  'newer page (ie.rebusfarm.net): hold about 50 %; a negative balance pauses the job after its current frames',
  'pictures can be downloaded only after the rest is paid; RenderPoints used before a cancel are not refunded',
]

import type { PriceFigure } from '@pictor/farm-protocol/operator'

/** Rating of one GarageFarm CPU node in GHz: its page prices a 55 GHz node at 1.32 USD an hour at 0.024 USD a GHz-hour. */
export const CPU_NODE_GHZ = 55
/** Rating of one GarageFarm GPU node: its page prices a node of 2,000 OB at 8 USD an hour. */
export const GPU_NODE_OB = 2_000

const PAGE = 'https://garagefarm.net/pricing'
const READ = '2026-11-22'
const AGE =
  'the page has no date; it was read as a copy on this day. An older copy of the blog gives lower rates (0.015 and 0.0025)'
const EMPTY = 'only the limit of nodes was found; no rate was published'

/** What GarageFarm publishes. Rates of Medium and High were not found and are left empty. Whether a GHz-hour counts physical or logical cores is not said. */
export const GARAGEFARM_PRICES: readonly PriceFigure[] = [
  {
    tier: 'low',
    device: 'cpu',
    unit: 'GHz-hour',
    currency: 'USD',
    rate: '0.024',
    hosts: 100,
    source: PAGE,
    asOf: READ,
    trust: 'A',
    note: AGE,
  },
  {
    tier: 'medium',
    device: 'cpu',
    unit: 'GHz-hour',
    currency: 'USD',
    hosts: 150,
    source: PAGE,
    asOf: READ,
    trust: 'A',
    note: EMPTY,
  },
  {
    tier: 'high',
    device: 'cpu',
    unit: 'GHz-hour',
    currency: 'USD',
    hosts: 300,
    source: PAGE,
    asOf: READ,
    trust: 'A',
    note: EMPTY,
  },
  {
    tier: 'low',
    device: 'gpu',
    unit: 'OctaneBench-hour',
    currency: 'USD',
    rate: '0.0040',
    hosts: 10,
    source: PAGE,
    asOf: READ,
    trust: 'A',
    note: AGE,
  },
  {
    tier: 'medium',
    device: 'gpu',
    unit: 'OctaneBench-hour',
    currency: 'USD',
    hosts: 25,
    source: PAGE,
    asOf: READ,
    trust: 'A',
    note: EMPTY,
  },
  {
    tier: 'high',
    device: 'gpu',
    unit: 'OctaneBench-hour',
    currency: 'USD',
    hosts: 50,
    source: PAGE,
    asOf: READ,
    trust: 'A',
    note: EMPTY,
  },
]

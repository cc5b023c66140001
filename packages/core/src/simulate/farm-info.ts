import type { FarmInfo } from '../contract/farm.ts'
import type { OfferPrice, Quote } from '../contract/quote.ts'
import type { SimulatedFarmOptions } from './farm-options.ts'

/** What a simulated farm says about itself. */
export function farmInfo(options: SimulatedFarmOptions, address: `0x${string}`): FarmInfo {
  const lane = options.lane ?? 'partner'
  return {
    contract: 1,
    id: options.id,
    name: `Simulated farm ${options.id}`,
    lane,
    verification: 'contract-simulated',
    capabilities: {
      cancelQueued: 'native',
      cancelRunning: 'native',
      hold: 'native',
      priority: 'native',
      tiles: options.tiles ? 'native' : 'none',
      samples: 'none',
      windows: 'native',
      partialOutputs: 'native',
      resumeDownload: 'native',
      bindingQuote: 'native',
    },
    idempotency: options.idempotency ?? 'native',
    software: [{ name: 'blender', version: '*', engines: ['CYCLES', 'BLENDER_EEVEE'], devices: ['simulated'] }],
    key: address,
    payTo: address,
    slots: options.slots ?? 1,
    priceBook: { source: 'simulation', asOf: '2026-01-01', kind: 'own' },
  }
}

/** The quote that a simulated farm gives: its own options, exactly. */
export function simulatedQuote(options: SimulatedFarmOptions, classes: number, nowMs: number): Quote {
  const price: OfferPrice = { perHostHour: 1_000_000n, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n, ...options.price }
  return {
    contract: 1,
    kind: 'quote',
    id: `quote-${options.id}-${nowMs}`,
    farm: options.id,
    currency: options.currency ?? 'USD',
    validUntilAtMs: nowMs + 3_600_000,
    firmness: 'locked',
    offers: [
      {
        id: 'standard',
        tier: 'standard',
        hosts: options.slots ?? 1,
        readyMs: options.queueMs ?? 0,
        startMs: options.startMs ?? 0,
        billStart: false,
        perFrameMs: options.perFrameMs ?? 0,
        deliverMs: options.pollMs ?? 1000,
        msPerWork: Array.from({ length: classes }, () => options.msPerWork ?? 1000),
        price,
      },
    ],
    basis: ['simulated'],
  }
}

import type { FarmCapabilities, FarmInfo, Offer, OfferPrice, Quote, TaskRef } from '../../src/contract/index.ts'

/** The parts that the three proofs share: everything a farm can be asked, answered as plainly as possible. */
export const nothing: FarmCapabilities = {
  cancelQueued: 'none',
  cancelRunning: 'none',
  hold: 'none',
  priority: 'none',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'none',
  resumeDownload: 'none',
  bindingQuote: 'none',
}

export const price = (perHostHour: bigint): OfferPrice => ({ perHostHour, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n })

export const offer = (tier: string, perHostHour: bigint, hosts: number): Offer => ({
  id: tier,
  tier,
  hosts,
  readyMs: 60_000,
  startMs: 30_000,
  billStart: true,
  perFrameMs: 0,
  deliverMs: 1_000,
  msPerWork: [1_000],
  price: price(perHostHour),
})

export const quote = (farm: string, offers: readonly Offer[], firmness: Quote['firmness']): Quote => ({
  contract: 1,
  kind: 'quote',
  id: `${farm}-1`,
  farm,
  currency: 'USD',
  validUntilAtMs: 2_000_000,
  firmness,
  offers,
  basis: ['list price'],
})

export const info = (id: string, rest: Omit<FarmInfo, 'contract' | 'id' | 'name' | 'software' | 'verification'>): FarmInfo => ({
  contract: 1,
  id,
  name: id,
  verification: 'none',
  software: [{ name: 'blender', version: '4.2', engines: ['CYCLES'], devices: ['OPTIX'] }],
  ...rest,
})

export const ref = (farm: string, value: string): TaskRef => ({ farm, ref: value })

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

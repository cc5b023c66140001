import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Offer } from '../../src/contract/index.ts'
import { leastFrameCap, MAX_LEASE_FRAMES, sharePrice, splitRoute } from '../../src/job/index.ts'

const offer = (more: Partial<Offer> = {}, price: Partial<Offer['price']> = {}): Offer => ({
  id: 'standard',
  tier: 'standard',
  hosts: 4,
  readyMs: 0,
  startMs: 1_000,
  billStart: false,
  perFrameMs: 100,
  deliverMs: 0,
  msPerWork: [1_000],
  ...more,
  price: { perHostHour: 3_600_000n, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n, ...price },
})
const options = { firstId: 5, nowMs: 1_800_000_000_000, deadlineAtS: 1_800_090_000, checkClass: 'crop' as const }

describe('the price of a share', () => {
  it.each([
    ['plain', {}, 10_000n],
    ['rounded up', { perHostHour: 1n }, 1n],
    ['billed in steps', { stepMs: 60_000 }, 60_000n],
    ['at least the least charge', { minCharge: 50_000n }, 50_000n],
    ['with fixed cost and cost a frame', { fixed: 7n, perFrame: 3n }, 10_000n + 7n + 30n],
    [
      'with a volume discount',
      {
        tiers: [
          { fromHostMs: 0, perMille: 1000 },
          { fromHostMs: 4_000, perMille: 500 },
        ],
      },
      7_000n,
    ],
  ] as const)('is %s', (_name, price, expected) => {
    expect(sharePrice(offer({}, price as never), 10, 10_000, 2)).toBe(expected)
  })

  it('counts the start of each host when it is billed', () => {
    expect(sharePrice(offer({ billStart: true }), 1, 1_000, 3)).toBe(4_000n)
  })
})

describe('splitting a share into leases', () => {
  it('covers every frame once, in order, with prices that add up, whatever the work', () => {
    const shares = fc.record({
      work: fc.array(fc.double({ min: 0, max: 5_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
      hosts: fc.integer({ min: 1, max: 40 }),
      price: fc.bigInt({ min: 0n, max: 10n ** 20n }),
      leaseMs: fc.integer({ min: 1, max: 1_000_000 }),
    })
    fc.assert(
      fc.property(shares, ({ work, hosts, price, leaseMs }) => {
        const frames = work.map((_, i) => i * 2 - 7)
        const leases = splitRoute(
          { farm: 'f', offer: offer({ hosts }), frames, work, key: '0xaa', payTo: '0xbb', price },
          { ...options, leaseMs },
        )
        expect(leases.flatMap(({ lease }) => lease.frames)).toEqual(frames)
        expect(leases.map(({ lease }) => lease.id)).toEqual(leases.map((_, i) => 5 + i))
        expect(leases.reduce((sum, { lease }) => sum + lease.price, 0n)).toBe(price)
        expect(leases.length).toBeGreaterThanOrEqual(Math.min(hosts, frames.length))
        const cap = leastFrameCap(leases.map(({ lease }) => lease))
        for (const { lease } of leases) {
          expect(lease.price >= 0n && lease.price <= cap * BigInt(lease.frames.length)).toBe(true)
          expect(lease.frames.length).toBeLessThanOrEqual(MAX_LEASE_FRAMES)
          expect(lease.weights.length).toBe(lease.frames.length)
          expect(lease.weights.every((weight) => Number.isInteger(weight) && weight >= 1)).toBe(true)
          expect(lease.commitByS).toBeLessThanOrEqual(options.deadlineAtS)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('makes leases of minutes in the middle and small ones at the end', () => {
    const frames = Array.from({ length: 2_000 }, (_, i) => i)
    const leases = splitRoute(
      { farm: 'f', offer: offer(), frames, work: frames.map(() => 5), key: '0xaa', payTo: '0xbb' },
      options,
    )
    expect(leases[0]!.expectedMs).toBeGreaterThan(150_000)
    expect(leases[0]!.expectedMs).toBeLessThanOrEqual(180_000)
    expect(leases.at(-1)!.lease.frames.length).toBe(1)
  })

  it('names the frame whose memory class the offer cannot render', () => {
    const share = {
      farm: 'f',
      offer: offer({ msPerWork: [1_000, null] }),
      frames: [3, 4],
      work: [1, 1],
      classOf: [0, 1],
      key: '0xaa' as const,
      payTo: '0xbb' as const,
    }
    expect(() => splitRoute(share, options)).toThrow(/memory class of frame 4/)
  })
})

import { invalid } from '../contract/error.ts'
import type { Address, CheckClass, Lease } from '../contract/messages.ts'
import type { Offer } from '../contract/quote.ts'

/** The most frames in one lease (PROTOCOL.md). */
export const MAX_LEASE_FRAMES = 1000

/** One farm's share of a job under one offer. */
export interface RouteShare {
  readonly farm: string
  readonly offer: Offer
  /** Frame numbers, ascending. */
  readonly frames: readonly number[]
  /** Reference work of each frame (seconds), in the order of `frames`. */
  readonly work: readonly number[]
  /** Memory class of each frame; left out: class 0. */
  readonly classOf?: readonly number[]
  /** The key that signs for the farm, and who is paid. */
  readonly key: Address
  readonly payTo: Address
  /** Price of the whole share; left out: {@link sharePrice}. */
  readonly price?: bigint
}

export interface SplitOptions {
  /** Ids count up from here (lease ids start at 1). */
  readonly firstId: number
  readonly nowMs: number
  /** No lease is committed later than this (Unix seconds): the terms' deadline. */
  readonly deadlineAtS: number
  readonly checkClass: CheckClass
  /** Host time that one lease should last; 180,000 ms when left out. A lease never spans less than one frame. */
  readonly leaseMs?: number
  /** How many times the expected time a farm gets until `commitBy`; 3 when left out. */
  readonly slack?: number
  /** Added to every `commitBy` for queues, transfer and holding; 600,000 ms when left out. */
  readonly graceMs?: number
  /** One lease for the whole share: a hedge is whole or nothing. */
  readonly whole?: boolean
  /** The lease that these leases hedge; 0 for none. */
  readonly hedgeOf?: number
  /** Which tile of split frames the share is; 0 for whole frames. A lease of tiles holds one frame, because a task of tiles does. */
  readonly part?: number
}

/** A lease with the farm and the offer that it was made from, and the host time that the plan expects for it. */
export interface SplitLease {
  readonly lease: Lease
  readonly farm: string
  readonly offer: string
  readonly expectedMs: number
}

/**
 * Price of a share in the smallest unit: `fixed + max(minCharge, tiered(H)) + perFrame x frames`, H = host time rounded up to the billing step (the router's
 * formula, facts/routing.md section 1, in integers, rounded up once).
 * `startMs` of each host counts when the offer bills it.
 */
export function sharePrice(offer: Offer, frames: number, hostMs: number, hosts: number): bigint {
  const { price } = offer
  let used = BigInt(Math.ceil(hostMs + (offer.billStart ? offer.startMs * hosts : 0)))
  if (price.stepMs > 0) {
    const step = BigInt(price.stepMs)
    used = ((used + step - 1n) / step) * step
  }
  // Volume discounts are incremental: each stretch of host time costs its own per mille. Kept x 1000 x 3,600,000 until the one rounding at the end.
  const tiers = price.tiers?.length ? price.tiers : [{ fromHostMs: 0, perMille: 1000 }]
  let scaled = 0n
  tiers.forEach((tier, i) => {
    const from = BigInt(tier.fromHostMs)
    const next = tiers[i + 1]
    const to = next === undefined || BigInt(next.fromHostMs) > used ? used : BigInt(next.fromHostMs)
    if (to > from) scaled += (to - from) * price.perHostHour * BigInt(tier.perMille)
  })
  const unit = 3_600_000n * 1000n
  const usage = (scaled + unit - 1n) / unit
  return price.fixed + (usage > price.minCharge ? usage : price.minCharge) + price.perFrame * BigInt(frames)
}

/** Host time of each frame of a share in milliseconds. @throws invalid-input when the offer cannot render a frame's memory class */
export function shareFrameMs(share: RouteShare): number[] {
  return share.frames.map((frame, i) => {
    const perWork = share.offer.msPerWork[share.classOf?.[i] ?? 0]
    if (perWork === null || perWork === undefined)
      throw invalid('offer.msPerWork', `a figure for the memory class of frame ${frame}`, perWork)
    return share.offer.perFrameMs + perWork * (share.work[i] ?? 0)
  })
}

/**
 * Splits a farm's share into leases that last minutes: at least one for each host, chunks of neighbouring frames, smaller towards the end so that the hosts finish
 * together. Weights are the frames' work in milliseconds of the offer; the leases' prices add up to the share's price exactly.
 * @throws invalid-input naming the field
 */
export function splitRoute(share: RouteShare, options: SplitOptions): SplitLease[] {
  const count = share.frames.length
  if (count === 0) return []
  if (share.work.length !== count) throw invalid('work', `${count} numbers, one a frame`, share.work)
  for (let i = 1; i < count; i++)
    if (share.frames[i]! <= share.frames[i - 1]!) throw invalid(`frames[${i}]`, 'ascending frames', share.frames[i])
  const frameMs = shareFrameMs(share)
  const totalMs = frameMs.reduce((sum, ms) => sum + ms, 0)
  const hosts = Math.max(1, Math.min(share.offer.hosts, count))
  const price = share.price ?? sharePrice(share.offer, count, totalMs, hosts)
  const part = options.part ?? 0
  const chunks: [number, number][] = options.whole
    ? [[0, count]]
    : part > 0
      ? share.frames.map((_, i) => [i, i + 1])
      : chunkFrames(frameMs, hosts, Math.max(options.leaseMs ?? 180_000, share.offer.startMs))
  const weights = frameMs.map((ms) => Math.max(1, Math.min(4_000_000, Math.round(ms))))
  const weightSum = weights.reduce((sum, weight) => sum + weight, 0)
  let doneWeight = 0
  let doneMs = 0
  let paid = 0n
  return chunks.map(([from, to], i) => {
    const own = weights.slice(from, to)
    doneWeight += own.reduce((sum, weight) => sum + weight, 0)
    const expectedMs = frameMs.slice(from, to).reduce((sum, ms) => sum + ms, 0)
    doneMs += expectedMs
    // Cumulative rounding: the parts of a sum add up to the sum.
    const upTo = (price * BigInt(doneWeight)) / BigInt(weightSum)
    const lease: Lease = {
      id: options.firstId + i,
      farm: share.key,
      payTo: share.payTo,
      price: upTo - paid,
      frames: share.frames.slice(from, to),
      weights: own,
      part,
      checkClass: options.checkClass,
      commitByS: commitBy(options, share.offer, doneMs / hosts + expectedMs),
      hedgeOf: options.hedgeOf ?? 0,
    }
    paid = upTo
    return { lease, farm: share.farm, offer: share.offer.id, expectedMs: Math.ceil(expectedMs) }
  })
}

/** Ends of chunks: guided self-scheduling, each chunk a fixed share of what is left, between one frame and the longest lease. */
function chunkFrames(frameMs: readonly number[], hosts: number, leaseMs: number): [number, number][] {
  const chunks: [number, number][] = []
  let left = frameMs.reduce((sum, ms) => sum + ms, 0)
  for (let from = 0; from < frameMs.length;) {
    const target = Math.min(leaseMs, left / (hosts * 2))
    let to = from + 1
    let span = frameMs[from]!
    // Every host gets a chunk, however uneven the work is.
    const keep = hosts - chunks.length - 1
    while (frameMs.length - to > Math.max(0, keep) && to - from < MAX_LEASE_FRAMES && span + frameMs[to]! <= target)
      span += frameMs[to++]!
    chunks.push([from, to])
    left -= span
    from = to
  }
  return chunks
}

function commitBy(options: SplitOptions, offer: Offer, endMs: number): number {
  const slack = options.slack ?? 3
  const byMs = options.nowMs + (options.graceMs ?? 600_000) + slack * (offer.readyMs + offer.startMs + endMs + offer.deliverMs)
  return Math.min(options.deadlineAtS, Math.ceil(byMs / 1000))
}

/** The least `frameCap` of the terms under which all these leases are legal: the highest price a frame, rounded up. */
export function leastFrameCap(leases: readonly Lease[]): bigint {
  return leases.reduce((cap, lease) => {
    const frames = BigInt(lease.frames.length)
    const perFrame = (lease.price + frames - 1n) / frames
    return perFrame > cap ? perFrame : cap
  }, 0n)
}

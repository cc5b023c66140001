import { encodeJournal } from '../contract/codec.ts'
import { invalid } from '../contract/error.ts'
import { parseFrames } from '../contract/frames.ts'
import type { Address } from '../contract/messages.ts'
import type { JobInput } from '../job/job-facts.ts'
import type { FilledOptions, KeptOrder } from '../job/job-state.ts'
import type { JobProofs } from './proofs.ts'
import type { JobOrder } from './job-order.ts'

/** More tiles than a frame can sensibly have; each is a lease with its own checks. */
const MAX_TILES = 256

/** Checks an order and writes it down as the journal's first input. @throws invalid-input naming the field */
export function orderInput(
  order: JobOrder,
  checkers: readonly Address[],
  proofs: JobProofs,
): Extract<JobInput, { type: 'order' }> {
  const { terms } = order
  if (!/^0x[0-9a-f]{64}$/.test(order.run)) throw invalid('order.run', '32 bytes as 0x hex', order.run)
  if (terms.runId !== order.run) throw invalid('order.terms.runId', order.run, terms.runId)
  const frames = parseFrames(order.spec.frames)
  const parts = checkTiles(order.spec.render)
  if (order.work.length !== frames.length * parts)
    throw invalid('order.work', `${frames.length * parts} numbers, one a frame or tile`, order.work)
  if (checkers.length === 0) throw invalid('checkers', 'at least one checker', 'none')
  const named = checkers.filter((checker) => terms.checkers.includes(checker))
  if (terms.checkers.length > 0 && named.length !== terms.checkers.length)
    throw invalid('order.terms.checkers', `the ${checkers.length} checkers of this runner`, terms.checkers)
  if (!(terms.quorum >= 1 && terms.quorum <= checkers.length))
    throw invalid('order.terms.quorum', `1..${checkers.length}`, terms.quorum)
  const { deadlineAtS, attestByS, refundAfterS } = terms
  if (!(deadlineAtS < attestByS && attestByS < refundAfterS))
    throw invalid('order.terms', 'deadlineAtS < attestByS < refundAfterS', `${deadlineAtS}, ${attestByS}, ${refundAfterS}`)
  checkLeases(order, frames, parts)
  const kept: KeptOrder = {
    run: order.run,
    spec: order.spec,
    terms,
    parties: order.parties,
    quotes: order.quotes,
    // Exactly as ordered: the terms' quoteHash covers it.
    work: order.work,
    options: filled(order),
    // Those of a registry are known once they are drawn.
    checkers: terms.registryDraw > 0 ? [] : terms.checkers.length > 0 ? named : checkers,
    ...(order.sealKeys ? { sealKeys: order.sealKeys } : {}),
  }
  return {
    type: 'order',
    order: encodeJournal(kept),
    root: proofs.setTree(order.leases.map((planned) => planned.lease)).root,
    leases: order.leases.map((planned) => ({
      ...planned,
      lease: { ...planned.lease, price: planned.lease.price.toString() },
    })),
  }
}

function filled(order: JobOrder): FilledOptions {
  const { options } = order
  if (!(options.giveUpAtMs > order.terms.deadlineAtS * 1000))
    throw invalid('order.options.giveUpAtMs', 'a time after the deadline', options.giveUpAtMs)
  return {
    maxAttempts: Math.min(200, options.maxAttempts ?? 4),
    scouts: options.scouts ?? false,
    giveUpAtMs: options.giveUpAtMs,
    outDir: options.outDir,
    hedge: options.hedge ?? true,
    batchLeases: options.batchLeases ?? 64,
    batchWaitMs: options.batchWaitMs ?? 10_000,
  }
}

/** Tiles a frame, 1 when frames are whole. @throws invalid-input unless the tiles cover the picture exactly once */
function checkTiles({ tiles, output }: JobOrder['spec']['render']): number {
  if (!tiles) return 1
  const path = 'order.spec.render.tiles'
  if (tiles.length < 2 || tiles.length > MAX_TILES) throw invalid(path, `2 to ${MAX_TILES} tiles`, tiles.length)
  for (const [i, { x, y, width, height }] of tiles.entries()) {
    const whole = [x, y, width, height].every(Number.isInteger)
    const inside = x >= 0 && y >= 0 && width >= 1 && height >= 1 && x + width <= output.width && y + height <= output.height
    if (!whole || !inside) throw invalid(`${path}[${i}]`, `a region of ${output.width} x ${output.height} pixels`, tiles[i])
    const other = tiles.findIndex(
      (one, k) => k < i && x < one.x + one.width && one.x < x + width && y < one.y + one.height && one.y < y + height,
    )
    if (other >= 0) throw invalid(`${path}[${i}]`, `pixels that tile ${other + 1} does not cover`, tiles[i])
  }
  const covered = tiles.reduce((sum, { width, height }) => sum + width * height, 0)
  if (covered !== output.width * output.height)
    throw invalid(path, `tiles that cover all ${output.width * output.height} pixels`, covered)
  return tiles.length
}

/** Set 0: ids from 1, every frame once, prices within budget and cap, parties known. */
function checkLeases(order: JobOrder, frames: readonly number[], parts: number): void {
  const { terms, leases, parties } = order
  const first = frames[0]!
  const gapless = frames.at(-1)! - first === frames.length - 1
  const place = gapless ? undefined : new Map(frames.map((frame, i) => [frame, i]))
  const covered = new Uint8Array(frames.length * parts)
  /** The unit of a part of a frame that no earlier lease has; undefined for any other. */
  const openUnit = (frame: number, part: number): number | undefined => {
    const at = place ? place.get(frame) : frame - first
    const fits = parts === 1 ? part === 0 : Number.isInteger(part) && part >= 1 && part <= parts
    if (at === undefined || !(at >= 0 && at < frames.length) || !fits) return undefined
    const unit = at * parts + Math.max(0, part - 1)
    return covered[unit] === 0 ? unit : undefined
  }
  let price = 0n
  let count = 0
  leases.forEach(({ lease, farm }, i) => {
    const path = `order.leases[${i}]`
    const party = parties[farm]
    if (!party) throw invalid(`${path}.farm`, 'a farm among order.parties', farm)
    if (lease.id !== i + 1) throw invalid(`${path}.lease.id`, String(i + 1), lease.id)
    if (lease.farm !== party.key || lease.payTo !== party.payTo) throw invalid(`${path}.lease.farm`, party.key, lease.farm)
    if (lease.frames.length === 0 || lease.weights.length !== lease.frames.length)
      throw invalid(`${path}.lease.weights`, `${lease.frames.length} weights`, lease.weights)
    if (parts > 1 && lease.frames.length !== 1) throw invalid(`${path}.lease.frames`, 'one frame a tile', lease.frames)
    if (lease.checkClass !== order.spec.render.checkClass)
      throw invalid(`${path}.lease.checkClass`, order.spec.render.checkClass, lease.checkClass)
    if (lease.commitByS > terms.deadlineAtS)
      throw invalid(`${path}.lease.commitByS`, `at most ${terms.deadlineAtS}`, lease.commitByS)
    if (lease.price > terms.frameCap * BigInt(lease.frames.length))
      throw invalid(`${path}.lease.price`, `at most ${terms.frameCap} a frame`, lease.price)
    for (const frame of lease.frames) {
      const unit = openUnit(frame, lease.part)
      if (unit === undefined)
        throw invalid(`${path}.lease.frames`, 'frames of the job, each in one lease', `${frame}, part ${lease.part}`)
      covered[unit] = 1
    }
    price += lease.price
    count += lease.frames.length
  })
  const left = covered.indexOf(0)
  if (left >= 0) throw invalid('order.leases', 'a lease for every frame', `none for frame ${frames[Math.floor(left / parts)]}`)
  if (price > terms.farmBudget) throw invalid('order.terms.farmBudget', `at least the leases' prices ${price}`, terms.farmBudget)
  const fees = terms.checkFee * BigInt(count)
  if (fees > terms.checkBudget) throw invalid('order.terms.checkBudget', `at least the check fees ${fees}`, terms.checkBudget)
}

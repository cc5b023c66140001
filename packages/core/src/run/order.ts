import { encodeJournal } from '../contract/codec.ts'
import { invalid } from '../contract/error.ts'
import { parseFrames } from '../contract/frames.ts'
import type { Address } from '../contract/messages.ts'
import type { JobInput } from '../job/job-facts.ts'
import type { FilledOptions, KeptOrder } from '../job/job-state.ts'
import type { JobProofs } from './proofs.ts'
import type { JobOrder } from './job-order.ts'

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
  if (order.work.length !== frames.length) throw invalid('order.work', `${frames.length} numbers, one a frame`, order.work)
  if (checkers.length === 0) throw invalid('checkers', 'at least one checker', 'none')
  const named = checkers.filter((checker) => terms.checkers.includes(checker))
  if (terms.checkers.length > 0 && named.length !== terms.checkers.length)
    throw invalid('order.terms.checkers', `the ${checkers.length} checkers of this runner`, terms.checkers)
  if (!(terms.quorum >= 1 && terms.quorum <= checkers.length))
    throw invalid('order.terms.quorum', `1..${checkers.length}`, terms.quorum)
  const { deadlineAtS, attestByS, refundAfterS } = terms
  if (!(deadlineAtS < attestByS && attestByS < refundAfterS))
    throw invalid('order.terms', 'deadlineAtS < attestByS < refundAfterS', `${deadlineAtS}, ${attestByS}, ${refundAfterS}`)
  checkLeases(order, frames)
  const kept: KeptOrder = {
    run: order.run,
    spec: order.spec,
    terms,
    parties: order.parties,
    quotes: order.quotes,
    // Exactly as ordered: the terms' quoteHash covers it.
    work: order.work,
    options: filled(order),
    checkers: terms.checkers.length > 0 ? checkers.filter((checker) => terms.checkers.includes(checker)) : checkers,
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

/** Set 0: ids from 1, every frame once, prices within budget and cap, parties known. */
function checkLeases(order: JobOrder, frames: readonly number[]): void {
  const { terms, leases, parties } = order
  const open = new Set(frames)
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
    if (lease.part !== 0) throw invalid(`${path}.lease.part`, 'whole frames (part 0)', lease.part)
    if (lease.checkClass !== order.spec.render.checkClass)
      throw invalid(`${path}.lease.checkClass`, order.spec.render.checkClass, lease.checkClass)
    if (lease.commitByS > terms.deadlineAtS)
      throw invalid(`${path}.lease.commitByS`, `at most ${terms.deadlineAtS}`, lease.commitByS)
    if (lease.price > terms.frameCap * BigInt(lease.frames.length))
      throw invalid(`${path}.lease.price`, `at most ${terms.frameCap} a frame`, lease.price)
    for (const frame of lease.frames)
      if (!open.delete(frame)) throw invalid(`${path}.lease.frames`, 'frames of the job, each in one lease', frame)
    price += lease.price
    count += lease.frames.length
  })
  if (open.size > 0) throw invalid('order.leases', 'a lease for every frame', `none for frame ${[...open][0]}`)
  if (price > terms.farmBudget) throw invalid('order.terms.farmBudget', `at least the leases' prices ${price}`, terms.farmBudget)
  const fees = terms.checkFee * BigInt(count)
  if (fees > terms.checkBudget) throw invalid('order.terms.checkBudget', `at least the check fees ${fees}`, terms.checkBudget)
}

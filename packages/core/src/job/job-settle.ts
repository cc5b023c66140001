import type { JobFact, JobInput } from './job-facts.ts'
import { keepRow, retell } from './job-rows.ts'
import type { JobStreamState } from './job-state.ts'
import { begin, type Decision, finish } from './machine.ts'

/** What stays with the escrow at the end: full prices and check fees of all leases that are attested, and of those that are kept because their farms may claim. */
export function keepOf({ money }: JobStreamState): bigint {
  return money.attested + money.attestedCheck + money.live + money.liveCheck
}

/** Final or the refund has returned all that no batch has reserved. What Final keeps for claims comes back with the refund. */
export function isClosed({ final, money }: JobStreamState): boolean {
  return final.done && money.locked <= final.returned + money.attested + money.attestedCheck
}

/** No money moves any more, and everything is delivered. */
export function nothingMoves(state: JobStreamState): boolean {
  return isClosed(state) && state.money.pending === 0n && state.delivering === 0
}

/** More refusals than a quorum can bear end what was asked. */
export function acceptCheckerRefusal(
  state: JobStreamState,
  input: Extract<JobInput, { type: 'checker-refused' }>,
  at: number,
): Decision<JobFact> | undefined {
  const { checkers, terms } = state.order!
  const bearable = checkers.length - terms.quorum
  const { checker, action, message } = input
  const set = state.sets.at(-1)
  if (action === 'ready' && set?.phase === 'readying' && !set.refused.has(checker) && !set.ready.has(checker)) {
    const facts: JobFact[] = [{ v: 1, at, t: 'checker-refused', seq: set.seq, batch: -1, checker, action, message }]
    if (set.refused.size + 1 > bearable) facts.push({ v: 1, at, t: 'set-void', seq: set.seq })
    return { facts }
  }
  const batch = state.batches.find((one) => one.phase === 'signing' && !one.refused.has(checker) && !one.signatures.has(checker))
  if (action === 'sign-batch' && batch) {
    const facts: JobFact[] = [{ v: 1, at, t: 'checker-refused', seq: -1, batch: batch.n, checker, action, message }]
    if (batch.refused.size + 1 > bearable) facts.push({ v: 1, at, t: 'batch-broken', n: batch.n, message })
    return { facts }
  }
  return undefined
}

/** Judged leases go to the ledger together. */
export function batched(state: JobStreamState, fact: Extract<JobFact, { t: 'batched' }>): void {
  state.batches.push({
    n: fact.n,
    leases: fact.leases,
    hash: undefined,
    blob: undefined,
    signatures: new Map(),
    refused: new Set(),
    number: undefined,
    phase: 'making',
  })
  for (const id of fact.leases) {
    state.rows.get(id)!.phase = 'batched'
    state.live.delete(id)
  }
  const taken = new Set(fact.leases)
  state.toSettle = state.toSettle.filter((id) => !taken.has(id))
  if (state.toSettle.length === 0) state.batchDue = false
  finish(state.agenda, 'timer/batch')
  begin(state.agenda, { id: `make-batch/${fact.n}`, kind: 'make-batch', n: fact.n })
}

/** A batch that cannot be attested as it is: its leases are tried one by one, a single one is given up. */
export function batchBroken(state: JobStreamState, fact: Extract<JobFact, { t: 'batch-broken' }>): void {
  const batch = state.batches[fact.n]!
  batch.phase = 'broken'
  state.message = fact.message
  for (const id of state.agenda.open.keys())
    if (id === `attest/${fact.n}` || id === `make-batch/${fact.n}` || id.startsWith(`sign-batch/${fact.n}/`))
      finish(state.agenda, id)
  if (batch.leases.length === 1) return keepRow(state, state.rows.get(batch.leases[0]!)!)
  for (const id of batch.leases) batched(state, { v: 1, at: fact.at, t: 'batched', n: state.batches.length, leases: [id] })
}

/** Nothing is open any more: the checkers sign what the escrow keeps. */
export function startSettling(state: JobStreamState, keep: bigint): void {
  state.phase = 'settling'
  state.final.keep = keep
  finish(state.agenda, 'timer/hedge')
  finish(state.agenda, 'timer/replan')
  finish(state.agenda, 'timer/deadline')
  askFinal(state)
  maybeEvidence(state)
}

/** Asks every checker to sign what is kept. */
export function askFinal(state: JobStreamState): void {
  if (state.final.done) return
  const keep = String(state.final.keep)
  for (const checker of state.order!.checkers)
    begin(state.agenda, { id: `sign-final/${checker}`, kind: 'sign-final', checker, keep })
}

/** The receipt's evidence is fetched when no money moves any more. */
export function maybeEvidence(state: JobStreamState): void {
  if (state.phase === 'settling' && nothingMoves(state) && !state.evidenceOver)
    begin(state.agenda, { id: 'evidence', kind: 'evidence' })
}

/** attestBy is over: what is not on the ledger cannot be paid any more. */
export function attestOver(state: JobStreamState): void {
  state.attestOver = true
  finish(state.agenda, 'timer/attest-by')
  for (const id of state.live) {
    const row = state.rows.get(id)!
    if (row.phase !== 'live') continue
    row.giveUp = 'unverifiable'
    retell(state, id)
  }
  for (const batch of state.batches) {
    if (!['making', 'signing', 'attesting'].includes(batch.phase)) continue
    batch.phase = 'broken'
    for (const id of batch.leases) keepRow(state, state.rows.get(id)!)
  }
  for (const id of state.agenda.open.keys()) if (/^(make-batch|sign-batch|attest)\//.test(id)) finish(state.agenda, id)
  for (const id of state.toSettle) {
    state.live.delete(id)
    keepRow(state, state.rows.get(id)!)
  }
  state.toSettle = []
}

/** How the job would end now. */
export function outcomeOf(state: JobStreamState): 'done' | 'partial' | 'failed' | 'canceled' {
  if (state.frames.length > 0 && state.delivered === state.frameState.length) return 'done'
  if (state.wanted === 'cancel') return 'canceled'
  return state.delivered > 0 ? 'partial' : 'failed'
}

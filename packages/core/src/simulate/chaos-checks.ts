import { createHash } from 'node:crypto'
import type { JobFact } from '../job/job-facts.ts'
import type { JobStreamState } from '../job/job-state.ts'
import { jobMachine } from '../job/job.ts'
import type { JobResult } from '../run/job-view.ts'
import { sha256, simulatedContent } from './farm-model.ts'
import { simulatedProofs } from './proofs.ts'
import { readFact } from '../run/fact-text.ts'
import { unitName, type World } from './world.ts'

/** Folds the job's journal again and looks at the money after every fact. */
export async function checkJournal(world: World, broken: string[]): Promise<{ facts: number; trace: string }> {
  const { order, store } = world
  const digest = createHash('sha256')
  const state = jobMachine.empty('job:check')
  const deliveredBy = new Map<number, number>()
  const refusedFarms = new Set<string>()
  /** Incidents that the farm's own journal must know, unless the job ended while it was being told. */
  const incidents = new Map<string, number>()
  /** Which of several leases over the same frames counts, by the first of them. */
  const winners = new Map<number, number>()
  let open = new Set<string>()
  let facts = 0
  for (let after = 0; ;) {
    const page = await store.read(order.run, after, 1_000)
    for (const stored of page) {
      facts++
      after = stored.id
      digest.update(`${stored.stream} ${stored.body}\n`)
      if (!stored.stream.startsWith('job:')) continue
      const fact = readFact<JobFact>(stored.body, stored.stream)
      jobMachine.evolve(state, fact)
      const { money } = state
      if (money.live < 0n || money.pending < 0n) broken.push(`${fact.t}: money below zero`)
      if (state.order && money.live + money.attested > order.terms.farmBudget)
        broken.push(`${fact.t}: leases beyond the farm budget`)
      if (state.order && money.liveCheck + money.attestedCheck > order.terms.checkBudget)
        broken.push(`${fact.t}: fees beyond the check budget`)
      if (money.paid + money.pending + money.refunded > money.locked) broken.push(`${fact.t}: more money out than in`)
      if (fact.t === 'set-ready' && (state.sets[fact.seq]?.ready.size ?? 0) < order.terms.quorum)
        broken.push(`set ${fact.seq} was used without a quorum`)
      if (fact.t === 'task-judged' && fact.verdicts.includes('r')) refusedFarms.add(state.rows.get(fact.task)!.farm)
      if (fact.t === 'leases' && fact.seq > 0)
        for (const { farm, lease } of fact.leases)
          if (refusedFarms.has(farm)) broken.push(`lease ${lease.id} went to ${farm} after a refusal`)
      if (fact.t === 'contest-won' && fact.won) {
        const first = state.rows.get(fact.task)!.hedgeOf || fact.task
        const other = winners.get(first) ?? fact.task
        if (other !== fact.task) broken.push(`leases ${other} and ${fact.task} over the same frames both count`)
        winners.set(first, fact.task)
      }
      if (fact.t === 'task-voided') for (const [first, task] of winners) if (task === fact.task) winners.delete(first)
      if (fact.t === 'ended') for (const command of open) incidents.delete(command)
      if (fact.t === 'task-judged' && fact.verdicts.includes('r')) incidents.set(`tell-farm/${fact.task}`, fact.task)
      if (incidents.size > 0) open = new Set(state.agenda.open.keys())
      if (fact.t === 'delivered')
        for (const i of state.rows.get(fact.task)!.frames)
          if (state.winner[i] === fact.task) deliveredBy.set(i, (deliveredBy.get(i) ?? 0) + 1)
    }
    if (page.length < 1_000) break
  }
  for (const task of await untold(world, state, [...incidents.values()]))
    broken.push(`the journal of ${state.rows.get(task)!.farm} does not know that lease ${task} was refused`)
  for (const [i, count] of deliveredBy) if (count > 1) broken.push(`frame ${state.frames[i]} was delivered ${count} times`)
  return { facts, trace: digest.digest('hex') }
}

/** Refused leases that the journals of their farms never hear of, though somebody reads what lies in the inboxes of dead processes. */
async function untold(world: World, { rows }: JobStreamState, refused: readonly number[]): Promise<readonly number[]> {
  const auditor = world.runner('auditor')
  const unknown = async (task: number): Promise<boolean> =>
    !(await auditor.farm(rows.get(task)!.farm)).incidents.some((one) => one.task === task && one.kind === 'refused')
  const left = (): Promise<number[]> => Promise.all(refused.map(unknown)).then((flags) => refused.filter((_, i) => flags[i]))
  let tasks = await left()
  if (tasks.length > 0) {
    await auditor.start()
    await world.clock.run(() => false, { untilMs: world.clock.now() + 120_000, maxSteps: 20_000 })
    tasks = await left()
  }
  await auditor.close()
  return tasks
}

/** Compares what the job says about its end with farms, ledger, artifacts and every vote. */
export async function checkResult(world: World, result: JobResult, broken: string[]): Promise<void> {
  const { order, ledger, delivered } = world
  const parts = order.spec.render.tiles?.length ?? 1
  const seen = new Set(result.frames.map((one) => unitName(one.frame, one.part)))
  if (seen.size !== result.frames.length) broken.push('a frame is twice in the result')
  const tilesOf = new Map<number, number>()
  for (const { frame } of result.frames) tilesOf.set(frame, (tilesOf.get(frame) ?? 0) + 1)
  const whole = [...tilesOf.values()].filter((count) => count === parts).length
  if (whole + result.missing.length !== order.work.length / parts) broken.push('a frame is neither delivered nor missing')
  for (const frame of result.missing) if (tilesOf.get(frame) === parts) broken.push(`frame ${frame} is delivered and missing`)
  // Read by an auditor of its own: the runner's process may die or stand still while it reads.
  const material = await world.runner('auditor').material(order.run)
  const records = material.batches.flatMap(({ batch }) => batch.results.flatMap((one) => one.records))
  const unsure = new Set(
    records.filter((record) => record.verdict === 'unsure').map((record) => unitName(record.frame, record.part)),
  )
  for (const one of result.frames) {
    const truth = sha256(simulatedContent({ run: order.run }, one.frame, true))
    // A frame on which the checkers disagree stands until somebody disputes it: that is the protocol's rule, and the verdict says so.
    if (one.hash !== truth && !unsure.has(unitName(one.frame, one.part)))
      broken.push(`frame ${one.frame} was delivered with wrong bytes`)
    if (delivered.get(unitName(one.frame, one.part))?.hash !== one.hash)
      broken.push(`frame ${one.frame} lies there with other bytes`)
  }
  for (const one of result.frames)
    if (!(await world.artifacts.has(one.hash))) broken.push(`the bytes of frame ${one.frame} are not among the artifacts`)
  const proofs = simulatedProofs()
  for (const { lease, commits } of material.leases)
    for (const commit of commits)
      if (!proofs.verifyCommit(ledger.domain, commit, lease.farm)) broken.push(`lease ${lease.id} counts a forged commitment`)
  const money = ledger.total(result.job!)
  if (money.pending !== 0n) broken.push(`${money.pending} is pending at the end`)
  if (money.locked !== 0n) broken.push(`${money.locked} is still locked at the end`)
  if (result.money.paid !== money.released) broken.push(`paid ${result.money.paid}, the ledger says ${money.released}`)
  if (result.money.refunded !== money.refunded)
    broken.push(`refunded ${result.money.refunded}, the ledger says ${money.refunded}`)
  for (const { batch } of material.batches)
    for (const { lease, records } of batch.results)
      for (const record of records) {
        if (record.verdict === 'refuse') continue
        const cast = material.leases.find((one) => one.lease.id === lease.id)?.votes.filter((vote) => vote.frame === record.frame)
        if ((cast?.length ?? 0) < order.terms.quorum)
          broken.push(`frame ${record.frame} of lease ${lease.id} was settled without a quorum of votes`)
        if (record.verdict !== 'accept') continue
        const votes = material.leases.find((one) => one.lease.id === lease.id)?.votes ?? []
        const accepts = votes.filter((vote) => vote.frame === record.frame && vote.verdict === 'accept').length
        if (accepts < order.terms.quorum)
          broken.push(`frame ${record.frame} of lease ${lease.id} was accepted by ${accepts} votes`)
        if (record.outputHash !== sha256(simulatedContent({ run: order.run }, record.frame, true)))
          broken.push(`frame ${record.frame} of lease ${lease.id} was paid with wrong bytes`)
      }
}

import { createHash } from 'node:crypto'
import type { FailureClass } from '../contract/farm.ts'
import { jobMachine } from '../job/job.ts'
import type { JobFact } from '../job/job-types.ts'
import { createRunner } from '../run/runner.ts'
import type { JobResult, JobRun, ReplanRequest, Runner } from '../run/types.ts'
import type { SimulatedCheckerOptions } from './checker.ts'
import { sha256, simulatedContent } from './farm-model.ts'
import type { FarmFaults, SimulatedFarmOptions } from './farm-options.ts'
import { simulatedReplan } from './order.ts'
import { simulatedProofs } from './proofs.ts'
import { simulatedProcess, type ProcessFate, type SimulatedProcess } from './process.ts'
import { seededRandom, type Random } from './random.ts'
import { simulatedWorld, type World } from './world.ts'

/** What one seeded job did, and every rule that it broke. */
export interface ChaosReport {
  readonly seed: number
  /** Empty when every invariant held. */
  readonly broken: readonly string[]
  readonly outcome: string
  readonly frames: number
  readonly delivered: number
  readonly kills: number
  readonly facts: number
  /** Virtual time from submit to the end. */
  readonly tookMs: number
  /** Hash over all facts in order: the same seed gives the same trace. */
  readonly trace: string
}

const CLASSES: readonly FailureClass[] = [
  'device-fault',
  'license',
  'capacity',
  'preempted',
  'out-of-memory',
  'timeout',
  'scene',
  'transfer',
]

/** Some of the faults, each with a small probability. */
function farmFaults(random: Random): FarmFaults {
  const some = (p: number): number => (random.chance(0.4) ? p * random.next() : 0)
  return {
    callFails: some(0.2),
    replyLost: some(0.2),
    callHangs: some(0.05),
    eventTwice: some(0.3),
    eventLost: some(0.3),
    downloadBreaks: some(0.3),
    downloadCorrupt: some(0.3),
    taskStalls: some(0.3),
    taskFails: some(0.4),
    taskFailClass: [random.pick(CLASSES), random.pick(CLASSES)],
    frameFails: some(0.2),
    commitForged: some(0.05),
    taskSlow: some(0.3),
    slowFactor: 2 + random.below(60),
    cursorLost: some(0.1),
  }
}

function farmOf(id: string, random: Random, startMs: number, fair: boolean, tails: boolean): SimulatedFarmOptions {
  const calm = random.chance(0.35) || fair
  const from = startMs + random.below(600_000)
  return {
    id,
    seed: random.below(1_000_000),
    slots: 1 + random.below(3),
    pollMs: 1_000 + random.below(4_000),
    msPerWork: 500 + random.below(4_000),
    startMs: random.below(5_000),
    queueMs: random.chance(0.3) ? random.below(60_000) : 0,
    price: { perHostHour: BigInt(100_000 + random.below(2_000_000)), perFrame: BigInt(random.below(50)) },
    dishonest: random.chance(0.2) && !fair ? random.next() * 0.6 : 0,
    commitEvery: random.chance(0.3) ? 1 + random.below(5) : 1_000_000,
    idempotency: random.chance(0.35) && !fair ? 'at-most-once' : 'native',
    outputDelayMs: random.chance(0.2) ? random.below(20_000) : 0,
    ...(random.chance(0.15) && !fair
      ? { downAtMs: [{ from, to: random.chance(0.4) ? Number.MAX_SAFE_INTEGER : from + random.below(900_000) }] }
      : {}),
    ...(calm ? {} : { faults: farmFaults(random) }),
    ...(tails ? { faults: { taskSlow: 0.5, slowFactor: 10 + random.below(60), callFails: 0.5 * random.next() } } : {}),
  }
}

function checkersOf(random: Random, startMs: number, fair: boolean): { checkers: SimulatedCheckerOptions[]; quorum: number } {
  const [count, quorum] = random.pick([
    [1, 1],
    [2, 2],
    [3, 2],
    [3, 2],
    [5, 3],
  ] as const)
  // Fewer than a quorum may lie or fall silent for ever: the protocol promises nothing beyond that.
  let bad = fair ? 0 : count - quorum
  const checkers = Array.from({ length: count }, (_, i): SimulatedCheckerOptions => {
    const isBad = bad > 0 && random.chance(0.4)
    if (isBad) bad--
    const flaky = random.chance(0.4) && !fair
    return {
      id: `checker-${i}`,
      seed: random.below(1_000_000),
      workMs: random.below(20_000),
      pollMs: 1_000 + random.below(4_000),
      ...(isBad && random.chance(0.5) ? { silentFromMs: startMs + random.below(300_000) } : {}),
      faults: {
        ...(flaky
          ? {
              callFails: 0.2 * random.next(),
              replyLost: 0.2 * random.next(),
              forgets: 0.2 * random.next(),
              eventTwice: 0.3 * random.next(),
            }
          : {}),
        ...(isBad ? { liesAbout: random.next(), refuses: 0.2 * random.next() } : {}),
      },
    }
  })
  return { checkers, quorum }
}

/** Builds the world of a seed: farms, checkers and ledger with faults, a deadline that may be too short. */
export function chaosWorld(seed: number): { readonly world: World; readonly random: Random; readonly fair: boolean } {
  const random = seededRandom(seed * 7919 + 17)
  const startMs = 1_800_000_000_000
  // In a fair world nothing goes wrong but the runner itself: such a job has no excuse.
  const fair = random.chance(0.15)
  const { checkers, quorum } = checkersOf(random, startMs, fair)
  const careless = random.chance(0.2) && !fair
  // Tasks that are slow but move: their tails are leased a second time, and both copies may come in at the same moment.
  const tails = random.chance(0.2)
  const world = simulatedWorld({
    name: `chaos ${seed}`,
    frames: 1 + random.below(random.chance(0.2) ? 60 : 20),
    farms: Array.from({ length: 1 + random.below(4) }, (_, i) => farmOf(`farm-${i}`, random, startMs, fair, tails)),
    checkers,
    quorum,
    ledger: {
      seed: random.below(1_000_000),
      pollMs: 1_000 + random.below(4_000),
      finalityMs: random.chance(0.3) ? random.below(30_000) : 0,
      ...(random.chance(0.4) && !fair
        ? {
            faults: {
              callFails: 0.2 * random.next(),
              replyLost: 0.2 * random.next(),
              eventTwice: 0.3 * random.next(),
              forgets: 0.2 * random.next(),
            },
          }
        : {}),
    },
    deadlineMs: random.chance(0.1) && !fair ? 60_000 + random.below(600_000) : 2 * 3_600_000,
    order: {
      leaseMs: 2_000 + random.below(20_000),
      graceMs: fair ? 3_600_000 : 60_000 + random.below(900_000),
      checkHeadroomPerMille: random.chance(0.3) ? 1_000 + random.below(500) : 4_000,
      headroomPerMille: 1_000 + random.below(2_500),
      disputeWindowS: random.chance(0.3) ? random.below(600) : 0,
      options: {
        scouts: random.chance(0.2),
        hedge: tails || random.chance(0.7),
        batchLeases: 1 + random.below(16),
        maxAttempts: 2 + random.below(4),
      },
    },
    // A planner that pays no heed to what it is told: the machine must.
    ...(careless ? { replan: (request: ReplanRequest) => simulatedReplan({ ...request, excluded: {}, busy: {} }) } : {}),
    tuning: { stallMs: tails ? 3_600_000 : 60_000, reconcileMs: 120_000, callMs: 20_000, resendMs: 20_000 },
  })
  return { world, random, fair }
}

/** Runs one seeded job with everything that can go wrong, and checks every promise. */
export async function chaosJob(
  seed: number,
  options: { readonly createRunner?: typeof createRunner; readonly onWorld?: (world: World) => void } = {},
): Promise<ChaosReport> {
  const { world, random, fair } = chaosWorld(seed)
  options.onWorld?.(world)
  const { clock } = world
  const startedAtMs = clock.now()
  const make = options.createRunner ?? createRunner
  const broken: string[] = []
  let kills = random.chance(0.5) ? random.below(4) : 0
  const planned = kills
  let process: SimulatedProcess
  let runner: Runner
  const at: { run?: JobRun } = {}
  let result: JobResult | undefined
  const fate = (): ProcessFate => {
    const now = clock.now()
    if (random.chance(0.15)) {
      const from = now + random.below(120_000)
      return { stop: { from, to: from + 20_000 + random.below(90_000) } }
    }
    return { killAtCall: 1 + random.below(400), effect: random.pick(['before', 'after']) }
  }
  const start = (n: number): void => {
    process = simulatedProcess(world.ports(`runner-${n}`), kills > 0 ? fate() : {})
    runner = make(process.options)
    void (async () => {
      try {
        const own = await runner.submit(world.order)
        at.run = own
        void runner.start()
        result = await own.done()
      } catch (error) {
        broken.push(`submit: ${(error as Error).message}`)
      }
    })()
  }
  const wishes = fair ? [] : userWishes(random, startedAtMs)
  start(0)
  const limit = world.order.options.giveUpAtMs + 600_000
  const endOf = (): boolean => result !== undefined
  for (let n = 1; !endOf(); n++) {
    const until = Math.min(limit, clock.now() + 45_000)
    await clock.run(() => endOf() || process.dead, { untilMs: until, maxSteps: 100_000 })
    while (wishes.length > 0 && wishes[0]!.atMs <= clock.now() && at.run !== undefined && !process!.dead)
      void wishes.shift()!.act(at.run, runner!)
    if (process!.dead || (kills > 0 && process!.calls > 0 && clock.now() > startedAtMs + 300_000 * n)) {
      process!.kill()
      kills = Math.max(0, kills - 1)
      start(n)
    } else if (!endOf() && clock.now() < until) clock.jump(Math.max(1, until - clock.now()))
    if (clock.now() >= limit) {
      broken.push(
        `not ended by giveUpAt: ${JSON.stringify(at.run?.state(), (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v))}`,
      )
      break
    }
  }
  const { facts, trace } = await checkJournal(world, broken)
  if (result) await checkResult(world, result, broken)
  if (fair && result?.outcome !== 'done') broken.push(`a fair world ended as ${result?.outcome}`)
  if (result?.message?.includes('giveUpAt')) broken.push('it ended only because its time was up')
  broken.push(...world.ledger.violations)
  for (const farm of world.farms.values()) {
    const once = farm.stats.tasksByAttempt
    for (const [attempt, count] of once) if (count > 1) broken.push(`${farm.id}: ${attempt} was ordered ${count} times`)
  }
  process!.kill()
  return {
    seed,
    broken,
    outcome: result?.outcome ?? 'none',
    frames: world.order.work.length,
    delivered: result?.frames.length ?? 0,
    kills: planned,
    facts,
    tookMs: clock.now() - startedAtMs,
    trace,
  }
}

interface Wish {
  readonly atMs: number
  act(run: JobRun, runner: Runner): Promise<void>
}

/** What a user may ask for while the job runs. */
function userWishes(random: Random, startMs: number): Wish[] {
  const quiet = (promise: Promise<unknown>): Promise<void> =>
    promise.then(
      () => {},
      () => {},
    )
  const wishes: Wish[] = []
  if (random.chance(0.1)) {
    const atMs = startMs + random.below(200_000)
    wishes.push(
      { atMs, act: (run) => quiet(run.hold()) },
      { atMs: atMs + random.below(300_000), act: (run) => quiet(run.resume()) },
    )
  }
  if (random.chance(0.1)) wishes.push({ atMs: startMs + random.below(400_000), act: (run) => quiet(run.cancel()) })
  if (random.chance(0.1))
    wishes.push({
      atMs: startMs + random.below(200_000),
      act: (run, runner) => quiet(runner.post(run.id, { priority: 5 }, 'wish')),
    })
  return wishes.sort((a, b) => a.atMs - b.atMs)
}

/** Folds the job's journal again and looks at the money after every fact. */
async function checkJournal(world: World, broken: string[]): Promise<{ facts: number; trace: string }> {
  const { order, store } = world
  const digest = createHash('sha256')
  const state = jobMachine.empty('job:check')
  const deliveredBy = new Map<number, number>()
  const refusedFarms = new Set<string>()
  let facts = 0
  for (let after = 0; ;) {
    const page = await store.read(order.run, after, 1_000)
    for (const stored of page) {
      facts++
      after = stored.id
      digest.update(`${stored.stream} ${stored.body}\n`)
      if (!stored.stream.startsWith('job:')) continue
      const fact = JSON.parse(stored.body) as JobFact
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
      if (fact.t === 'delivered')
        for (const i of state.rows.get(fact.task)!.frames)
          if (state.winner[i] === fact.task) deliveredBy.set(i, (deliveredBy.get(i) ?? 0) + 1)
    }
    if (page.length < 1_000) break
  }
  for (const [i, count] of deliveredBy) if (count > 1) broken.push(`frame ${state.frames[i]} was delivered ${count} times`)
  return { facts, trace: digest.digest('hex') }
}

async function checkResult(world: World, result: JobResult, broken: string[]): Promise<void> {
  const { order, ledger, delivered } = world
  const seen = new Set(result.frames.map((one) => one.frame))
  if (seen.size !== result.frames.length) broken.push('a frame is twice in the result')
  if (seen.size + result.missing.length !== order.work.length) broken.push('a frame is neither delivered nor missing')
  for (const frame of result.missing) if (seen.has(frame)) broken.push(`frame ${frame} is delivered and missing`)
  // Read by an auditor of its own: the runner's process may die or stand still while it reads.
  const material = await world.runner('auditor').material(order.run)
  const records = material.batches.flatMap(({ batch }) => batch.results.flatMap((one) => one.records))
  const unsure = new Set(records.filter((record) => record.verdict === 'unsure').map((record) => record.frame))
  for (const one of result.frames) {
    const truth = sha256(simulatedContent({ run: order.run }, one.frame, true))
    // A frame on which the checkers disagree stands until somebody disputes it: that is the protocol's rule, and the verdict says so.
    if (one.hash !== truth && !unsure.has(one.frame)) broken.push(`frame ${one.frame} was delivered with wrong bytes`)
    if (delivered.get(one.frame)?.hash !== one.hash) broken.push(`frame ${one.frame} lies there with other bytes`)
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

import type { FailureClass } from '../contract/farm.ts'
import type { ReplanRequest } from '../run/job-order.ts'
import type { SimulatedCheckerOptions } from './checker.ts'
import type { FarmFaults, SimulatedFarmOptions } from './farm-options.ts'
import { simulatedReplan } from './order.ts'
import { type Random, seededRandom } from './random.ts'
import { simulatedCache } from './cache.ts'
import { simulatedWorld, type World } from './world.ts'
import type { Store } from '../store/types.ts'
import type { Clock } from '../contract/context.ts'
import type { ProcessFate } from './process.ts'

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

/** Faults that came later than the others, drawn beside them so that the worlds without them stay what they were. */
function laterFaults(seed: number, fair: boolean) {
  const random = seededRandom(seed * 104_729 + 5)
  const some = (p: number): number => (random.chance(0.25) && !fair ? p * random.next() : 0)
  return {
    farm: (farm: SimulatedFarmOptions): SimulatedFarmOptions => ({
      ...farm,
      ...(random.chance(0.15) ? { limit: { perSecond: 1 + random.below(10), burst: 1 + random.below(20) } } : {}),
      ...(random.chance(0.1) ? { clockOffMs: (random.below(13) - 6) * 3_600_000 } : {}),
      ...(farm.faults
        ? {
            faults: {
              ...farm.faults,
              outputAgain: some(0.3),
              pageShuffled: some(0.5),
              garbage: random.chance(0.1) ? 0.3 * random.next() : 0,
            },
          }
        : {}),
    }),
    checker: (checker: SimulatedCheckerOptions): SimulatedCheckerOptions => ({
      ...checker,
      faults: { ...checker.faults, votesTwice: some(0.3) },
    }),
    ledger: { reorgs: some(0.4) },
    hangs: hangsOf(seed, fair),
    disk: random.chance(0.1) ? (world: World) => slowStore(world, random) : ({ store }: World) => store,
  }
}

/** Calls that never return: here and there at any port, or all deliveries for some minutes, as to a mount whose server is away. */
function hangsOf(seed: number, fair: boolean): (clock: Clock) => ProcessFate['hangs'] {
  const random = seededRandom(seed * 15_485_863 + 11)
  const chance = random.chance(0.1) && !fair ? 0.02 * random.next() : 0
  const away = random.chance(0.06) && !fair ? { from: random.below(200_000), ms: 20_000 + random.below(1_200_000) } : undefined
  if (chance === 0 && away === undefined) return () => undefined
  return (clock) => {
    const startMs = clock.now()
    return (port) => {
      const atMs = clock.now() - startMs
      if (port === 'deliver' && away !== undefined && atMs >= away.from && atMs < away.from + away.ms) return 'before'
      return random.chance(chance) ? random.pick(['before', 'after'] as const) : undefined
    }
  }
}

/**
 * A world in which one thing goes wrong all the time, of one seed in fifteen each: worlds of many faults rarely meet it at the right moment. `replies`: replies of farms
 * get lost. `duels`: farms speak seldom, and both copies of a tail are done when they do. `once`: small leases at farms that cannot find tasks by key, under a runner
 * that dies three times.
 */
type Direction = 'replies' | 'duels' | 'once' | undefined

function directedFarm(direction: Direction, farm: SimulatedFarmOptions, random: Random): SimulatedFarmOptions {
  if (direction === 'replies') return { ...farm, idempotency: 'native', faults: { replyLost: 0.2 + 0.4 * random.next() } }
  if (direction === 'once') return { ...farm, idempotency: 'at-most-once', faults: {} }
  if (direction !== 'duels') return farm
  const { price } = farm
  const slowFactor = 45 + random.below(20)
  return {
    id: farm.id,
    seed: farm.seed!,
    price: price!,
    slots: 4,
    pollMs: 30_000,
    msPerWork: 2_000,
    faults: { taskSlow: 0.6, slowFactor },
  }
}

/** A store on a disk that is busy with other things: now and then a call takes seconds before it has its effect. */
function slowStore({ store, clock }: World, random: Random): Store {
  const slow =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (random.chance(0.05)) await clock.sleep(random.below(4_000))
      return call(...args)
    }
  return {
    ...store,
    claim: slow(store.claim),
    renew: slow(store.renew),
    append: slow(store.append),
    post: slow(store.post),
    load: slow(store.load),
  }
}

/** Builds the world of a seed: farms, checkers and ledger with faults, a deadline that may be too short. */
export function chaosWorld(seed: number): {
  readonly world: World
  readonly random: Random
  readonly fair: boolean
  /** The store as the world's processes find it. */
  readonly store: Store
  /** How often the runner dies or stands still. */
  readonly deaths: number
  readonly hangs: ProcessFate['hangs']
} {
  const random = seededRandom(seed * 7919 + 17)
  const startMs = 1_800_000_000_000
  // In a fair world nothing goes wrong but the runner itself: such a job has no excuse.
  const direction: Direction = (['replies', 'duels', 'once'] as const)[seed % 15]
  const fair = random.chance(0.15) && direction === undefined
  const { checkers, quorum } = checkersOf(random, startMs, fair)
  const later = laterFaults(seed, fair)
  const careless = random.chance(0.2) && !fair
  // Tasks that are slow but move: their tails are leased a second time, and both copies may come in at the same moment.
  const tails = (random.chance(0.2) && !fair) || direction === 'duels'
  // Frames in tiles: each tile is leased, checked and paid by itself.
  const tiles = random.chance(0.1) ? 2 + random.below(3) : undefined
  const world = simulatedWorld({
    name: `chaos ${seed}`,
    frames: 1 + random.below(tiles !== undefined ? 6 : random.chance(tails ? 0.4 : 0.15) ? 40 : 16),
    farms: Array.from({ length: (direction === 'duels' ? 2 : 1) + random.below(4) }, (_, i) => ({
      ...directedFarm(direction, later.farm(farmOf(`farm-${i}`, random, startMs, fair, tails)), random),
      tiles: tiles !== undefined,
    })),
    checkers: checkers.map(later.checker),
    quorum,
    cache: simulatedCache(seed),
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
              ...later.ledger,
            },
          }
        : {}),
    },
    deadlineMs: random.chance(0.1) && !fair ? 60_000 + random.below(600_000) : 2 * 3_600_000,
    order: {
      ...(tiles === undefined ? {} : { tiles }),
      leaseMs: (direction === undefined ? 2_000 : 500) + random.below(direction === undefined ? 20_000 : 3_000),
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
    tuning: {
      stallMs: tails ? 3_600_000 : 60_000,
      reconcileMs: 120_000,
      callMs: 20_000,
      diskMs: 20_000,
      deliverMs: 20_000,
      resendMs: 20_000,
      inboxMs: 10_000,
      // Few and many: a snapshot after every few facts costs more than all the rest of a job.
      snapshotFacts: seed % 6 === 0 ? 1 + (seed % 41) : 100,
    },
  })
  return {
    world,
    random,
    fair,
    store: later.disk(world),
    hangs: later.hangs(world.clock),
    deaths: direction === 'once' ? 3 : random.chance(0.5) ? random.below(4) : 0,
  }
}

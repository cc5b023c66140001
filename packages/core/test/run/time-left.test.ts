import { describe, expect, it } from 'vitest'
import { simulatedWorld, type World } from '../../src/simulate/index.ts'

const FRAMES = 240

/** What frames really cost: the plan says 1 for each. Dearer as a whole, and more so towards the end. */
const truth = (frame: number): number => 1.1 + 0.8 * (frame / FRAMES) ** 2

const worldOf = (name: string): World =>
  simulatedWorld({
    name,
    frames: FRAMES,
    work: truth,
    farms: [
      { id: 'one', slots: 2, msPerWork: 10_000 },
      { id: 'two', slots: 1, msPerWork: 10_000, faults: { taskSlow: 0.2, slowFactor: 1.3 } },
    ],
    checkers: [{ id: 'a' }],
    quorum: 1,
    order: { work: Array.from({ length: FRAMES }, () => 1), leaseMs: 60_000 },
  })

interface Said {
  readonly share: number
  readonly leftMs: number
  /** What the run said, and what its rate so far would say. */
  readonly saidMs: number
  readonly byRateMs: number
}

/** Everything that a run says of its time, until all frames are accepted. `handOver`: another process takes the run at that share. */
async function follow(at: World, handOver = 2): Promise<Said[]> {
  let runner = at.runner('one')
  let run = await runner.submit(at.order)
  const said: (Omit<Said, 'leftMs'> & { readonly atMs: number })[] = []
  let endAtMs = 0
  const watch = (stop: number) => (): boolean => {
    const { leftMs, framesAccepted, framesTotal, startedAtMs } = run.state()
    const nowMs = at.clock.now()
    const share = framesAccepted / framesTotal
    if (leftMs && share < 1 && share > (said.at(-1)?.share ?? 0))
      said.push({ atMs: nowMs, share, saidMs: leftMs.expected, byRateMs: ((nowMs - startedAtMs) * (1 - share)) / share })
    endAtMs = nowMs
    return share >= stop
  }
  if (handOver < 1) {
    expect(await at.clock.run(watch(handOver), { maxSteps: 200_000 })).toBe(true)
    await runner.close()
    runner = at.runner('two')
    run = await runner.attach(at.order.run)
  }
  expect(await at.clock.run(watch(1), { maxSteps: 200_000 })).toBe(true)
  await runner.close()
  return said.map(({ atMs, ...one }) => ({ ...one, leftMs: endAtMs - atMs }))
}

const errorOf = (said: readonly Said[], of: (one: Said) => number): number =>
  said.reduce((sum, one) => sum + Math.abs(of(one) / one.leftMs - 1), 0) / said.length

describe('time left', () => {
  it('is told from the start, and comes nearer to the truth as frames come in than the rate so far does', async () => {
    const said = await follow(worldOf('time left'))
    const [early, late] = [said.filter((one) => one.share < 0.3), said.filter((one) => one.share > 0.6)]
    expect(early.length).toBeGreaterThan(5)
    expect(errorOf(late, (one) => one.saidMs)).toBeLessThan(0.7 * errorOf(early, (one) => one.saidMs))
    expect(errorOf(late, (one) => one.saidMs)).toBeLessThan(0.3 * errorOf(late, (one) => one.byRateMs))
    expect(errorOf(said, (one) => one.saidMs)).toBeLessThan(0.6 * errorOf(said, (one) => one.byRateMs))
  })

  it('is known to another process that takes the run, from the journal', async () => {
    const whole = await follow(worldOf('one process'))
    const handed = (await follow(worldOf('one process'), 0.5)).filter((one) => one.share > 0.6)
    expect(handed.length).toBeGreaterThan(5)
    const alone = whole.filter((one) => one.share > 0.6)
    expect(errorOf(handed, (one) => one.saidMs)).toBeLessThan(1.3 * errorOf(alone, (one) => one.saidMs) + 0.02)
  })

  it('is the same to a process that only watches as to the one that renders', async () => {
    const at = worldOf('watched')
    const runner = at.runner('one')
    const run = await runner.submit(at.order)
    expect(await at.clock.run(() => run.state().framesAccepted > 0, { maxSteps: 200_000 })).toBe(true)
    const other = at.runner('watcher')
    const seen = await other.attach(at.order.run)
    expect(seen.state()).toMatchObject({ phase: 'running', framesTotal: FRAMES })
    // It reads events as `pictor watch` does; what it says is compared whenever it has read all that there is.
    let reads = 0
    void (async () => {
      for await (const _ of seen.events()) reads++
    })().catch(() => {})
    const pairs: { readonly share: number; readonly owner: number; readonly watcher: number; readonly asked: number }[] = []
    const compare = async (): Promise<void> => {
      const [mine, theirs] = [run.state(), seen.state()]
      if (!mine.leftMs || !theirs.leftMs || mine.framesAccepted !== theirs.framesAccepted) return
      const asked = (await other.state(at.order.run)).leftMs
      if (run.state().framesRendered !== mine.framesRendered || !asked) return
      pairs.push({ share: mine.percent, owner: mine.leftMs.expected, watcher: theirs.leftMs.expected, asked: asked.expected })
    }
    for (let step = 0; run.state().phase === 'running' && step < 400; step++) {
      const until = at.clock.now() + 100_000
      await at.clock.run(() => at.clock.now() >= until || run.state().phase !== 'running', { maxSteps: 200_000 })
      await compare()
    }
    await other.close()
    await runner.close()
    expect(reads).toBeGreaterThan(10)
    expect(pairs.length).toBeGreaterThan(10)
    // The process that renders knows how far the frames of this moment are, which no journal says.
    const most = (of: (one: (typeof pairs)[number]) => number): number =>
      Math.max(...pairs.filter((one) => one.share < 85).map((one) => Math.abs(of(one) - 1)))
    expect(most(({ watcher, owner }) => watcher / owner)).toBeLessThan(0.2)
    // The estimate is worked out again with every twentieth frame more: who asks once has all of them.
    expect(most(({ asked, watcher }) => asked / watcher)).toBeLessThan(0.1)
  })
})

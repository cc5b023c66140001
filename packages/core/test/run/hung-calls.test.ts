import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../../src/contract/index.ts'
import type { JobProofs, JobResult, RunnerOptions } from '../../src/run/index.ts'
import { simulatedCache } from '../../src/simulate/cache.ts'
import { simulatedOrder, simulatedWorld, type World } from '../../src/simulate/index.ts'

const world = (name: string, more: Partial<Parameters<typeof simulatedWorld>[0]> = {}): World =>
  simulatedWorld({
    name,
    frames: 6,
    farms: [
      { id: 'one', slots: 2, msPerWork: 2_000, faults: { taskFails: 1 } },
      { id: 'two', slots: 2, msPerWork: 2_000 },
    ],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    cache: simulatedCache(1),
    order: { leaseMs: 4_000 },
    ...more,
  })

type Hang = 'before' | 'after'

/** The port, with one call of a verb that never returns, whatever signal it is given: the first, before or after it has its effect. */
function hung<T extends object>(port: T, verb: string, hang: Hang, met: { calls: number }): T {
  return new Proxy(port, {
    get(target, field) {
      const value: unknown = Reflect.get(target, field, target)
      if (typeof value !== 'function' || field !== verb) return value
      return async (...args: unknown[]): Promise<unknown> => {
        const first = met.calls++ === 0
        if (first && hang === 'before') return new Promise(() => {})
        const answer: unknown = await Reflect.apply(value, target, args)
        return first ? new Promise(() => {}) : answer
      }
    },
  })
}

const never = <T>(): Promise<T> => new Promise<T>(() => {})

/** Every call that a runner makes to the outside. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  store: ['load', 'claim', 'renew', 'append', 'due', 'posted', 'read'],
  farm: ['describe', 'stage', 'submit', 'poll', 'set', 'open'],
  checker: ['send', 'poll'],
  ledger: ['open', 'send', 'poll', 'evidence'],
  artifacts: ['put', 'has', 'read'],
  signer: ['signDigest'],
  cache: ['get', 'set'],
  planner: ['replan'],
  deliver: ['deliver'],
}

function portsWith(at: World, port: string, verb: string, hang: Hang, met: { calls: number }): RunnerOptions {
  const ports = at.ports('a')
  const of = <T extends object>(one: T): T => hung(one, verb, hang, met)
  switch (port) {
    case 'store':
      return { ...ports, store: of(ports.store) }
    case 'farm': {
      const farms = new Map([...at.farms].map(([id, farm]) => [id, of(farm)]))
      return { ...ports, farms: (id) => farms.get(id) }
    }
    case 'checker':
      return { ...ports, checkers: ports.checkers.map(of) }
    case 'ledger':
      return { ...ports, ledger: of(ports.ledger) }
    case 'artifacts':
      return { ...ports, artifacts: of(ports.artifacts) }
    case 'signer':
      return { ...ports, leaseSigner: of(ports.leaseSigner), proofs: askingProofs(ports.proofs!) }
    case 'cache':
      return { ...ports, cache: of(ports.cache!) }
    case 'planner':
      return { ...ports, replan: of({ replan: ports.replan }).replan }
    default:
      return { ...ports, deliver: of({ deliver: ports.deliver }).deliver }
  }
}

/** Stand-ins sign without a signer: these ask it first. */
function askingProofs(proofs: JobProofs): JobProofs {
  return {
    ...proofs,
    async signLeaseSet(domain, signer, set) {
      await signer.signDigest(set.setRoot)
      return proofs.signLeaseSet(domain, signer, set)
    },
  }
}

describe.each(['before', 'after'] as const)('a call that never returns (%s its effect)', (hang) => {
  it.each(Object.entries(CALLS).flatMap(([port, verbs]) => verbs.map((verb) => [port, verb] as const)))(
    '%s.%s: the job goes on without it and ends whole',
    async (port, verb) => {
      const at = world(`${port} ${verb}`)
      const met = { calls: 0 }
      const runner = at.runner('a', portsWith(at, port, verb, hang, met))
      let result: JobResult | undefined
      // A store that does not answer the submit itself is the caller's to ask again.
      const submitted = runner.submit(at.order).catch(() => runner.submit(at.order))
      void submitted.then(async (run) => (result = await run.done()))
      const told: JobEvent[] = []
      void submitted.then(async (run) => {
        for await (const event of run.events()) told.push(event)
      })
      void submitted.then(() => runner.start())
      const over = (): boolean => result !== undefined && told.at(-1)?.type === 'job-end'
      expect(await at.clock.run(over, { untilMs: at.clock.now() + 3_600_000 })).toBe(true)
      expect(met.calls).toBeGreaterThan(0)
      expect(result!.outcome).toBe('done')
      const frames = told.flatMap((event) => (event.type === 'frame-delivered' ? [event.frame] : []))
      expect(frames.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6])
      expect(at.ledger.violations).toEqual([])
      expect(Math.max(...[...at.farms.values()].flatMap((farm) => [...farm.stats.tasksByAttempt.values()]))).toBe(1)
      void runner.close()
    },
  )
})

describe('a folder that hangs', () => {
  const otherOrder = (at: World, name: string): World['order'] => {
    const { spec, quotes, parties, terms } = at.order
    return simulatedOrder({
      name,
      nowMs: at.clock.now(),
      frames: [1, 2, 3, 4, 5, 6],
      quotes,
      parties,
      checkers: terms.checkers,
      quorum: 1,
      deadlineMs: 3_600_000,
      leaseKey: terms.leaseKey,
      leaseMs: 4_000,
      bundle: spec.bundle,
      options: { outDir: '/other' },
    })
  }

  it('holds up no other folder; the job says which frame and where, delivers each frame once when it is back, and settles meanwhile', async () => {
    const at = world('hung folder', { frames: 12, order: { leaseMs: 4_000, options: { outDir: '/dead' } } })
    let away = true
    const backs: (() => void)[] = []
    const ports = at.ports('a')
    const runner = at.runner('a', {
      deliver: async (request, ctx) => {
        if (request.outDir === '/dead' && away) await new Promise<void>((resolve) => backs.push(resolve))
        return ports.deliver(request, ctx)
      },
    })
    const other = otherOrder(at, 'other')
    const dead = await runner.submit(at.order)
    const alive = await runner.submit(other)
    let aliveEnd: JobResult | undefined
    let deadEnd: JobResult | undefined
    void alive.done().then((result) => (aliveEnd = result))
    void dead.done().then((result) => (deadEnd = result))
    expect(await at.clock.run(() => aliveEnd !== undefined, { untilMs: at.clock.now() + 1_800_000 })).toBe(true)
    expect(aliveEnd!.outcome).toBe('done')
    const paidAndSaid = (): boolean => {
      const { money, blocked } = dead.state()
      return money.pending === 0n && money.paid > 0n && blocked !== undefined
    }
    expect(await at.clock.run(paidAndSaid, { untilMs: at.clock.now() + 3_600_000 })).toBe(true)
    expect(dead.state().blocked).toMatch(/^frame \d+ cannot be delivered to \/dead: no progress for 60000 ms; it is tried again$/)
    expect(dead.state().framesDelivered).toBe(0)
    expect(deadEnd).toBeUndefined()
    // The mount is back: calls that hung end now, and the others are made again.
    away = false
    for (const back of backs) back()
    expect(await at.clock.run(() => deadEnd !== undefined, { untilMs: at.clock.now() + 600_000 })).toBe(true)
    expect(deadEnd!.outcome).toBe('done')
    const events: JobEvent[] = []
    for await (const event of dead.events()) events.push(event)
    const frames = events.flatMap((event) => (event.type === 'frame-delivered' ? [event.frame] : []))
    expect(frames.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    expect(events.some((event) => event.type === 'job-blocked' && event.reason.includes('/dead'))).toBe(true)
    await runner.close()
  })

  it('that never comes back ends the job at giveUpAt with its frames missing and all money settled; close() waits for nothing', async () => {
    const at = world('dead folder')
    const runner = at.runner('a', { deliver: never })
    const run = await runner.submit(at.order)
    let end: JobResult | undefined
    void run.done().then((result) => (end = result))
    expect(await at.clock.run(() => end !== undefined, { untilMs: at.order.options.giveUpAtMs + 1_000 })).toBe(true)
    expect(end).toMatchObject({ outcome: 'failed', frames: [], missing: [1, 2, 3, 4, 5, 6] })
    expect(at.ledger.total(end!.job!)).toMatchObject({ locked: 0n, pending: 0n })
    let closed = false
    void runner.close().then(() => (closed = true))
    await at.clock.run(() => closed, { untilMs: at.clock.now() + 1 })
    expect(closed).toBe(true)
  })

  it('a frame that arrives after it was given up is delivered, and a slow one that moves is not given up', async () => {
    const at = world('late frames', { frames: 2, order: { leaseMs: 1_000 } })
    const calls = new Map<number, number>()
    const runner = at.runner('a', {
      async deliver({ frame, outDir }, { moved }) {
        calls.set(frame, (calls.get(frame) ?? 0) + 1)
        if (frame === 1) await at.clock.sleep(65_000)
        else for (let i = 0; i < 10; i++) await at.clock.sleep(30_000).then(moved)
        return { path: `${outDir}/frame_000${frame}.png` }
      },
    })
    const run = await runner.submit(at.order)
    let end: JobResult | undefined
    void run.done().then((result) => (end = result))
    expect(await at.clock.run(() => end !== undefined, { untilMs: at.clock.now() + 1_800_000 })).toBe(true)
    expect(end!.outcome).toBe('done')
    expect(calls.get(2)).toBe(1)
    await runner.close()
  })
})

it('close() with a store that never answers again waits for it for seconds, not for ever', async () => {
  const at = world('hung store')
  let hangs = false
  const store = new Proxy(at.store, {
    get(target, field) {
      const value: unknown = Reflect.get(target, field, target)
      return typeof value === 'function' ? (...args: unknown[]) => (hangs ? never() : Reflect.apply(value, target, args)) : value
    },
  })
  const runner = at.runner('a', { store })
  const run = await runner.submit(at.order)
  await at.clock.run(() => run.state().framesRendered > 0, { untilMs: at.clock.now() + 600_000 })
  hangs = true
  await at.clock.run(() => false, { untilMs: at.clock.now() + 30_000 })
  let closed = false
  void runner.close().then(() => (closed = true))
  expect(await at.clock.run(() => closed, { untilMs: at.clock.now() + 60_000 })).toBe(true)
})

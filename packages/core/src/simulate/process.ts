import type { Clock } from '../contract/context.ts'
import { wakeAfter } from '../run/clock.ts'
import type { RunnerOptions } from '../run/types.ts'
import type { Store } from '../store/types.ts'

/** When a simulated process dies or stands still. */
export interface ProcessFate {
  /** It dies at this call to the outside (from 1). */
  readonly killAtCall?: number
  /** Whether that call still has its effect. */
  readonly effect?: 'before' | 'after'
  /** It stands still for this span of clock time, as under SIGSTOP, and goes on as if nothing had been. */
  readonly stop?: { readonly from: number; readonly to: number }
  /** Calls that never return, whatever signal they were given: asked at each call to a port. `after`: it still has its effect; a stream that it gives never begins. */
  readonly hangs?: (port: PortName) => 'before' | 'after' | undefined
}

export type PortName = 'store' | 'farm' | 'checker' | 'ledger' | 'artifacts' | 'planner' | 'deliver' | 'signer' | 'cache'

export interface SimulatedProcess {
  readonly options: RunnerOptions
  readonly dead: boolean
  /** Calls to the outside so far. */
  readonly calls: number
  /** Nothing that it does has any effect from now on. */
  kill(): void
}

/** Puts a process boundary around a runner's ports: every call passes a gate at which the process may die or stand still. A dead process's promises never settle. */
export function simulatedProcess(ports: RunnerOptions & { readonly clock: Clock }, fate: ProcessFate): SimulatedProcess {
  const { clock } = ports
  const life = { dead: false, calls: 0 }
  const never = <T>(): Promise<T> => new Promise<T>(() => {})
  const stopped = (): number => {
    const { stop } = fate
    const now = clock.now()
    return stop && now >= stop.from && now < stop.to ? stop.to - now : 0
  }
  const stand = async (): Promise<void> => {
    const ms = stopped()
    if (ms > 0) await clock.sleep(ms)
  }
  const pass = async <T>(port: PortName, act: () => T | Promise<T>): Promise<T> => {
    if (life.dead) return never()
    if (stopped() > 0) await stand()
    if (life.dead) return never()
    const doomed = ++life.calls === fate.killAtCall
    if (doomed && fate.effect !== 'after') {
      life.dead = true
      return never()
    }
    const hangs = fate.hangs?.(port)
    if (hangs === 'before') return never()
    try {
      const result = await act()
      if (doomed) life.dead = true
      if (life.dead) return never()
      if (hangs === 'after') return hungStream(result) ?? never()
      if (stopped() > 0) await stand()
      return result
    } catch (error) {
      if (doomed) life.dead = true
      if (life.dead) return never()
      throw error
    }
  }
  const wrap = <T extends object>(name: PortName, port: T): T => {
    const verbs = new Map<string | symbol, (...args: unknown[]) => unknown>()
    return new Proxy(port, {
      get(target, field) {
        const known = verbs.get(field)
        if (known) return known
        const value: unknown = Reflect.get(target, field, target)
        if (typeof value !== 'function') return value
        const verb = (...args: unknown[]): unknown => pass(name, () => Reflect.apply(value, target, args) as unknown)
        verbs.set(field, verb)
        return verb
      },
    })
  }
  const farms = new Map<string, ReturnType<RunnerOptions['farms']>>()
  const sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    if (life.dead) return never()
    await clock.sleep(ms, signal)
    if (life.dead) return never()
    if (stopped() > 0) await stand()
    if (life.dead) return never()
  }
  const timer = (ms: number, wake: () => void): (() => void) => {
    if (life.dead) return () => {}
    let canceled = false
    const cancel = wakeAfter(clock, ms, () => {
      if (life.dead) return
      if (stopped() === 0) return wake()
      void stand().then(() => life.dead || canceled || wake())
    })
    return () => {
      canceled = true
      cancel()
    }
  }
  const farm = (id: string): ReturnType<RunnerOptions['farms']> => {
    const real = ports.farms(id)
    if (!real) return undefined
    let wrapped = farms.get(id)
    if (!wrapped) farms.set(id, (wrapped = wrap('farm', real)))
    return wrapped
  }
  return {
    options: {
      ...ports,
      clock: { now: () => clock.now(), sleep, timer },
      store: wrap<Store>('store', ports.store),
      farms: farm,
      checkers: ports.checkers.map((checker) => wrap('checker', checker)),
      ledger: wrap('ledger', ports.ledger),
      artifacts: wrap('artifacts', ports.artifacts),
      leaseSigner: wrap('signer', ports.leaseSigner),
      ...(ports.cache ? { cache: wrap('cache', ports.cache) } : {}),
      replan: (request) => pass('planner', () => ports.replan(request)),
      deliver: (request, ctx) => pass('deliver', () => ports.deliver(request, ctx)),
    },
    get dead() {
      return life.dead
    },
    get calls() {
      return life.calls
    },
    kill() {
      life.dead = true
    },
  }
}

/** The same answer with a stream of which no part ever comes; undefined for an answer without one. */
function hungStream<T>(answer: T): T | undefined {
  const hung = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
  for (const field of ['stream', 'facts'])
    if (typeof answer === 'object' && answer !== null && field in answer) return { ...answer, [field]: hung }
  return undefined
}

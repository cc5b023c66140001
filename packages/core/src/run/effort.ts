import { hash } from 'node:crypto'
import type { CallContext, Clock } from '../contract/context.ts'
import { isPictorError, PictorError } from '../contract/error.ts'
import { wakeAfter } from './clock.ts'
import type { JobHost } from './job-host.ts'
import type { RunnerTuning } from './tuning.ts'

/** Idempotency key of a command: sha256 of run, stream and command id, so that a retry after any crash carries the same one. */
export function commandKey(run: string, stream: string, command: string): string {
  return hash('sha256', `${run}\n${stream}\n${command}`)
}

/**
 * Wait before try number `attempt` (from 0): doubling, with jitter that depends only on the command. What the other side asked for comes first and the jitter on top
 * of it, so that everybody who waits for one farm does not come back in the same moment.
 */
export function backoffMs(key: string, attempt: number, tuning: RunnerTuning, retryAfterMs = 0): number {
  const base = Math.min(tuning.retryMaxMs, tuning.retryMs * 2 ** Math.min(attempt, 20))
  const jitter = Number.parseInt(hash('sha256', `${key} ${attempt}`).slice(0, 4), 16) / 65536
  return retryAfterMs > 0 ? Math.ceil(retryAfterMs + tuning.retryMs * jitter) : Math.round(base * (0.5 + jitter / 2))
}

/** Reason of aborts inside the shell that nobody looks at; made once, because every error captures a stack. */
export const OVER: PictorError = new PictorError('canceled', 'no longer wanted')

/**
 * Runs one call with a time limit; the call's signal ends when the limit or the command does, and no listener stays behind. A callee that ignores its signal does not
 * hold the command up.
 */
export function limitedCall<T>(
  clock: Clock,
  limitMs: number,
  outer: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (outer.aborted) return reject(outer.reason as Error)
    const inner = new AbortController()
    const over = (): void => {
      outer.removeEventListener('abort', stop)
      cancel()
    }
    const fail = (error: unknown): void => {
      over()
      reject(error as Error)
    }
    const end = (reason: unknown): void => {
      fail(reason)
      inner.abort(reason)
    }
    const stop = (): void => end(outer.reason)
    const cancel = wakeAfter(clock, limitMs, () => end(new PictorError('timeout', `no answer within ${limitMs} ms`)))
    outer.addEventListener('abort', stop, { once: true })
    try {
      call(inner.signal).then((value) => {
        over()
        resolve(value)
      }, fail)
    } catch (error) {
      fail(error)
    }
  })
}

export interface Effort {
  readonly clock: Clock
  readonly tuning: RunnerTuning
  readonly key: string
  readonly signal: AbortSignal
}

/** The effort behind one command of a stream: its key never changes. */
export function effort(host: JobHost, stream: string, command: string, signal: AbortSignal): Effort {
  const { clock, tuning } = host.shared
  return { clock, tuning, key: host.key(stream, command), signal }
}

/** What becomes of an error of an effect. */
export type Fate = 'again' | 'refused'

/** By default errors that may pass are tried again for as long as the command is open; what the other side refused is not. Unknown errors get a few tries. */
export function fateOf(error: unknown, attempt: number): Fate {
  if (isPictorError(error)) return error.retryable ? 'again' : 'refused'
  return attempt < 5 ? 'again' : 'refused'
}

/**
 * Tries `act` until it succeeds, the command ends, or the error is final. Resolves to the final error, or undefined.
 */
export async function tryUntilDone(
  effort: Effort,
  act: (ctx: CallContext) => Promise<unknown>,
  fate: (error: unknown, attempt: number) => Fate = fateOf,
): Promise<unknown> {
  const { clock, tuning, key, signal } = effort
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await limitedCall(clock, tuning.callMs, signal, (limited) =>
        act({ signal: limited, key, deadlineAtMs: clock.now() + tuning.callMs }),
      )
      return undefined
    } catch (error) {
      if (signal.aborted) return undefined
      if (fate(error, attempt) === 'refused') return error
      const retryAfterMs = isPictorError(error) ? error.details.retryAfterMs : undefined
      await pause(clock, backoffMs(key, attempt, tuning, retryAfterMs), signal)
    }
  }
  return undefined
}

/** {@link tryUntilDone}, for what it gives. @throws the final error, or the signal's reason */
export async function untilDone<T>(effort: Effort, act: (ctx: CallContext) => Promise<T>): Promise<T> {
  let result: { readonly value: T } | undefined
  const error = await tryUntilDone(effort, async (ctx) => void (result = { value: await act(ctx) }))
  if (result) return result.value
  throw error ?? effort.signal.reason
}

/** Tries of somebody who only reads: a disk that is away for minutes is worth waiting for, and a damaged one must be told. */
const READ_TRIES = 12

/** Reads something again while the store does not answer or says that it may later. @throws what the read throws, at the latest after {@link READ_TRIES} tries */
export async function untilRead<T>(clock: Clock, tuning: RunnerTuning, signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read()
    } catch (error) {
      signal.throwIfAborted()
      if (!(isPictorError(error) && error.retryable) || attempt === READ_TRIES) throw error
      await pause(clock, backoffMs('read', attempt, tuning), signal)
    }
  }
}

/** Sleeps; resolves early when the signal ends it. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const cancel = wakeAfter(clock, ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    const stop = (): void => {
      cancel()
      resolve()
    }
    signal.addEventListener('abort', stop, { once: true })
  })
}

/** A long wait looks at the clock again this often, in milliseconds: the clock is set, and machines sleep. */
const LOOK_MS = 600_000

/** Sleeps until a time of the clock, however the clock is set meanwhile. */
export async function pauseUntil(clock: Clock, atMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && clock.now() < atMs) await pause(clock, Math.min(atMs - clock.now(), LOOK_MS), signal)
}

/**
 * Sleeps until a time that a stream counted from its own last fact. A stream's time never runs backwards: when the clock was set back it is behind that fact, and a
 * wait of a second must not become one of an hour.
 */
export async function pauseFromFact(
  clock: Clock,
  atMs: number,
  { lastAtMs }: { readonly lastAtMs: number },
  signal: AbortSignal,
): Promise<void> {
  await pause(clock, Math.max(0, atMs - Math.max(clock.now(), lastAtMs)), signal)
}

/** Timers that stand for times of the calendar; all others are counted from the fact that set them. */
const CALENDAR: readonly string[] = ['commit-by', 'deadline', 'attest-by', 'refund', 'give-up']

/** Waits for a machine's timer. */
export function pauseTimer(
  clock: Clock,
  command: { readonly timer: string; readonly atMs: number },
  state: { readonly lastAtMs: number },
  signal: AbortSignal,
): Promise<void> {
  return CALENDAR.includes(command.timer)
    ? pauseUntil(clock, command.atMs, signal)
    : pauseFromFact(clock, command.atMs, state, signal)
}

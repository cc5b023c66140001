import { EventEmitter } from 'eventemitter3'
import type { Clock } from '../contract/context.ts'
import type { JobEvent } from '../contract/event.ts'
import { pause } from './effort.ts'

/** How long after the store failed it is read again. */
const AGAIN_MS = 2_000

export interface EmitterSource {
  readonly clock: Clock
  /** Ordered events after a cursor; ends with the run. */
  events(after?: number): AsyncIterable<JobEvent>
  readonly closed: AbortSignal
}

/**
 * An eventemitter3 emitter over a run's ordered events. It reads from the run's first event on while anybody listens, and goes on where it was after a time without
 * listeners, so every event is emitted at most once.
 */
export function jobEmitter({ clock, events, closed }: EmitterSource): EventEmitter {
  const emitter = new EventEmitter()
  let reading = false
  let cursor: number | undefined
  const heard = (): boolean => emitter.eventNames().length > 0

  async function read(): Promise<void> {
    for (let ended = false; !ended && heard() && !closed.aborted;) {
      try {
        for await (const event of events(cursor)) {
          if (event.type !== 'progress') cursor = event.cursor
          tell(event)
          if (!heard()) break
        }
        ended = heard()
      } catch {
        // The store is away; what was emitted is not read again.
        await pause(clock, AGAIN_MS, closed)
      }
    }
    reading = false
  }
  /** A listener that throws is its owner's uncaught exception; the reading goes on. */
  function tell(event: JobEvent): void {
    try {
      emitter.emit(event.type, event)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
  /** Listening starts the reading. */
  const listening =
    (add: (type: string, listener: (event: JobEvent) => void) => unknown) =>
    (type: string, listener: (event: JobEvent) => void): EventEmitter => {
      add.call(emitter, type, listener)
      if (!reading) {
        reading = true
        queueMicrotask(() => void read())
      }
      return emitter
    }
  const { on, once } = EventEmitter.prototype as unknown as Record<
    'on' | 'once',
    (type: string, listener: (event: JobEvent) => void) => unknown
  >
  return Object.assign(emitter, { on: listening(on), addListener: listening(on), once: listening(once) })
}

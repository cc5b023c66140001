import PQueue from 'p-queue'
import type { Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import { stallWatch } from './stall-watch.ts'
import type { Deliver, DeliverContext, DeliverRequest } from './types.ts'

/** The deliveries of a runner: a few at once, over all its jobs, and none that hangs holds up the others. */
export interface Deliveries {
  /**
   * Delivers one frame. A call that shows no progress for `deliverMs` is told to end and leaves its place to others, whether or not it heeds that. Should it come to
   * its end after all, `late` is called: the frame is delivered, exactly as if it had been in time.
   * @throws what the call throws; timeout when it hangs; the signal's reason
   */
  deliver(request: DeliverRequest, signal: AbortSignal, late: (path: string) => void): Promise<string>
}

interface Destination {
  /** Its share of the places. */
  readonly queue: PQueue
  /** Frames that are on their way to it or wait. */
  frames: number
  hangs: boolean
}

export interface DeliveriesOptions {
  readonly deliver: Deliver
  readonly clock: Clock
  /** Deliveries at once. */
  readonly places: number
  readonly deliverMs: number
  readonly closing: AbortSignal
}

/**
 * A folder or bucket gets all places but one, so that one which hangs never holds up another. After a call to it has hung it gets one place, which is the probe that
 * finds out when it is back: a frame that arrives gives it its share again.
 */
export function deliveries({ deliver, clock, places, deliverMs, closing }: DeliveriesOptions): Deliveries {
  const all = new PQueue({ concurrency: places })
  const share = Math.max(1, places - 1)
  const destinations = new Map<string, Destination>()
  const stalls = stallWatch(clock, deliverMs, closing)

  function destinationOf(outDir: string): Destination {
    let found = destinations.get(outDir)
    if (!found) destinations.set(outDir, (found = { queue: new PQueue({ concurrency: share }), frames: 0, hangs: false }))
    return found
  }

  function mark(destination: Destination, hangs: boolean): void {
    if (destination.hangs === hangs) return
    destination.hangs = hangs
    destination.queue.concurrency = hangs ? 1 : share
  }

  function once(
    request: DeliverRequest,
    destination: Destination,
    signal: AbortSignal,
    late: (path: string) => void,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      let inner: AbortController | undefined
      let over = false
      const end = (settle: () => void): void => {
        over = true
        watched.end()
        signal.removeEventListener('abort', stop)
        settle()
      }
      const giveUp = (reason: unknown): void => {
        end(() => reject(reason as Error))
        inner?.abort(reason)
      }
      const stop = (): void => giveUp(signal.reason)
      const watched = stalls.watch((ms) => {
        mark(destination, true)
        giveUp(new PictorError('timeout', `no progress for ${ms} ms`))
      })
      const context: DeliverContext = {
        // Made for those who look at it.
        get signal() {
          inner ??= new AbortController()
          if (over) inner.abort()
          return inner.signal
        },
        moved: () => watched.moved(),
      }
      signal.addEventListener('abort', stop, { once: true })
      Promise.resolve()
        .then(() => deliver(request, context))
        .then(
          ({ path }) => {
            mark(destination, false)
            if (over) late(path)
            else end(() => resolve(path))
          },
          (error: unknown) => over || end(() => reject(error as Error)),
        )
    })
  }

  return {
    async deliver(request, signal, late) {
      const destination = destinationOf(request.outDir)
      destination.frames++
      try {
        return await destination.queue.add(() => all.add(() => once(request, destination, signal, late)))
      } finally {
        destination.frames--
        if (destination.frames === 0 && !destination.hangs) destinations.delete(request.outDir)
      }
    },
  }
}

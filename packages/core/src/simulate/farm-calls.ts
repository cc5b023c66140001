import type { CallContext, Clock } from '../contract/context.ts'
import { PictorError } from '../contract/error.ts'
import type { SimulatedFarmOptions, SimulatedFarmStats } from './farm-options.ts'
import { type Random, seededRandom } from './random.ts'

type PageFault = 'cursorLost' | 'eventLost' | 'eventTwice' | 'pageShuffled' | 'garbage'

interface FaultyCalls {
  <T>(ctx: CallContext, down: boolean, effect: () => Promise<T>): Promise<T>
  unlucky(fault: PageFault): boolean
  readonly random: Random
  shuffle(list: unknown[]): void
  body(bytes: Uint8Array, offset: number): { bytes: number; stream: AsyncIterable<Uint8Array> }
}

/** Wraps calls with what may go wrong between a caller and a farm. */
export function faultyCalls(options: SimulatedFarmOptions, clock: Clock, stats: SimulatedFarmStats): FaultyCalls {
  const faults = options.faults ?? {}
  const random = seededRandom(options.seed ?? 1)
  const restMs = tokenBucket(options.limit, clock)
  const unreachable = (why: string) =>
    new PictorError('farm-unreachable', `${options.id}: ${why}`, { details: { farm: options.id } })
  const call = async <T>(ctx: CallContext, down: boolean, effect: () => Promise<T>): Promise<T> => {
    stats.calls++
    ctx.signal?.throwIfAborted()
    const nowMs = clock.now()
    const retryAfterMs = restMs()
    if (retryAfterMs > 0) {
      stats.refused++
      throw new PictorError('farm-unreachable', `${options.id}: too many requests`, { details: { status: 429, retryAfterMs } })
    }
    if (down || options.downAtMs?.some((span) => nowMs >= span.from && nowMs < span.to)) throw unreachable('no answer')
    if (random.chance(faults.callHangs ?? 0)) await hang(ctx.signal)
    if (random.chance(faults.callFails ?? 0)) throw unreachable('connection reset')
    const result = await effect()
    if (random.chance(faults.replyLost ?? 0)) throw unreachable('the reply was lost')
    return result
  }
  return Object.assign(call, {
    random,
    unlucky: (fault: PageFault) => random.chance(faults[fault] ?? 0),
    shuffle(list: unknown[]) {
      for (let i = list.length - 1; i > 0; i--) {
        const j = random.below(i + 1)
        ;[list[i], list[j]] = [list[j], list[i]]
      }
    },
    body: (bytes: Uint8Array, offset: number) => {
      const rest = bytes.subarray(offset)
      const breaks = random.chance(faults.downloadBreaks ?? 0)
      const corrupt = random.chance(faults.downloadCorrupt ?? 0)
      const sent = corrupt ? rest.map((byte, i) => (i === rest.length - 1 ? byte ^ 1 : byte)) : rest
      return {
        bytes: rest.length,
        stream: (async function* () {
          const half = sent.length >> 1
          yield sent.subarray(0, half)
          if (breaks) throw unreachable('the download broke off')
          yield sent.subarray(half)
        })(),
      }
    },
  })
}

/** Takes a call from the bucket; the rest to ask for, in milliseconds, when there is none. */
function tokenBucket(limit: SimulatedFarmOptions['limit'], clock: Clock): () => number {
  if (!limit) return () => 0
  const { perSecond, burst } = limit
  let level = burst
  let atMs = clock.now()
  return () => {
    const nowMs = clock.now()
    level = Math.min(burst, level + (Math.max(0, nowMs - atMs) / 1_000) * perSecond)
    atMs = nowMs
    if (level >= 1) {
      level--
      return 0
    }
    return 1_000 * Math.max(1, Math.ceil((1 - level) / perSecond))
  }
}

/** Waits for the caller to give up. */
function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

import { PictorError } from '@pictor/core/contract'
import type { CommandContext } from './context.ts'

/** A second Ctrl-C within this time ends the process at once. */
const SECOND_INTERRUPT_MS = 5_000

/** The first Ctrl-C aborts the signal and says what happens now, a second within five seconds exits at once. `end` takes the handler away. */
export function firstInterrupt(what: string, { screen }: CommandContext): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController()
  let firstAt = 0
  const onInterrupt = (): void => {
    if (firstAt > 0 && Date.now() - firstAt < SECOND_INTERRUPT_MS) process.exit(130)
    firstAt = Date.now()
    screen.log(`${what}; press Ctrl-C again within 5 s to exit at once`)
    controller.abort(new PictorError('canceled', `${what}: Ctrl-C was pressed`))
  }
  process.on('SIGINT', onInterrupt)
  return { signal: controller.signal, end: () => void process.off('SIGINT', onInterrupt) }
}

/** The longest delay of a timer: it only keeps the process alive. */
const FOREVER_MS = 2 ** 31 - 1

/**
 * Resolves at Ctrl-C or a polite request to end, and when `signal` is aborted. Until then the process stays, even when nothing else holds it (signal handlers do not). A second Ctrl-C ends
 * the process at once.
 */
export function interrupted(signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stay = setInterval(() => {}, FOREVER_MS)
    const end = (): void => {
      clearInterval(stay)
      resolve()
    }
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, end)
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end, { once: true })
  })
}

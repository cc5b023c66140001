/** Lets those who poll wait for the next event instead of asking again and again. */
export class News {
  private readonly waiting = new Set<() => void>()

  /** Ends every wait. */
  tell(): void {
    for (const wake of this.waiting) wake()
  }

  /** Resolves at the next news, or after `ms`. @throws the signal's reason when it is aborted */
  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => () => {
        clearTimeout(timer)
        this.waiting.delete(wake)
        signal?.removeEventListener('abort', stop)
        finish()
      }
      const wake = settle(resolve)
      const stop = settle(() => reject(signal?.reason as Error))
      const timer = setTimeout(wake, ms)
      this.waiting.add(wake)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }
}

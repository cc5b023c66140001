/** The longest delay of a timer: it only keeps the process alive. */
const FOREVER_MS = 2 ** 31 - 1

/** Resolves at Ctrl-C or a polite request to end. Until then the process stays, even when nothing else holds it (signal handlers do not). */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    const stay = setInterval(() => {}, FOREVER_MS)
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        clearInterval(stay)
        resolve()
      })
  })
}

/** One entry as the chain has ordered it. */
export interface LogEntry {
  /** From 1, without gaps. */
  readonly position: number
  readonly atMs: number
  readonly text: string
}

/** All that the driver needs of a chain. Real ones are asked over a network, and both calls may fail and be repeated. */
export interface LogChain {
  /** Resolves when the entry is final; the same text twice may stand there twice. */
  append(text: string): Promise<void>
  /** Final entries from a position on, in order. */
  read(from: number): Promise<readonly LogEntry[]>
}

/** A chain in memory that anybody writes to, with a clock of its own. */
export function memoryLog(startMs: number): LogChain & { advance(ms: number): void; nowMs(): number } {
  const entries: LogEntry[] = []
  let nowMs = startMs
  return {
    async append(text) {
      entries.push({ position: entries.length + 1, atMs: nowMs, text })
    },
    read: async (from) => entries.slice(from - 1),
    advance: (ms) => void (nowMs += ms),
    nowMs: () => nowMs,
  }
}

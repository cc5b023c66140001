export interface CallContext {
  readonly signal?: AbortSignal
  readonly key: string
  readonly deadlineAtMs?: number
  readonly log?: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}
export interface Clock {
  now(): number
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export type PictorErrorCode =
  | 'invalid-input'
  | 'scene-missing'
  | 'scene-invalid'
  | 'scene-too-new'
  | 'asset-missing'
  | 'software-missing'
  | 'sandbox-missing'
  | 'budget-too-small'
  | 'deadline-impossible'
  | 'no-farm'
  | 'ledger-unreachable'
  | 'ledger-refused'
  | 'farm-unreachable'
  | 'farm-refused'
  | 'checker-refused'
  | 'signature-invalid'
  | 'unknown-fact'
  | 'stale-fence'
  | 'sequence-conflict'
  | 'store-failed'
  | 'not-found'
  | 'conflict'
  | 'timeout'
  | 'unsupported'
  | 'canceled'
  | 'job-failed'
  | 'internal'
export interface PictorErrorDetails {
  readonly path?: string
  readonly hint?: string
  readonly retryAfterMs?: number
  readonly [key: string]: unknown
}
export declare class PictorError extends Error {
  readonly '~pictor': 'error'
  readonly code: PictorErrorCode
  readonly details: PictorErrorDetails
  constructor(
    code: PictorErrorCode,
    message: string,
    options?: {
      details?: PictorErrorDetails
      cause?: unknown
    },
  )
  get retryable(): boolean
}
export declare function isPictorError(value: unknown, code?: PictorErrorCode): value is PictorError
export declare function invalid(path: string, expected: string, found: unknown): PictorError

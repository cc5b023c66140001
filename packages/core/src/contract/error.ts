/** Every code an error of Pictor can carry. A code names what went wrong, never where: `details` says where. */
export type PictorErrorCode =
  | 'invalid-input' // a value from outside broke a rule; details.path names the field
  | 'scene-missing' // the scene file is not there or cannot be read
  | 'scene-invalid' // the file is no scene, is damaged, or cannot render (no camera)
  | 'scene-too-new' // written by a newer version of the software than any that is installed
  | 'asset-missing' // the scene needs files that are not there; details.files lists them
  | 'software-missing' // the renderer is not installed
  | 'sandbox-missing' // foreign scenes need a working sandbox
  | 'budget-too-small' // no plan fits the budget; details.cheapest says what would
  | 'deadline-impossible' // no plan meets the deadline; details.fastestMs says what would
  | 'no-farm' // no farm accepts the job; details.declines says why
  | 'ledger-unreachable' // the chain or ledger did not answer
  | 'ledger-refused' // the ledger refused an action; details.reason is its word
  | 'farm-unreachable'
  | 'farm-refused'
  | 'checker-refused'
  | 'signature-invalid'
  | 'unknown-fact' // the journal was written by a newer version; details.needs names it
  | 'stale-fence' // another runner owns the stream now
  | 'sequence-conflict' // somebody else appended first
  | 'store-failed' // disk full or database error; nothing of the append is kept
  | 'not-found'
  | 'conflict' // the same key was used for different content
  | 'timeout'
  | 'unsupported'
  | 'canceled'
  | 'job-failed'
  | 'internal'

/** Facts of an error. `path` names the offending field (`offers[2].hosts`), `hint` says what to do about it. */
export interface PictorErrorDetails {
  readonly path?: string
  readonly hint?: string
  readonly retryAfterMs?: number
  readonly [key: string]: unknown
}

const RETRYABLE: readonly PictorErrorCode[] = [
  'ledger-unreachable',
  'farm-unreachable',
  'sequence-conflict',
  'timeout',
  'store-failed',
]

/** The one error class of Pictor. Tell errors apart by {@link isPictorError}, never by `instanceof`: two copies of core may live in one tree. */
export class PictorError extends Error {
  readonly '~pictor' = 'error' as const
  readonly code: PictorErrorCode
  readonly details: PictorErrorDetails

  constructor(code: PictorErrorCode, message: string, options?: { details?: PictorErrorDetails; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'PictorError'
    this.code = code
    this.details = options?.details ?? {}
  }

  /** Whether the same call may succeed later without any change. */
  get retryable(): boolean {
    return RETRYABLE.includes(this.code)
  }
}

/** Whether `value` is an error of Pictor (of any copy of core), and of the given code when one is named. */
export function isPictorError(value: unknown, code?: PictorErrorCode): value is PictorError {
  const error = value as { '~pictor'?: unknown; code?: unknown } | null | undefined
  return (
    typeof error === 'object' && error !== null && error['~pictor'] === 'error' && (code === undefined || error.code === code)
  )
}

/** An `invalid-input` error: what was expected and found at `path`. */
export function invalid(path: string, expected: string, found: unknown): PictorError {
  const shown =
    typeof found === 'string' ? JSON.stringify(found.slice(0, 80)) : typeof found === 'bigint' ? `${found}` : describe(found)
  return new PictorError('invalid-input', `${path}: expected ${expected}, found ${shown}`, { details: { path } })
}

function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value)
  return Array.isArray(value)
    ? `a list of ${value.length}`
    : `an object with the fields ${Object.keys(value).slice(0, 6).join(', ') || '(none)'}`
}

import { isPictorError, PictorError } from '@pictor/core/contract'

/** A refusal of the checker: `reason` for machines (details.reason), the message for people. */
export function refuse(reason: string, message: string): PictorError {
  return new PictorError('checker-refused', message, { details: { reason } })
}

/** The machine-readable reason of an error: a refusal's own, else the error's code. */
export function reasonOf(error: unknown): string {
  if (!isPictorError(error)) return 'internal'
  return typeof error.details.reason === 'string' ? error.details.reason : error.code
}

import { isPictorError, PictorError } from '@pictor/core/contract'
import type { Schema } from './schema.ts'

/** Reads a farm's answer. What breaks the protocol is the farm's fault (or a proxy's), never the caller's input. @throws farm-unreachable */
export function readAnswer<T>(schema: Schema<T>, json: unknown): T {
  try {
    return schema.read(json, 'answer')
  } catch (cause) {
    if (!isPictorError(cause, 'invalid-input')) throw cause
    throw new PictorError('farm-unreachable', `the farm's answer breaks the protocol: ${cause.message}`, {
      details: { reason: 'protocol' },
      cause,
    })
  }
}

import { readFile, stat } from 'node:fs/promises'
import { parentPort } from 'node:worker_threads'
import { ImageError, isImageError, type ImageErrorCode, type ImageErrorWhere } from './error.ts'
import { withDefaults } from './limits.ts'
import { scanImage } from './scan.ts'
import type { ImageStats } from './stats/types.ts'
import type { DecodeLimits } from './types.ts'

/** What the pool sends: one file. */
export interface ScanRequest {
  readonly index: number
  readonly input: string | Uint8Array
  readonly limits: DecodeLimits
}

/** What a thread answers. An ImageError loses its class on the way, so its fields travel. */
export type ScanAnswer =
  | { readonly index: number; readonly stats: ImageStats }
  | { readonly index: number; readonly code: ImageErrorCode; readonly message: string; readonly where: ImageErrorWhere }

async function load(input: string | Uint8Array, limits: DecodeLimits): Promise<Uint8Array> {
  if (typeof input !== 'string') return input
  const { size } = await stat(input)
  // An uncompressed file is little larger than its pixels.
  const max = withDefaults(limits).maxBytes * 1.25 + (1 << 24)
  if (size > max) throw new ImageError('limit', `the file has ${size} bytes, the limit is ${max}`)
  return readFile(input)
}

parentPort?.on('message', async ({ index, input, limits }: ScanRequest) => {
  let answer: ScanAnswer
  try {
    answer = { index, stats: scanImage(await load(input, limits), limits) }
  } catch (error) {
    answer = isImageError(error)
      ? { index, code: error.code, message: error.message, where: error.where }
      : { index, code: 'unreadable', message: error instanceof Error ? error.message : String(error), where: {} }
  }
  parentPort?.postMessage(answer)
})

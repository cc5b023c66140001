import { PictorError } from '@pictor/core/contract'

/** A body as a whole, at most `maxBytes`. @throws farm-refused when it is larger */
export async function readCapped(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunksOf(response, signal)) {
    bytes += chunk.length
    if (bytes > maxBytes)
      throw new PictorError('farm-refused', `the farm's answer is larger than ${maxBytes} bytes`, {
        details: { reason: 'too-large' },
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Chunks of a body; ends the body when the signal aborts or the reader stops. */
export async function* chunksOf(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (!response.body) return
  const reader = response.body.getReader()
  const stop = () => void reader.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', stop, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/** JSON of a body; undefined when it is empty, or no JSON in an answer that is an error anyway. @throws farm-unreachable */
export function parse(bytes: Uint8Array, response: Response): unknown {
  if (bytes.length === 0) return undefined
  const content = new TextDecoder().decode(bytes)
  try {
    return JSON.parse(content)
  } catch (cause) {
    if (response.status >= 300) return undefined
    throw new PictorError('farm-unreachable', `the farm's answer is no JSON: ${JSON.stringify(content.slice(0, 80))}`, { cause })
  }
}

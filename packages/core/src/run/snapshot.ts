import { hash } from 'node:crypto'
import { deserialize, serialize } from 'node:v8'
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/**
 * A machine's state as text: `version checksum data`. It saves folding the journal and holds nothing that the journal does not hold, so a snapshot that is damaged, or
 * that another version wrote, is thrown away and the journal is folded from its first fact.
 */
export function writeSnapshot(version: number, state: unknown): string {
  // The structured clone format keeps maps, sets, typed arrays and bigints, and later versions of Node.js read it.
  const data = deflateRawSync(serialize(state), { level: 1 }).toString('base64')
  return `${version} ${checksum(data)} ${data}`
}

/** The state, or undefined for a snapshot that is damaged or of another version. */
export function readSnapshot(version: number, text: string): unknown {
  const [found, sum, data] = text.split(' ')
  if (found !== String(version) || data === undefined || sum !== checksum(data)) return undefined
  try {
    const state = deserialize(inflateRawSync(Buffer.from(data, 'base64'))) as Record<string, unknown>
    // Typed arrays come as views that would keep the whole text's bytes alive.
    for (const [key, value] of Object.entries(state)) if (ArrayBuffer.isView(value)) state[key] = structuredClone(value)
    return state
  } catch {
    // Written by a Node.js whose format this one cannot read.
    return undefined
  }
}

function checksum(data: string): string {
  return hash('sha256', data)
}

import { createHash } from 'node:crypto'
import { PictorError, type Artifacts, type Bytes32 } from '@pictor/core/contract'

/** Files in memory. */
export function memoryArtifacts(): Artifacts {
  const files = new Map<Bytes32, Uint8Array>()
  return {
    async put(source) {
      if (!(source instanceof Uint8Array)) throw new PictorError('unsupported', 'only bytes')
      const hash: Bytes32 = `0x${createHash('sha256').update(source).digest('hex')}`
      files.set(hash, source)
      return { hash, bytes: source.length }
    },
    has: async (hash) => files.has(hash),
    async read(hash) {
      const bytes = files.get(hash)
      if (!bytes) throw new PictorError('not-found', `artifact ${hash} is not there`)
      return bytes
    },
    path: async () => {
      throw new PictorError('unsupported', 'no paths')
    },
  }
}

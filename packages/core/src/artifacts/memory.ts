import { hash as digest } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Artifacts } from '../contract/artifacts.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'

/** Content-addressed files in memory, for tests and simulations. It has no local paths. */
export function memoryArtifacts(): Artifacts {
  const files = new Map<Bytes32, Uint8Array>()
  const read = async (hash: Bytes32) => {
    const data = files.get(hash)
    if (!data) throw new PictorError('not-found', `artifact ${hash} is not in memory`, { details: { path: 'hash', hash } })
    return data
  }
  return {
    async put(source) {
      const data = source instanceof Uint8Array ? source.slice() : await readFile(source.path)
      const hash: Bytes32 = `0x${digest('sha256', data)}`
      files.set(hash, data)
      return { hash, bytes: data.length }
    },
    has: async (hash) => files.has(hash),
    read,
    async path(hash) {
      await read(hash)
      throw new PictorError('unsupported', 'artifacts in memory have no local path', {
        details: { hint: 'use folderArtifacts where a program needs files' },
      })
    },
  }
}

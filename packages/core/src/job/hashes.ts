import type { Bytes32 } from '../contract/messages.ts'

/** Hashes as one hex text, 64 digits each. */
export function packHashes(hashes: readonly Bytes32[]): string {
  return hashes.map((hash) => hash.slice(2)).join('')
}

export function unpackHashes(packed: string): Bytes32[] {
  return Array.from({ length: packed.length / 64 }, (_, i): Bytes32 => `0x${packed.slice(i * 64, i * 64 + 64)}`)
}

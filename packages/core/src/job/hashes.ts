import type { Bytes32 } from '../contract/messages.ts'
import type { TaskStreamState } from './task-state.ts'

/** Hashes as one hex text, 64 digits each. */
export function packHashes(hashes: readonly Bytes32[]): string {
  return hashes.map((hash) => hash.slice(2)).join('')
}

export function unpackHashes(packed: string): Bytes32[] {
  return Array.from({ length: packed.length / 64 }, (_, i): Bytes32 => `0x${packed.slice(i * 64, i * 64 + 64)}`)
}

/** What the farm committed to for a frame of the lease, by index. */
export function committedHash(state: TaskStreamState, frame: number): Bytes32 | undefined {
  for (const commit of state.commits) {
    const at = commit.frames.indexOf(frame)
    if (at >= 0) return commit.hashes[at]
  }
  return undefined
}

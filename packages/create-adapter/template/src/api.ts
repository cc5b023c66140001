import type { FarmCapabilities, TaskState } from '@pictor/core/contract'

/** A job as the farm's API shows it. */
export interface FarmJob {
  readonly id: string
  readonly state: string
  readonly message: string
  readonly updatedAtMs: number
  readonly frames: readonly number[]
  readonly files: readonly FarmFile[]
  readonly failed: readonly number[]
}

/** A finished frame. */
export interface FarmFile {
  readonly frame: number
  readonly name: string
  readonly bytes: number
  readonly sha256: string
  readonly atMs: number
}

const STATES: Readonly<Record<string, TaskState>> = {
  waiting: 'queued',
  rendering: 'running',
  pausing: 'pausing',
  paused: 'suspended',
  canceling: 'canceling',
  canceled: 'canceled',
  done: 'succeeded',
  failed: 'failed',
}

/** The farm's word in ours. A word that is not known is never an end. */
export function stateOf(word: string): TaskState {
  return STATES[word] ?? 'submitted'
}

/** What the farm can do: native, emulated, manual or none. */
export const CAPABILITIES: FarmCapabilities = {
  cancelQueued: 'native',
  cancelRunning: 'native',
  hold: 'native',
  priority: 'none',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'native',
  resumeDownload: 'native',
  bindingQuote: 'none',
}

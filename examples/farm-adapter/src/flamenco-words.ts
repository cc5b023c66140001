import type { FarmCapabilities, TaskState } from '@pictor/core/contract'

/** A job as Flamenco's API shows it (the fields that are used here). */
export interface FlamencoJob {
  readonly id: string
  readonly status: string
  readonly activity: string
  readonly updated: string
  readonly settings?: Readonly<Record<string, unknown>>
  readonly metadata?: Readonly<Record<string, string>>
}

/** A task as Flamenco’s API shows it (the fields that are used here). */
export interface FlamencoTask {
  readonly name: string
  readonly status: string
  readonly updated: string
}

const STATES: Readonly<Record<string, TaskState>> = {
  'under-construction': 'submitted',
  queued: 'queued',
  requeueing: 'queued',
  active: 'running',
  'pause-requested': 'pausing',
  paused: 'suspended',
  'cancel-requested': 'canceling',
  canceled: 'canceled',
  completed: 'succeeded',
  failed: 'failed',
}

/** Flamenco's word for a job state in ours; a word that is not known is not an end. */
export function stateOf(status: string): TaskState {
  return STATES[status] ?? 'submitted'
}

/** What Flamenco 3 can do. */
export const CAPABILITIES: FarmCapabilities = {
  cancelQueued: 'native',
  cancelRunning: 'native',
  hold: 'native',
  priority: 'native',
  tiles: 'none',
  samples: 'none',
  windows: 'none',
  partialOutputs: 'emulated',
  resumeDownload: 'native',
  bindingQuote: 'none',
}

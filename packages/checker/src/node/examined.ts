import type { Address, Bytes32, CheckerJob, Commit, FrameOutput, Lease } from '@pictor/core/contract'
import type { OwnRenderer } from '../render/own-renders.ts'
import type { CropSize } from '../sampling/crop-size.ts'
import type { SamplingOptions } from '../sampling/rate.ts'
import type { WeighedFinding } from '../verdict/finding.ts'
import type { ReferenceResult } from './reference-check.ts'
import type { Standing } from './state.ts'

/** A lease to examine, all commitments in. */
export interface ExamineRequest {
  readonly job: CheckerJob
  readonly lease: Lease
  readonly commits: readonly Commit[]
  /** Accepted frames around the lease's; `farm` where this checker knows who committed to them. */
  readonly neighbours: readonly { readonly frame: number; readonly hash: Bytes32; readonly farm?: Address }[]
  readonly seed: Bytes32
  /** Frames of the whole job, as far as its lease sets are known. */
  readonly jobFrames: number
  /** What was known of the farm before this lease. */
  readonly standing: Standing
  readonly sampling: SamplingOptions
  /** Left out, it follows from the size of the picture. */
  readonly crop: CropSize | undefined
  readonly sameDevice: boolean
  readonly renderer: OwnRenderer
}

/** A frame of the lease and what is known of it so far. */
export interface Examined {
  readonly output: FrameOutput
  readonly outputRoot: Bytes32
  readonly bytes: () => Promise<Uint8Array>
  readonly ms: number
  findings: WeighedFinding[]
  reference?: ReferenceResult
  picture?: Bytes32
}

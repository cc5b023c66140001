import type { BundleManifest } from './artifacts.ts'
import type { RenderSpec } from './job.ts'
import type { LeaseTicket } from './messages.ts'

/** Pixels from the top left corner of the delivered picture. */
export interface Region {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Narrows what is rendered: probes, re-rendered crops and tiles are windowed tasks. Fields left out follow the spec. */
export interface Window {
  /** Only this region is rendered; the file is exactly that size. In pixels of the full picture after `resolutionPct`. */
  readonly region?: Region
  readonly samples?: number
  readonly seed?: number
  readonly resolutionPct?: number
}

/** What is to be done. A farm declines kinds that it does not know. */
export type Work =
  | { readonly kind: 'frames'; readonly frames: readonly number[] }
  | { readonly kind: 'tiles'; readonly frame: number; readonly tiles: readonly Region[] }
  | {
      readonly kind: 'samples'
      readonly frame: number
      readonly ranges: readonly { readonly offset: number; readonly samples: number }[]
    }
  | { readonly kind: 'command'; readonly argv: readonly string[]; readonly frames: readonly number[] }

/** A set of frames, or parts of one frame, given to one farm. Attempts are tries of one task by one farm before it commits. */
export interface Task {
  readonly contract: 1
  /** The run it belongs to; probes and crops carry one too. */
  readonly run: string
  readonly id: number
  readonly attempt: number
  /** Why it is rendered. Only `render` tasks carry a lease. */
  readonly purpose: 'render' | 'probe' | 'check'
  readonly bundle: BundleManifest
  readonly stage: StageRef
  readonly spec: RenderSpec
  readonly work: Work
  readonly window?: Window
  /** Which offer of the quote it runs under. */
  readonly offer?: string
  readonly lease?: LeaseTicket
  readonly priority?: number
  readonly ext?: Readonly<Record<string, unknown>>
}

/** A farm's handle on staged files. Opaque to core. */
export interface StageRef {
  readonly farm: string
  readonly ref: string
}

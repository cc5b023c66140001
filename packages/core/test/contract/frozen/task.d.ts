import type { BundleManifest } from './artifacts.js'
import type { RenderSpec } from './job.js'
import type { LeaseTicket } from './messages.js'
export interface Region {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}
export interface Window {
  readonly region?: Region
  readonly samples?: number
  readonly seed?: number
  readonly resolutionPct?: number
}
export type Work =
  | {
      readonly kind: 'frames'
      readonly frames: readonly number[]
    }
  | {
      readonly kind: 'tiles'
      readonly frame: number
      readonly tiles: readonly Region[]
    }
  | {
      readonly kind: 'samples'
      readonly frame: number
      readonly ranges: readonly {
        readonly offset: number
        readonly samples: number
      }[]
    }
  | {
      readonly kind: 'command'
      readonly argv: readonly string[]
      readonly frames: readonly number[]
    }
export interface Task {
  readonly contract: 1
  readonly run: string
  readonly id: number
  readonly attempt: number
  readonly purpose: 'render' | 'probe' | 'check'
  readonly bundle: BundleManifest
  readonly stage: StageRef
  readonly spec: RenderSpec
  readonly work: Work
  readonly window?: Window
  readonly offer?: string
  readonly lease?: LeaseTicket
  readonly priority?: number
  readonly ext?: Readonly<Record<string, unknown>>
}
export interface StageRef {
  readonly farm: string
  readonly ref: string
}

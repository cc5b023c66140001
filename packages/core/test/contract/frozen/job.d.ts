import type { BundleManifest } from './artifacts.js'
import type { HostRating } from './farm.js'
import type { Money } from './money.js'
import type { CheckClass } from './messages.js'
import type { Region } from './task.js'
export interface OutputSpec {
  readonly format: 'PNG' | 'OPEN_EXR' | 'OPEN_EXR_MULTILAYER' | 'JPEG' | 'TIFF' | 'WEBP'
  readonly width: number
  readonly height: number
  readonly colorMode: 'BW' | 'RGB' | 'RGBA'
  readonly bitDepth: 8 | 16 | 32
  readonly passes?: readonly string[]
}
export interface RenderSpec {
  readonly software: 'blender' | (string & {})
  readonly softwareVersion: string
  readonly engine: 'CYCLES' | 'BLENDER_EEVEE' | 'BLENDER_EEVEE_NEXT' | 'BLENDER_WORKBENCH' | (string & {})
  readonly scene: string
  readonly viewLayers: readonly string[]
  readonly camera: string
  readonly samples: number
  readonly adaptive: boolean
  readonly denoise: boolean
  readonly seed: number
  readonly animatedSeed: boolean
  readonly motionBlur?: boolean
  readonly output: OutputSpec
  readonly checkClass: CheckClass
  readonly tiles?: readonly Region[]
  readonly legitBlackFrames?: readonly number[]
  readonly legitStatic?: boolean
  readonly ext?: Readonly<Record<string, unknown>>
}
export interface Estimate {
  readonly work: readonly number[]
  readonly low: number
  readonly high: number
  readonly classes: readonly {
    readonly id: string
    readonly memoryMiB: number
  }[]
  readonly classOf?: readonly number[]
  readonly rating?: HostRating
  readonly basis: readonly string[]
  readonly probeMs: number
}
export interface JobSpec {
  readonly name: string
  readonly frames: string
  readonly bundle: BundleManifest
  readonly render: RenderSpec
  readonly deadlineAtMs: number
  readonly budget: Money
  readonly goal:
    | 'cheapest'
    | 'fastest'
    | {
        readonly hourValue: Money
      }
  readonly allowHumanLanes?: boolean
  readonly maxFarms?: number
  readonly priority?: number
  readonly ext?: Readonly<Record<string, unknown>>
}

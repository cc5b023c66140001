import type { BundleManifest } from './artifacts.ts'
import type { HostRating } from './farm.ts'
import type { Money } from './money.ts'
import type { CheckClass } from './messages.ts'
import type { Region } from './task.ts'

/** The picture that is ordered. Sizes in pixels of the delivered file. */
export interface OutputSpec {
  readonly format: 'PNG' | 'OPEN_EXR' | 'OPEN_EXR_MULTILAYER' | 'JPEG' | 'TIFF' | 'WEBP'
  readonly width: number
  readonly height: number
  readonly colorMode: 'BW' | 'RGB' | 'RGBA'
  /** Bits a channel: 8, 16 (half for EXR) or 32. */
  readonly bitDepth: 8 | 16 | 32
  /** Passes beside the beauty, as the renderer names them. */
  readonly passes?: readonly string[]
}

/** What is rendered with what: everything that a farm and a checker must agree on. Its hash is the terms' specHash. */
export interface RenderSpec {
  readonly software: 'blender' | (string & {})
  /** Version that wrote the file, such as `3.4`; farms choose the fitting build. */
  readonly softwareVersion: string
  readonly engine: 'CYCLES' | 'BLENDER_EEVEE' | 'BLENDER_EEVEE_NEXT' | 'BLENDER_WORKBENCH' | (string & {})
  readonly scene: string
  readonly viewLayers: readonly string[]
  readonly camera: string
  /** Samples a pixel (the most, when adaptive). */
  readonly samples: number
  readonly adaptive: boolean
  readonly denoise: boolean
  readonly seed: number
  readonly animatedSeed: boolean
  /** Whether moving objects are blurred. Such frames were seen to differ between CPU and GPU by more than noise; checkers of another device class allow for it. */
  readonly motionBlur?: boolean
  readonly output: OutputSpec
  readonly checkClass: CheckClass
  /**
   * Every frame is split into these tiles, which cover it exactly once; part 1 is the first. Each is rendered, checked and paid by itself, as work of the kind `tiles`, and they
   * are merged on delivery. Left out: frames are whole.
   */
  readonly tiles?: readonly Region[]
  /** Black and repeated frames that the creator says are meant. */
  readonly legitBlackFrames?: readonly number[]
  readonly legitStatic?: boolean
  readonly ext?: Readonly<Record<string, unknown>>
}

/** Why each frame costs what: relative work of each frame with a band, from probes. Work 1 = one reference second. */
export interface Estimate {
  /** One number a frame, in the order of the job's frames; reference seconds. In a plan with tiles: one a tile, frame by frame. */
  readonly work: readonly number[]
  /** The band: true work lies within [low, high] x work for at least 90 % of frames. */
  readonly low: number
  readonly high: number
  /** Memory class of each frame, an index into `classes`; one class when left out. */
  readonly classes: readonly { readonly id: string; readonly memoryMiB: number }[]
  readonly classOf?: readonly number[]
  /** Rating of the slot whose seconds `work` counts, where it is known: by it price lists in GHz-hours and OctaneBench-hours apply. */
  readonly rating?: HostRating
  /** What it rests on, in words: probes made, frames, settings. */
  readonly basis: readonly string[]
  /** What the probes cost. */
  readonly probeMs: number
}

/** One creator's order. */
export interface JobSpec {
  readonly name: string
  readonly frames: string
  readonly bundle: BundleManifest
  readonly render: RenderSpec
  readonly deadlineAtMs: number
  readonly budget: Money
  readonly goal: 'cheapest' | 'fastest' | { readonly hourValue: Money }
  /** Human lanes (desktop, manual) are used only when this is true. */
  readonly allowHumanLanes?: boolean
  /** A plan splits the frames over at most so many farms; so does each re-plan, for the frames that it places. From 1; left out: any number. */
  readonly maxFarms?: number
  readonly priority?: number
  readonly ext?: Readonly<Record<string, unknown>>
}

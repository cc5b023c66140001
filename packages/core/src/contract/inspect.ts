import type { Artifacts, BundleManifest } from './artifacts.ts'
import type { CallContext } from './context.ts'
import type { RenderSpec } from './job.ts'

/** What the creator may change of what the file says. */
export interface InspectOptions {
  readonly scene?: string
  readonly camera?: string
  readonly samples?: number
  readonly format?: RenderSpec['output']['format']
}

/** What a scene shows from a frame on, by what its file switches along the timeline. Frames that look alike cost about the same. */
export interface Look {
  readonly from: number
  /** How many of the objects that the file switches on and off are rendered. */
  readonly shown: number
  readonly camera: string
}

/** What a scene file orders, and what a render wrangler would say about it. */
export interface Inspection {
  readonly path: string
  readonly bytes: number
  /** Frame range of the file's scene, as an expression. */
  readonly frames: string
  readonly framesPerSecond: number
  readonly spec: RenderSpec
  /** Files beside the scene, with those that are missing marked. */
  readonly external: readonly {
    readonly kind: string
    readonly path: string
    readonly bytes?: number
    readonly missing: boolean
  }[]
  readonly memoryMiB: number
  /** Where the file switches objects or cameras, ascending; the first entry counts for earlier frames too. Left out: nowhere, or it is not known. */
  readonly looks?: readonly Look[]
  readonly warnings: readonly { readonly code: string; readonly message: string }[]
  readonly ext?: Readonly<Record<string, unknown>>
}

/** Reads scenes of one software. Runs nothing of the scene outside its sandbox. */
export interface Inspector {
  /** @throws scene-missing, scene-invalid, scene-too-new, software-missing, sandbox-missing */
  inspect(scene: string, options: InspectOptions, ctx: CallContext): Promise<Inspection>
  /** Puts the scene and every file it needs among the artifacts. @throws asset-missing with details.files */
  bundle(inspection: Inspection, files: Artifacts, ctx: CallContext): Promise<BundleManifest>
  /** How frames are split into tiles and merged again; left out: frames of this software stay whole. */
  readonly tiles?: TileMerge
}

/** Merging of tiles to exactly the picture that an unsplit render gives. */
export interface TileMerge {
  /** Why frames of this order cannot be merged exactly from tiles; undefined when they can. */
  refusal(spec: RenderSpec): string | undefined
  /** The whole frame from its tiles, in the order of `spec.tiles`. The same tiles give the same bytes. @throws invalid-input when a tile does not fit */
  merge(spec: RenderSpec, tiles: readonly Uint8Array[]): Uint8Array
}

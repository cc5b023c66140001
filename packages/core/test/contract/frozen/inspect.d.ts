import type { Artifacts, BundleManifest } from './artifacts.js'
import type { CallContext } from './context.js'
import type { RenderSpec } from './job.js'
export interface InspectOptions {
  readonly scene?: string
  readonly camera?: string
  readonly samples?: number
  readonly format?: RenderSpec['output']['format']
}
export interface Inspection {
  readonly path: string
  readonly bytes: number
  readonly frames: string
  readonly framesPerSecond: number
  readonly spec: RenderSpec
  readonly external: readonly {
    readonly kind: string
    readonly path: string
    readonly bytes?: number
    readonly missing: boolean
  }[]
  readonly memoryMiB: number
  readonly warnings: readonly {
    readonly code: string
    readonly message: string
  }[]
  readonly ext?: Readonly<Record<string, unknown>>
}
export interface Inspector {
  inspect(scene: string, options: InspectOptions, ctx: CallContext): Promise<Inspection>
  bundle(inspection: Inspection, files: Artifacts, ctx: CallContext): Promise<BundleManifest>
  readonly tiles?: TileMerge
}
export interface TileMerge {
  refusal(spec: RenderSpec): string | undefined
  merge(spec: RenderSpec, tiles: readonly Uint8Array[]): Uint8Array
}

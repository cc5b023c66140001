import type { Bytes32 } from './messages.js'
export interface Artifacts {
  put(
    source:
      | Uint8Array
      | {
          readonly path: string
        },
  ): Promise<{
    readonly hash: Bytes32
    readonly bytes: number
  }>
  has(hash: Bytes32): Promise<boolean>
  read(hash: Bytes32): Promise<Uint8Array>
  path(hash: Bytes32): Promise<string>
}
export interface BundleFile {
  readonly path: string
  readonly hash: Bytes32
  readonly bytes: number
}
export interface BundleManifest {
  readonly root: Bytes32
  readonly entry: string
  readonly files: readonly BundleFile[]
}

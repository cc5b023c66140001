import type { Bytes32 } from './messages.ts'

/** Content-addressed files: scenes, outputs, crops. A folder by default; a port, so that several hosts can share one. */
export interface Artifacts {
  /** Stores bytes or a local file and returns its sha256. */
  put(source: Uint8Array | { readonly path: string }): Promise<{ readonly hash: Bytes32; readonly bytes: number }>
  has(hash: Bytes32): Promise<boolean>
  /** @throws not-found */
  read(hash: Bytes32): Promise<Uint8Array>
  /** A local path with exactly these bytes, for programs that only take files. @throws not-found */
  path(hash: Bytes32): Promise<string>
}

/** One file of a scene bundle. `path` is relative, `/`-separated, without `..`. */
export interface BundleFile {
  readonly path: string
  readonly hash: Bytes32
  readonly bytes: number
}

/** Everything a render needs, content-addressed. */
export interface BundleManifest {
  /** Merkle root over the files in order of path (proof/bundle). */
  readonly root: Bytes32
  /** The scene file among `files`. */
  readonly entry: string
  readonly files: readonly BundleFile[]
}

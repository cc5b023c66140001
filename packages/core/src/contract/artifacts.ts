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
  /** Stores what a stream gives, in bounded memory; one that throws leaves nothing behind. Left out: {@link storeStream} gathers the file in memory. */
  write?(chunks: AsyncIterable<Uint8Array>): Promise<{ readonly hash: Bytes32; readonly bytes: number }>
  /** The bytes in pieces, in bounded memory. Left out: {@link streamOf} reads the file whole. @throws not-found */
  stream?(hash: Bytes32): AsyncIterable<Uint8Array>
}

/** Stores a stream, in bounded memory where the artifacts can; what the stream throws is thrown, and nothing is kept then. */
export async function storeStream(
  files: Artifacts,
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ readonly hash: Bytes32; readonly bytes: number }> {
  if (files.write) return files.write(chunks)
  const all: Uint8Array[] = []
  // A copy each: who makes a stream may use its buffer again.
  for await (const chunk of chunks) all.push(Uint8Array.from(chunk))
  const data = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of all) {
    data.set(chunk, at)
    at += chunk.length
  }
  return files.put(data)
}

/** The bytes of a file in pieces, in bounded memory where the artifacts can. @throws not-found */
export async function* streamOf(files: Artifacts, hash: Bytes32): AsyncGenerator<Uint8Array> {
  if (files.stream) yield* files.stream(hash)
  else yield await files.read(hash)
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

import type { BundleFile } from '../contract/artifacts.ts'
import { invalid } from '../contract/error.ts'
import type { Bytes32, FrameOutput } from '../contract/messages.ts'
import { bytes32, compareBytes, concat, toHex, uint, utf8 } from './bytes.ts'
import { word } from './eip712.ts'
import { keccakBytes } from './hash.ts'
import { merkleProof, merkleRoot } from './merkle.ts'

/** Leaf of one finished frame (or part of one) in a commitment. @throws invalid-input */
export function outputLeaf(output: FrameOutput): Bytes32 {
  return toHex(
    keccakBytes(
      concat(
        Uint8Array.of(2),
        word.int32(output.frame, 'output.frame'),
        word.uint(output.part, 32, 'output.part'),
        word.bytes32(output.outputHash, 'output.outputHash'),
        word.uint(output.completedAtMs, 64, 'output.completedAtMs'),
      ),
    ),
  )
}

/** Outputs ascending by (frame, part). @throws invalid-input when one appears twice */
export function outputsInOrder<T extends { readonly frame: number; readonly part: number }>(outputs: readonly T[]): T[] {
  const ordered = [...outputs].sort((a, b) => a.frame - b.frame || a.part - b.part)
  for (let i = 1; i < ordered.length; i++)
    if (ordered[i]!.frame === ordered[i - 1]!.frame && ordered[i]!.part === ordered[i - 1]!.part)
      throw invalid('outputs', 'each frame and part once', `frame ${ordered[i]!.frame} part ${ordered[i]!.part}`)
  return ordered
}

/** Root of a commitment: the tree over its outputs ascending by (frame, part). @throws invalid-input */
export function outputRoot(outputs: readonly FrameOutput[]): Bytes32 {
  return merkleRoot(outputsInOrder(outputs).map(outputLeaf))
}

/** Path of one output to the commitment's root. @throws invalid-input when it is not among them */
export function outputProof(outputs: readonly FrameOutput[], frame: number, part = 0): Bytes32[] {
  const ordered = outputsInOrder(outputs)
  const index = ordered.findIndex((output) => output.frame === frame && output.part === part)
  if (index < 0) throw invalid('frame', 'a frame of this commitment', frame)
  return merkleProof(ordered.map(outputLeaf), index)
}

/** Leaf of one file of a scene bundle. @throws invalid-input on an absolute path, `..`, `\` or an empty segment */
export function bundleLeaf(file: BundleFile): Bytes32 {
  if (file.path.split('/').some((part) => part === '' || part === '.' || part === '..') || /[\\\0]/.test(file.path))
    throw invalid('file.path', 'a relative path with / between its parts and without ..', file.path)
  return toHex(
    keccakBytes(concat(Uint8Array.of(3), bytes32(file.hash, 'file.hash'), uint(file.bytes, 8, 'file.bytes'), utf8(file.path))),
  )
}

/** Root of a bundle: the tree over its files ascending by the UTF-8 bytes of their paths. @throws invalid-input when a path appears twice */
export function bundleRoot(files: readonly BundleFile[]): Bytes32 {
  const ordered = files.map((file) => ({ file, key: utf8(file.path) })).sort((a, b) => compareBytes(a.key, b.key))
  for (let i = 1; i < ordered.length; i++)
    if (ordered[i]!.file.path === ordered[i - 1]!.file.path) throw invalid('files', 'each path once', ordered[i]!.file.path)
  return merkleRoot(ordered.map(({ file }) => bundleLeaf(file)))
}

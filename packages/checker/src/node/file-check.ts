import { invalid, type RenderSpec } from '@pictor/core/contract'
import type { Picture } from '../compare/picture.ts'
import { checkAreas } from '../frame/areas.ts'
import { checkPixels } from '../frame/blind.ts'
import { checkMetadata, declaredSeconds } from '../frame/metadata.ts'
import { decodeFrame, openFrame } from '../frame/open.ts'
import { checkOrder } from '../frame/order.ts'
import { checkTraces } from '../frame/traces.ts'
import type { MeasuredFrame } from '../sequence/check.ts'
import type { FrameFeatures } from '../sequence/features.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** A frame after the checks that need nothing but the file and the order. */
export interface CheckedFile {
  readonly findings: readonly WeighedFinding[]
  /** For the comparison with its neighbours; undefined where the file could not be read or holds no colour. */
  readonly features?: FrameFeatures
  readonly pixelHash?: string
  /** Render time that the file declares, seconds. */
  readonly seconds?: number
}

/**
 * File, order, metadata and blind pixel checks of one frame, in one pass over the file. `part` other than 0 is a tile of a split frame.
 * Only a frame whose statistics are odd is decoded for a closer look.
 */
export async function checkFile(bytes: Uint8Array, spec: RenderSpec, frame: number, part = 0): Promise<CheckedFile> {
  const output = outputOf(spec, part)
  const { stats, measures, findings: opened } = await openFrame(bytes, output)
  if (!stats) return { findings: opened }
  const { info, pixelHash } = stats
  const findings = [...opened, ...checkOrder(info, output), ...checkMetadata(info.metadata, spec, frame)]
  if (!measures)
    return { findings: [...findings, finding('refuse', 'no-colour', 'the file holds no colour channels')], pixelHash }
  const legitBlack = spec.legitBlackFrames?.includes(frame) ?? false
  findings.push(...(await checkPixels(stats, measures, { legitBlack }, () => decodeFrame(bytes))))
  findings.push(...checkTraces(stats, measures, output))
  if (!findings.some(({ code }) => code === 'black-frame' || code === 'black-matte'))
    findings.push(...checkAreas(measures.features))
  const seconds = declaredSeconds(info.metadata)
  return { findings, features: measures.features, pixelHash, ...(seconds === undefined ? {} : { seconds }) }
}

/** Decodes the picture of a frame; undefined where it cannot be read. */
export async function pictureOf(bytes: Uint8Array): Promise<Picture | undefined> {
  try {
    return (await decodeFrame(bytes)).picture
  } catch {
    // What is wrong with the file is a finding of checkFile.
    return undefined
  }
}

/** What is ordered of a part: the size of its tile. @throws invalid-input when the order has no such part */
export function outputOf({ output, tiles }: RenderSpec, part: number): RenderSpec['output'] {
  if (part === 0) return output
  const tile = tiles?.[part - 1]
  if (!tile) throw invalid('lease.part', `0 to ${tiles?.length ?? 0}`, part)
  return { ...output, width: tile.width, height: tile.height }
}

/** What the sequence check needs of a checked file; undefined where there is no picture. */
export function measuredOf({ features, pixelHash, findings, seconds }: CheckedFile): MeasuredFrame | undefined {
  if (!features || !pixelHash) return undefined
  return { features, pixelHash, codes: findings.map(({ code }) => code), ...(seconds === undefined ? {} : { seconds }) }
}

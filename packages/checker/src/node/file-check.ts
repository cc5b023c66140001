import { pixelHash, type ImageFile } from '@pictor/image'
import type { RenderSpec } from '@pictor/core/contract'
import { toPicture, type Picture } from '../compare/picture.ts'
import { checkPixels } from '../frame/blind.ts'
import { checkMetadata } from '../frame/metadata.ts'
import { openFrame } from '../frame/open.ts'
import { checkOrder } from '../frame/order.ts'
import { checkTraces } from '../frame/traces.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** A frame after the checks that need nothing but the file and the order. */
export interface CheckedFile {
  readonly findings: readonly WeighedFinding[]
  readonly image?: ImageFile
  readonly picture?: Picture
  readonly pixelHash?: string
}

/** File, order, metadata and blind pixel checks of one frame. `part` other than 0 is a piece of a split frame, whose size the order does not say. */
export function checkFile(bytes: Uint8Array, spec: RenderSpec, frame: number, part = 0): CheckedFile {
  const opened = openFrame(bytes, spec.output)
  const { image } = opened
  if (!image) return { findings: opened.findings }
  const output = part === 0 ? spec.output : { ...spec.output, width: image.width, height: image.height }
  const findings = [...opened.findings, ...checkOrder(image, output), ...checkMetadata(image, spec, frame)]
  const picture = toPicture(image)
  if (!picture) {
    return { findings: [...findings, finding('refuse', 'no-colour', 'the file holds no colour channels')], image }
  }
  const legitBlack = spec.legitBlackFrames?.includes(frame) ?? false
  findings.push(...checkPixels(image, picture, { legitBlack }), ...checkTraces(image, picture, spec.output))
  return { findings, image, picture, pixelHash: pixelHash(image) }
}

import { readImageInfo, decodeImage, isImageError } from '@pictor/image'
import type { Bytes32, RenderSpec } from '@pictor/core/contract'
import { toPicture, type Picture } from '../compare/picture.ts'

/** Name of the text in a picture that holds the sha256 of the layers it was made from (check class `sidecar`, docs/selfhosted.md). */
const LAYERS_TAG = 'pictor.layers'

/** sha256 of the layers that a picture names, so that its own hash commits to both files; undefined where it names none or cannot be read. */
export function layersNamedBy(bytes: Uint8Array): Bytes32 | undefined {
  try {
    const named = readImageInfo(bytes).metadata[LAYERS_TAG]
    return typeof named === 'string' && /^0x[0-9a-f]{64}$/.test(named) ? (named as Bytes32) : undefined
  } catch (error) {
    if (isImageError(error)) return undefined
    throw error
  }
}

/** The order of the layers alone: what Cycles leaves before denoiser and compositor, as 32-bit floats of every pass. */
export function layersSpecOf(spec: RenderSpec): RenderSpec {
  const { width, height } = spec.output
  return {
    ...spec,
    denoise: false,
    output: { format: 'OPEN_EXR_MULTILAYER', width, height, colorMode: 'RGBA', bitDepth: 32 },
  }
}

/**
 * The picture of one view layer before denoising and compositing, from a file of layers: `<layer>.Noisy Image` where a denoiser kept it, else `<layer>.Combined`. Undefined
 * where the file cannot be read or has no such layer.
 */
export function noisyPicture(bytes: Uint8Array, layer: string): Picture | undefined {
  let image: ReturnType<typeof decodeImage>
  try {
    image = decodeImage(bytes)
  } catch (error) {
    if (isImageError(error)) return undefined
    throw error
  }
  for (const pass of ['Noisy Image', 'Combined']) {
    const prefix = `${layer}.${pass}.`
    for (const part of image.parts) {
      const planes = part.planes.flatMap((plane) =>
        plane.name.startsWith(prefix) ? [{ ...plane, name: plane.name.slice(prefix.length) }] : [],
      )
      const picture = planes.length >= 3 ? toPicture({ parts: [{ ...part, planes }] }) : undefined
      if (picture) return picture
    }
  }
  return undefined
}

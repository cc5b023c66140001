import { decodeImage, encodePng, sniffFormat, type ImageFile, type Plane } from '@pictor/image'

/** A PNG that shows an image: PNG files as they are, EXR files tone-mapped to sRGB. Undefined for what cannot be decoded. */
export function previewPng(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const format = sniffFormat(bytes)
    if (format === 'png') return decodeImage(bytes) && bytes
    if (format !== 'exr') return undefined
    return toneMapped(decodeImage(bytes))
  } catch {
    return undefined
  }
}

/** Reinhard's x / (1 + x) tames highlights, then the sRGB curve (IEC 61966-2-1). */
function toneMapped(image: ImageFile): Uint8Array | undefined {
  const part = image.parts[0]
  if (!part) return undefined
  const plane = (channel: string): Plane | undefined =>
    part.planes.find(({ name }) => name === channel) ?? part.planes.find(({ name }) => name.endsWith(`.${channel}`))
  const gray = plane('Y') ?? part.planes[0]
  const [r, g, b] = [plane('R') ?? gray, plane('G') ?? gray, plane('B') ?? gray]
  if (!r || !g || !b) return undefined
  const pixels = new Uint8Array(part.width * part.height * 3)
  for (let i = 0; i < part.width * part.height; i++)
    [r, g, b].forEach((source, channel) => {
      const linear = Math.max(0, source.data[i] ?? 0)
      const mapped = linear / (1 + linear)
      pixels[i * 3 + channel] = Math.round(255 * (mapped <= 0.0031308 ? 12.92 * mapped : 1.055 * mapped ** (1 / 2.4) - 0.055))
    })
  return encodePng(part.width, part.height, 3, pixels)
}

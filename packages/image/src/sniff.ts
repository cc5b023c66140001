import type { ImageFormat } from './types.ts'

const PNG_SIGNATURE: readonly number[] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/** Tells a format by its first bytes only; whether the rest holds is for {@link readImageInfo} to say. */
export function sniffFormat(bytes: Uint8Array): ImageFormat {
  const starts = (magic: readonly number[], at = 0): boolean => magic.every((value, index) => bytes[at + index] === value)
  if (starts(PNG_SIGNATURE)) return 'png'
  if (starts([0x76, 0x2f, 0x31, 0x01])) return 'exr'
  if (starts([0xff, 0xd8, 0xff])) return 'jpeg'
  if (starts([0x52, 0x49, 0x46, 0x46]) && starts([0x57, 0x45, 0x42, 0x50], 8)) return 'webp'
  const tiff = starts([0x49, 0x49]) ? bytes[2] : starts([0x4d, 0x4d]) ? bytes[3] : 0
  // 42 for TIFF, 43 for BigTIFF; the other byte of the pair is zero.
  if ((tiff === 42 || tiff === 43) && bytes[starts([0x49, 0x49]) ? 3 : 2] === 0) return 'tiff'
  return 'unknown'
}

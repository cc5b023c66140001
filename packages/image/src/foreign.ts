import { ImageError } from './error.ts'
import { checkExpected, withDefaults } from './limits.ts'
import { sniffFormat } from './sniff.ts'
import type { DecodeLimits, ImageFile, Plane } from './types.ts'

/** A picture read through sharp: the same planes as a PNG, 0 to 1 (float TIFF: as stored). */
export interface ForeignImage extends Omit<ImageFile, 'format'> {
  readonly format: 'jpeg' | 'webp' | 'tiff'
}

/** The little of sharp that is used, so that no version of its types is part of ours. */
export interface SharpPipeline {
  metadata(): Promise<{ readonly width?: number; readonly height?: number; readonly depth?: string; readonly pages?: number }>
  raw(options?: { readonly depth: string }): SharpPipeline
  toBuffer(options: { readonly resolveWithObject: true }): Promise<{ readonly data: Uint8Array; readonly info: SharpInfo }>
}

/** Size of the raw pixels sharp returns. */
export interface SharpInfo {
  readonly width: number
  readonly height: number
  readonly channels: number
}

/** sharp's default export. */
export type Sharp = (
  input: Uint8Array,
  options: { readonly limitInputPixels: number; readonly failOn: 'warning' },
) => SharpPipeline

/**
 * Decodes JPEG, WebP and TIFF through sharp, which the host passes or has installed (it is no dependency of ours: native
 * code, and its libvips is LGPL). A damaged file is refused, not patched up.
 * @throws ImageError `unsupported` where sharp is missing, `bad-data`, `limit`, `size-mismatch`, `not-an-image`.
 * @example
 * import sharp from 'sharp'
 * const image = await decodeWithSharp(bytes, { sharp })
 */
export async function decodeWithSharp(
  bytes: Uint8Array,
  options: DecodeLimits & { readonly sharp?: Sharp } = {},
): Promise<ForeignImage> {
  const format = sniffFormat(bytes)
  if (format !== 'jpeg' && format !== 'webp' && format !== 'tiff') {
    throw new ImageError('not-an-image', `expected JPEG, WebP or TIFF, found ${format}`)
  }
  const limits = withDefaults(options)
  const open = options.sharp ?? (await importSharp(format))
  try {
    const pipeline = (): SharpPipeline => open(bytes, { limitInputPixels: limits.maxPixels, failOn: 'warning' })
    const { width, height, depth = 'uchar' } = await pipeline().metadata()
    checkExpected(width ?? 0, height ?? 0, limits)
    const stored = depth === 'ushort' || depth === 'float' ? depth : 'uchar'
    const { data, info } = await pipeline().raw({ depth: stored }).toBuffer({ resolveWithObject: true })
    return toImage(format, data, info, stored)
  } catch (error) {
    if (error instanceof ImageError) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new ImageError(
      /pixel limit/i.test(message) ? 'limit' : 'bad-data',
      `sharp cannot read this ${format}: ${message}`,
      {},
      error,
    )
  }
}

async function importSharp(format: string): Promise<Sharp> {
  // A variable keeps bundlers and the type checker from looking for a package that need not exist.
  const name = 'sharp'
  try {
    return ((await import(name)) as { readonly default: Sharp }).default
  } catch (error) {
    throw new ImageError(
      'unsupported',
      `reading ${format} needs the optional package sharp, which is not installed: npm install sharp`,
      {},
      error,
    )
  }
}

function toImage(
  format: ForeignImage['format'],
  data: Uint8Array,
  { width, height, channels }: SharpInfo,
  depth: 'uchar' | 'ushort' | 'float',
): ForeignImage {
  const type = ({ uchar: 'uint8', ushort: 'uint16', float: 'float' } as const)[depth]
  const bytes = new Uint8Array(data)
  const samples = type === 'uint8' ? bytes : type === 'uint16' ? new Uint16Array(bytes.buffer) : new Float32Array(bytes.buffer)
  const max = { uint8: 255, uint16: 65535, float: 1 }[type]
  const names = { 1: ['Y'], 2: ['Y', 'A'], 3: ['R', 'G', 'B'], 4: ['R', 'G', 'B', 'A'] }[channels]
  if (!names || samples.length !== width * height * channels) {
    throw new ImageError('unsupported', `a ${format} of ${channels} channels is not read`)
  }
  const planes = names.map((name, channel): Plane => {
    const plane = new Float32Array(width * height)
    for (let i = 0; i < plane.length; i++) plane[i] = samples[i * channels + channel]! / max
    return { name, type, data: plane }
  })
  const window = { xMin: 0, yMin: 0, xMax: width - 1, yMax: height - 1 }
  return {
    format,
    width,
    height,
    bitDepth: { uint8: 8, uint16: 16, float: 32 }[type],
    metadata: {},
    parts: [{ width, height, dataWindow: window, displayWindow: window, planes }],
    colorSpace: {},
    warnings: [],
  }
}

import { ImageError } from './error.ts'
import { checkExpected, checkLimit, withDefaults } from './limits.ts'
import { scanRaster, type OnRow, type Raster } from './scan.ts'
import { sniffFormat } from './sniff.ts'
import type { ImageStats } from './stats/types.ts'
import type { DecodeLimits, ImageFile, ImageInfo, Plane } from './types.ts'

/** A picture read through sharp: the same planes as a PNG, 0 to 1 (float TIFF: as stored). */
export interface ForeignImage extends Omit<ImageFile, 'format'> {
  readonly format: 'jpeg' | 'webp' | 'tiff'
}

/** The little of sharp that is used, so that no version of its types is part of ours. */
export interface SharpPipeline {
  metadata(): Promise<{
    readonly width?: number
    readonly height?: number
    readonly depth?: string
    readonly space?: string
    readonly pages?: number
  }>
  toColourspace(space: string): SharpPipeline
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

/** Options of the readers that need sharp. */
export interface SharpOptions extends DecodeLimits {
  /** sharp's default export; the installed package when left out. */
  readonly sharp?: Sharp
}

/**
 * Decodes JPEG, WebP and TIFF through sharp, which the host passes or has installed (it is no dependency of ours: native
 * code, and its libvips is LGPL). A damaged file is refused, not patched up.
 * @throws ImageError `unsupported` where sharp is missing, `bad-data`, `limit`, `size-mismatch`, `not-an-image`.
 * @example
 * import sharp from 'sharp'
 * const image = await decodeWithSharp(bytes, { sharp })
 */
export async function decodeWithSharp(bytes: Uint8Array, options: SharpOptions = {}): Promise<ForeignImage> {
  const { info, raster } = await readWithSharp(bytes, options)
  return toImage(info, raster)
}

/** As {@link scanImage} for JPEG, WebP and TIFF. @throws ImageError as {@link decodeWithSharp} */
export async function scanWithSharp(bytes: Uint8Array, options: SharpOptions = {}, onRow?: OnRow): Promise<ImageStats> {
  const { info, raster } = await readWithSharp(bytes, options)
  return scanRaster(info, raster, onRow)
}

interface ForeignRaster {
  readonly info: ImageInfo
  readonly raster: Raster
}

async function readWithSharp(bytes: Uint8Array, options: SharpOptions): Promise<ForeignRaster> {
  const format = sniffFormat(bytes)
  if (format !== 'jpeg' && format !== 'webp' && format !== 'tiff') {
    throw new ImageError('not-an-image', `expected JPEG, WebP or TIFF, found ${format}`)
  }
  const limits = withDefaults(options)
  const open = options.sharp ?? (await importSharp(format))
  try {
    const pipeline = (): SharpPipeline => open(bytes, { limitInputPixels: limits.maxPixels, failOn: 'warning' })
    const { width = 0, height = 0, depth = 'uchar', space = 'srgb' } = await pipeline().metadata()
    checkExpected(width, height, limits)
    const stored = depth === 'ushort' || depth === 'float' ? depth : 'uchar'
    checkLimit('the decoded size in bytes', width * height * 4 * (stored === 'float' ? 4 : 2), limits.maxBytes)
    // Without a named space sharp brings every picture down to 8-bit sRGB first, whatever depth its raw pixels are then asked for.
    const kept = KEPT_SPACES.has(space) ? pipeline().toColourspace(space) : pipeline()
    const { data, info } = await kept.raw({ depth: stored }).toBuffer({ resolveWithObject: true })
    return toRaster(format, data, info, stored)
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

/** Colour spaces whose samples are taken as stored; others, such as CMYK, become sRGB. */
const KEPT_SPACES: ReadonlySet<string> = new Set(['b-w', 'rgb16', 'grey16', 'scrgb'])

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

function toRaster(
  format: ForeignImage['format'],
  data: Uint8Array,
  { width, height, channels }: SharpInfo,
  depth: 'uchar' | 'ushort' | 'float',
): ForeignRaster {
  const type = ({ uchar: 'uint8', ushort: 'uint16', float: 'float' } as const)[depth]
  const bytes = new Uint8Array(data)
  const samples = type === 'uint8' ? bytes : type === 'uint16' ? new Uint16Array(bytes.buffer) : new Float32Array(bytes.buffer)
  const names = { 1: ['Y'], 2: ['Y', 'A'], 3: ['R', 'G', 'B'], 4: ['R', 'G', 'B', 'A'] }[channels]
  if (!names || samples.length !== width * height * channels) {
    throw new ImageError('unsupported', `a ${format} of ${channels} channels is not read`)
  }
  const window = { xMin: 0, yMin: 0, xMax: width - 1, yMax: height - 1 }
  const info: ImageInfo = {
    format,
    width,
    height,
    bitDepth: { uint8: 8, uint16: 16, float: 32 }[type],
    metadata: {},
    colorSpace: {},
    parts: [
      {
        kind: 'scanline',
        width,
        height,
        dataWindow: window,
        displayWindow: window,
        channels: names.map((name) => ({ name, type, xSampling: 1, ySampling: 1 })),
        compression: format,
        chunkCount: 1,
      },
    ],
    decodedBytes: bytes.length,
    warnings: [],
  }
  return { info, raster: { samples, offset: 0, rowStride: width * channels, channels } }
}

function toImage(info: ImageInfo, { samples, channels }: Raster): ForeignImage {
  const { width, height, dataWindow, displayWindow, channels: facts } = info.parts[0]!
  const max = { 8: 255, 16: 65535, 32: 1 }[info.bitDepth]!
  const planes = facts.map(({ name, type }, channel): Plane => {
    const plane = new Float32Array(width * height)
    for (let i = 0; i < plane.length; i++) plane[i] = samples[i * channels + channel]! / max
    return { name, type, data: plane }
  })
  const { format, bitDepth, metadata, colorSpace, warnings } = info
  return {
    format: format as ForeignImage['format'],
    width,
    height,
    bitDepth,
    metadata,
    parts: [{ width, height, dataWindow, displayWindow, planes }],
    colorSpace,
    warnings,
  }
}

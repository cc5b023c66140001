import { ImageError } from '../error.ts'
import { inflateExact } from '../inflate.ts'
import { pngPasses, rowBytes, type PngPass } from './header.ts'
import { unfilter } from './unfilter.ts'
import type { PngLayout } from './walk.ts'

/** Samples of the picture, pixels interleaved: row y starts at `offset + y * rowStride`. */
export interface PngRaster {
  readonly samples: Uint8Array | Uint16Array
  readonly offset: number
  readonly rowStride: number
  readonly channels: number
  /** Largest palette index found beyond the palette's end; such pixels are opaque black. */
  readonly badIndex?: number
}

/**
 * Inflates, unfilters and expands a PNG: palettes to RGB, depths below 8 to 8 (scaled to 0..255), tRNS to an alpha channel.
 * @throws ImageError `bad-data`, `bad-length`.
 */
export function readPngRaster(layout: PngLayout): PngRaster {
  const { header, channels } = layout
  const raw = inflatePicture(layout)
  const pixelBytes = Math.max(1, (header.storedChannels * header.bitDepth) >> 3)
  let start = 0
  const passes = pngPasses(header).map((pass) => {
    const bytes = rowBytes(header, pass.width)
    unfilter(raw, start, pass.height, bytes, pixelBytes)
    const placed = { pass, start, rowStride: bytes + 1 }
    start += pass.height * (bytes + 1)
    return placed
  })
  // The common case needs no copy: eight bits, one stored sample a channel, rows in order.
  if (
    !header.interlaced &&
    header.bitDepth === 8 &&
    channels.length === header.storedChannels &&
    header.colorType !== 'palette'
  ) {
    return { samples: raw, offset: 1, rowStride: passes[0]!.rowStride, channels: channels.length }
  }
  const count = header.width * header.height * channels.length
  const samples = header.bitDepth === 16 ? new Uint16Array(count) : new Uint8Array(count)
  let badIndex = -1
  for (const placed of passes) badIndex = Math.max(badIndex, expandPass(layout, raw, placed, samples))
  return {
    samples,
    offset: 0,
    rowStride: header.width * channels.length,
    channels: channels.length,
    ...(badIndex >= 0 ? { badIndex } : {}),
  }
}

function inflatePicture(layout: PngLayout): Uint8Array {
  const { idat, metadata } = layout
  const input = idat.length === 1 ? idat[0]! : Buffer.concat(idat)
  const { bytes, consumed } = inflateExact(input, layout.inflatedBytes, { chunk: 'IDAT' })
  if (consumed < input.length) {
    metadata.warnings.push({
      code: 'extra-compressed-data',
      message: `${input.length - consumed} bytes of IDAT follow the end of the compressed picture`,
    })
  }
  return bytes
}

interface PlacedPass {
  readonly pass: PngPass
  readonly start: number
  readonly rowStride: number
}

/** Spreads one pass over the picture; returns the largest bad palette index, or -1. */
function expandPass(layout: PngLayout, raw: Uint8Array, placed: PlacedPass, out: Uint8Array | Uint16Array): number {
  const { header, channels } = layout
  const { pass } = placed
  const line = new Uint16Array(pass.width * header.storedChannels)
  const pixel = createPixelWriter(layout, out)
  let badIndex = -1
  for (let row = 0; row < pass.height; row++) {
    unpackRow(raw, placed.start + row * placed.rowStride + 1, header.bitDepth, line)
    const target = (pass.yStart + row * pass.yStep) * header.width + pass.xStart
    for (let x = 0; x < pass.width; x++) {
      badIndex = Math.max(badIndex, pixel(line, x * header.storedChannels, (target + x * pass.xStep) * channels.length))
    }
  }
  return badIndex
}

/** Reads a row's samples, whatever their depth, as numbers. */
function unpackRow(raw: Uint8Array, at: number, bitDepth: number, line: Uint16Array): void {
  if (bitDepth === 8) for (let i = 0; i < line.length; i++) line[i] = raw[at + i]!
  else if (bitDepth === 16) for (let i = 0; i < line.length; i++) line[i] = (raw[at + 2 * i]! << 8) | raw[at + 2 * i + 1]!
  else {
    const mask = (1 << bitDepth) - 1
    for (let i = 0; i < line.length; i++) {
      const bit = i * bitDepth
      line[i] = (raw[at + (bit >> 3)]! >> (8 - bitDepth - (bit & 7))) & mask
    }
  }
}

/** Writes one expanded pixel; returns a palette index beyond the palette, or -1. */
type PixelWriter = (line: Uint16Array, from: number, to: number) => number

function createPixelWriter({ header, palette, transparency, channels }: PngLayout, out: Uint8Array | Uint16Array): PixelWriter {
  const { storedChannels, bitDepth } = header
  if (header.colorType === 'palette') {
    if (!palette) throw new ImageError('bad-order', 'a palette picture has no PLTE chunk')
    return (line, from, to) => {
      const index = line[from]!
      for (let c = 0; c < 3; c++) out[to + c] = palette[index * 3 + c] ?? 0
      if (channels.length === 4) out[to + 3] = transparency?.[index] ?? 255
      return index * 3 < palette.length ? -1 : index
    }
  }
  const scale = bitDepth < 8 ? 255 / ((1 << bitDepth) - 1) : 1
  // tRNS of gray and RGB: one colour, 16 bits a sample, of which the picture's depth counts.
  const key =
    transparency && Array.from({ length: storedChannels }, (_, c) => (transparency[2 * c]! << 8) | transparency[2 * c + 1]!)
  const opaque = bitDepth === 16 ? 65535 : 255
  return (line, from, to) => {
    let matches = key !== undefined
    for (let c = 0; c < storedChannels; c++) {
      const value = line[from + c]!
      out[to + c] = value * scale
      if (key && value !== key[c]) matches = false
    }
    if (key) out[to + storedChannels] = matches ? 0 : opaque
    return -1
  }
}

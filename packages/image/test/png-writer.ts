import { deflateSync } from 'node:zlib'
import { pngChunk } from '../src/png/encode.ts'

/** A PNG to write for tests: any colour type, depth, interlace and row filters. Samples are interleaved integers. */
export interface PngSpec {
  readonly width: number
  readonly height: number
  readonly bitDepth: number
  /** 0, 2, 3, 4 or 6. */
  readonly colorType: number
  readonly interlaced?: boolean
  readonly samples: readonly number[]
  readonly palette?: Uint8Array
  readonly transparency?: Uint8Array
  /** Filter of each row, repeated. */
  readonly filters?: readonly number[]
}

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const

export const SIGNATURE: Uint8Array = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

export function header(spec: Pick<PngSpec, 'width' | 'height' | 'bitDepth' | 'colorType' | 'interlaced'>): Uint8Array {
  const data = Buffer.alloc(13)
  data.writeUInt32BE(spec.width, 0)
  data.writeUInt32BE(spec.height, 4)
  data.set([spec.bitDepth, spec.colorType, 0, 0, spec.interlaced ? 1 : 0], 8)
  return data
}

/** The inflated picture: filtered rows of each pass. */
export function rawPicture(spec: PngSpec): Uint8Array {
  const channels = CHANNELS[spec.colorType]!
  const pixelBytes = Math.max(1, (channels * spec.bitDepth) >> 3)
  const rows: Uint8Array[] = []
  let filterIndex = 0
  for (const [x0, y0, dx, dy] of spec.interlaced ? PASSES : ([[0, 0, 1, 1]] as const)) {
    let above: Uint8Array | undefined
    if (x0 >= spec.width) continue
    for (let y = y0; y < spec.height; y += dy) {
      const bits: number[] = []
      for (let x = x0; x < spec.width; x += dx) {
        for (let c = 0; c < channels; c++) bits.push(spec.samples[(y * spec.width + x) * channels + c]!)
      }
      const row = pack(bits, spec.bitDepth)
      const filters = spec.filters ?? [0]
      rows.push(filterRow(row, above, filters[filterIndex++ % filters.length]!, pixelBytes))
      above = row
    }
  }
  return Buffer.concat(rows)
}

function pack(samples: readonly number[], depth: number): Uint8Array {
  const out = new Uint8Array(Math.ceil((samples.length * depth) / 8))
  samples.forEach((sample, i) => {
    if (depth === 16) out.set([sample >> 8, sample & 255], i * 2)
    else out[(i * depth) >> 3]! |= sample << (8 - depth - ((i * depth) & 7))
  })
  return out
}

/** The filters as the specification writes them, with nothing shared with the decoder. */
function filterRow(row: Uint8Array, above: Uint8Array | undefined, filter: number, back: number): Uint8Array {
  const out = new Uint8Array(row.length + 1)
  out[0] = filter
  row.forEach((value, i) => {
    const a = row[i - back] ?? 0
    const b = above?.[i] ?? 0
    const c = i >= back ? (above?.[i - back] ?? 0) : 0
    const p = a + b - c
    const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)]
    const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c
    out[i + 1] = value - [0, a, b, (a + b) >> 1, paeth][filter]!
  })
  return out
}

/** The whole file; `idats` splits the compressed picture. */
export function writePng(spec: PngSpec, extra: { before?: readonly Uint8Array[]; idats?: number } = {}): Uint8Array {
  const packed = deflateSync(rawPicture(spec))
  const step = Math.ceil(packed.length / (extra.idats ?? 1))
  const idats = Array.from({ length: Math.ceil(packed.length / step) }, (_, i) =>
    pngChunk('IDAT', packed.subarray(i * step, (i + 1) * step)),
  )
  return Buffer.concat([
    SIGNATURE,
    pngChunk('IHDR', header(spec)),
    ...(extra.before ?? []),
    ...(spec.palette ? [pngChunk('PLTE', spec.palette)] : []),
    ...(spec.transparency ? [pngChunk('tRNS', spec.transparency)] : []),
    ...idats,
    pngChunk('IEND', new Uint8Array(0)),
  ])
}

import { createHash } from 'node:crypto'
import { isImageError } from '../error.ts'
import { inflateAtMost } from '../inflate.ts'
import type { ColorSpaceTags, ImageWarning } from '../types.ts'

/** Longest text kept of one entry, in characters; the rest is cut. */
export const MAX_TEXT = 4096
/** Most that a compressed text or profile may inflate to, bytes. */
const MAX_INFLATED = 1 << 22
/** Most entries kept, so that a file full of text chunks costs no memory. */
export const MAX_ENTRIES = 1024

/** Collects what the ancillary chunks say; a fault in one is a warning, never an error: no pixel depends on it. */
export interface PngMetadata {
  readonly text: Record<string, string | number>
  readonly colorSpace: ColorSpaceTags
  readonly warnings: ImageWarning[]
  read(type: string, data: Uint8Array): void
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Starts an empty collection. */
export function createPngMetadata(): PngMetadata {
  const text: Record<string, string | number> = Object.create(null) as Record<string, string | number>
  const colorSpace: Mutable<ColorSpaceTags> = {}
  const warnings: ImageWarning[] = []
  let entries = 0
  const put = (key: string, value: string): void => {
    if (entries++ < MAX_ENTRIES) text[key] = value.slice(0, MAX_TEXT)
  }
  const readers: Record<string, (data: Uint8Array) => void> = {
    tEXt: (data) => {
      const [key, rest] = splitKey(data)
      put(key, latin1(rest))
    },
    zTXt: (data) => {
      const [key, rest] = splitKey(data)
      if (rest[0] !== 0) throw new Error(`zTXt compression method is ${rest[0]}`)
      put(key, latin1(inflateText(rest.subarray(1))))
    },
    iTXt: (data) => {
      const [key, value] = readInternationalText(data)
      put(key, value)
    },
    gAMA: (data) => {
      colorSpace.gamma = uint32s(data, 1)[0]! / 100_000
    },
    sRGB: (data) => {
      if (data.length !== 1 || data[0]! > 3) throw new Error('sRGB needs one intent of 0 to 3')
      colorSpace.srgbIntent = data[0]!
    },
    cHRM: (data) => {
      // File order is white, red, green, blue; ours is red, green, blue, white as in EXR.
      const [wx, wy, ...rgb] = uint32s(data, 8).map((value) => value / 100_000)
      colorSpace.chromaticities = [...rgb, wx!, wy!]
    },
    cICP: (data) => {
      if (data.length !== 4) throw new Error('cICP needs 4 bytes')
      colorSpace.cicp = [...data]
    },
    acTL: (data) => {
      const [frames] = uint32s(data, 2)
      warnings.push({ code: 'animation', message: `an animation of ${frames} pictures, of which only the still one is read` })
    },
    iCCP: (data) => {
      const [name, rest] = splitKey(data)
      colorSpace.iccName = name
      if (rest[0] !== 0) throw new Error(`iCCP compression method is ${rest[0]}`)
      colorSpace.iccSha256 = createHash('sha256')
        .update(inflateText(rest.subarray(1)))
        .digest('hex')
    },
    pHYs: (data) => {
      if (data.length !== 9) throw new Error('pHYs needs 9 bytes')
      const [x, y] = uint32s(data.subarray(0, 8), 2)
      put('pHYs', `${x} ${y} ${data[8] === 1 ? 'metre' : 'unknown'}`)
    },
    tIME: (data) => {
      if (data.length !== 7) throw new Error('tIME needs 7 bytes')
      const two = (index: number): string => String(data[index]).padStart(2, '0')
      put('tIME', `${data[0]! * 256 + data[1]!}-${two(2)}-${two(3)}T${two(4)}:${two(5)}:${two(6)}Z`)
    },
  }
  return {
    text,
    colorSpace,
    warnings,
    read(type, data) {
      try {
        readers[type]?.(data)
      } catch (error) {
        const reason = isImageError(error) || error instanceof Error ? error.message : String(error)
        if (warnings.length < 100) warnings.push({ code: 'bad-metadata', message: `${type}: ${reason}` })
      }
    },
  }
}

/** Keyword of 1 to 79 bytes, then a zero (PNG specification 11.3.3). */
function splitKey(data: Uint8Array): [string, Uint8Array] {
  const end = data.indexOf(0)
  if (end < 1 || end > 79) throw new Error('the keyword needs 1 to 79 characters and a zero')
  return [latin1(data.subarray(0, end)), data.subarray(end + 1)]
}

function readInternationalText(data: Uint8Array): [string, string] {
  const [key, rest] = splitKey(data)
  const languageEnd = rest.indexOf(0, 2)
  const translatedEnd = languageEnd < 0 ? -1 : rest.indexOf(0, languageEnd + 1)
  if (translatedEnd < 0) throw new Error('iTXt lacks its language or translated keyword')
  const body = rest.subarray(translatedEnd + 1)
  if (rest[0] === 1 && rest[1] !== 0) throw new Error(`iTXt compression method is ${rest[1]}`)
  const plain = rest[0] === 1 ? inflateText(body) : body
  return [key, new TextDecoder().decode(plain.subarray(0, MAX_TEXT * 4))]
}

const inflateText = (data: Uint8Array): Uint8Array => inflateAtMost(data, Math.min(MAX_INFLATED, 1032 * data.length), {}).bytes

const latin1 = (data: Uint8Array): string =>
  Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, MAX_TEXT)).toString('latin1')

function uint32s(data: Uint8Array, count: number): number[] {
  if (data.length !== count * 4) throw new Error(`expected ${count * 4} bytes, found ${data.length}`)
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  return Array.from({ length: count }, (_, index) => view.getUint32(index * 4))
}

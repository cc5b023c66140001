import { halfToFloat, type PixelType, type PictureRow, type RowPlane } from '@pictor/image'
import { encodeHdr } from '../compare/picture.ts'

/** Turns stored samples into the values of {@link Picture.colour} and of {@link Picture.raw}, a row at a time. */
export interface RowEncoder {
  /** Whether samples are linear scene values. */
  readonly hdr: boolean
  /** Fills `into` with one plane's values in the domain of the statistics. */
  encode(plane: RowPlane, alpha: RowPlane | undefined, into: Float32Array): void
  /** One sample as {@link Picture.raw} holds it. */
  raw(plane: RowPlane, alpha: RowPlane | undefined, x: number): number
}

let encodedHalves: Float32Array | undefined

/** {@link encodeHdr} of all 65,536 halves. */
const halfTable = (): Float32Array => (encodedHalves ??= halfToFloat().map(encodeHdr))

/** Whether samples of this type are linear scene values. */
export const isLinear = (type: PixelType): boolean => type !== 'uint8' && type !== 'uint16'

/** The encoder of a picture's rows. */
export function rowEncoder({ type }: Pick<PictureRow, 'type'>): RowEncoder {
  if (type === 'half') return halfEncoder()
  if (isLinear(type)) {
    return {
      hdr: true,
      encode: ({ samples, at, stride, count }, _alpha, into) => {
        for (let i = 0, from = at; i < count; i++, from += stride) into[i] = encodeHdr(samples[from]!)
      },
      raw: ({ samples, at, stride }, _alpha, x) => samples[at + x * stride]!,
    }
  }
  return integerEncoder(type === 'uint8' ? 255 : 65535)
}

function halfEncoder(): RowEncoder {
  const table = halfTable()
  const values = halfToFloat()
  return {
    hdr: true,
    encode: ({ samples, at, stride, count }, _alpha, into) => {
      for (let i = 0, from = at; i < count; i++, from += stride) into[i] = table[samples[from]!]!
    },
    raw: ({ samples, at, stride }, _alpha, x) => values[samples[at + x * stride]!]!,
  }
}

/** Colour times alpha: what can be seen, and what EXR holds. */
function integerEncoder(max: number): RowEncoder {
  const table = Float32Array.from({ length: max + 1 }, (_, i) => i / max)
  return {
    hdr: false,
    encode: ({ samples, at, stride, count }, alpha, into) => {
      if (!alpha) for (let i = 0, from = at; i < count; i++, from += stride) into[i] = table[samples[from]!]!
      else {
        for (let i = 0; i < count; i++) {
          into[i] = table[samples[at + i * stride]!]! * table[alpha.samples[alpha.at + i * alpha.stride]!]!
        }
      }
    },
    raw: ({ samples, at, stride }, alpha, x) => {
      const value = table[samples[at + x * stride]!]!
      return Math.fround(alpha ? value * table[alpha.samples[alpha.at + x * alpha.stride]!]! : value)
    },
  }
}

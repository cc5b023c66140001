import { pictureChannels, type ImageFile } from '@pictor/image'

/** Pixels from the top left corner. */
export interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** The smallest area that holds both. */
export function enclosing(a: Area, b: Area): Area {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)]
  return { x, y, width: Math.max(a.x + a.width, b.x + b.width) - x, height: Math.max(a.y + a.height, b.y + b.height) - y }
}

/** A decoded picture as the statistics see it: colour planes in a bounded domain, all of one size, row by row. */
export interface Picture {
  readonly width: number
  readonly height: number
  /** R, G and B, or one plane for grey. PNG values 0..1 as they are, times alpha; HDR values through {@link encodeHdr}. */
  readonly colour: readonly Float32Array[]
  /** Alpha, 0..1, where the file has one. */
  readonly alpha?: Float32Array
  /** Linear scene values before {@link encodeHdr}; the same arrays as `colour` for display-referred files. */
  readonly raw: readonly Float32Array[]
  readonly hdr: boolean
}

/** sRGB's curve at 0, 1/8192, ..., 1: interpolated between, it is off by less than 4e-6 above its linear foot, and some ten times faster than a power. */
const CURVE_STEPS = 8192
const CURVE: Float64Array = Float64Array.from(
  { length: CURVE_STEPS + 2 },
  (_, i) => 1.055 * (i / CURVE_STEPS) ** (1 / 2.4) - 0.055,
)

/**
 * y = sRGB(v / (1 + v)), v = max(v, 0): Reinhard's curve and the sRGB transfer function (IEC 61966-2-1), which keeps fireflies bounded and
 * shadows visible. NaN becomes 0, infinity 1.
 */
export function encodeHdr(v: number): number {
  if (!(v > 0)) return 0
  if (v === Infinity) return 1
  const t = v / (1 + v)
  if (t <= 0.0031308) return 12.92 * t
  const at = t * CURVE_STEPS
  const i = Math.floor(at)
  return CURVE[i]! + (CURVE[i + 1]! - CURVE[i]!) * (at - i)
}

/** {@link encodeHdr} of a whole plane. */
function encodePlane(plane: Float32Array): Float32Array {
  const out = new Float32Array(plane.length)
  for (let i = 0; i < out.length; i++) out[i] = encodeHdr(plane[i]!)
  return out
}

/** The beauty of a decoded file in the domain of the statistics, or undefined where there is none. Only the first part that has colour of full size is read. */
export function toPicture(image: Pick<ImageFile, 'parts'>): Picture | undefined {
  for (const part of image.parts) {
    const channels = part.planes.map(({ name, type, xSampling = 1, ySampling = 1 }) => ({ name, type, xSampling, ySampling }))
    const found = pictureChannels(channels)
    const planes = found?.colors.map((index) => part.planes[index]!)
    if (!planes || planes.some(({ data }) => data.length !== part.width * part.height)) continue
    const alpha = found?.alpha === undefined ? undefined : part.planes[found.alpha]!.data
    const hdr = !planes[0]!.type.startsWith('uint') || planes[0]!.type === 'uint32'
    const data = planes.map((plane) => plane.data)
    const colour = hdr ? data.map(encodePlane) : associated(data, alpha)
    return { width: part.width, height: part.height, colour, raw: hdr ? data : colour, hdr, ...(alpha ? { alpha } : {}) }
  }
  return undefined
}

/** PNG colour is stored without alpha applied, and means nothing where a pixel is transparent: colour times alpha is what can be seen, and what EXR holds. */
function associated(colour: readonly Float32Array[], alpha: Float32Array | undefined): readonly Float32Array[] {
  return alpha ? colour.map((plane) => plane.map((v, i) => v * alpha[i]!)) : colour
}

/** Cuts `area` out of a picture. Parts of `area` outside the picture are left out. */
export function cut(picture: Picture, area: Area): Picture {
  const x0 = Math.max(0, area.x)
  const y0 = Math.max(0, area.y)
  const width = Math.max(0, Math.min(picture.width, area.x + area.width) - x0)
  const height = Math.max(0, Math.min(picture.height, area.y + area.height) - y0)
  const take = (plane: Float32Array): Float32Array => {
    const out = new Float32Array(width * height)
    for (let y = 0; y < height; y++) {
      const from = (y0 + y) * picture.width + x0
      out.set(plane.subarray(from, from + width), y * width)
    }
    return out
  }
  const colour = picture.colour.map(take)
  return {
    width,
    height,
    colour,
    raw: picture.hdr ? picture.raw.map(take) : colour,
    hdr: picture.hdr,
    ...(picture.alpha ? { alpha: take(picture.alpha) } : {}),
  }
}

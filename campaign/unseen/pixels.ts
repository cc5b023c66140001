// Pictures as planes that cheats change, and the files that they come from and go to.
import { decodeImage, encodeExr, encodePng } from '@pictor/image'
import { layersNamedBy } from '../../packages/checker/src/node/layers.ts'

/** R, G, B and, where the file has it, A: linear for EXR, 0..1 as displayed for PNG; row by row. */
export interface Planes {
  readonly width: number
  readonly height: number
  readonly data: readonly Float32Array[]
}

/** Reads a delivered file. */
export function planesOf(bytes: Uint8Array): Planes {
  const part = decodeImage(bytes).parts[0]!
  const data = ['R', 'G', 'B', 'A'].flatMap((name) => {
    const plane = part.planes.find((one) => one.name === name || one.name.endsWith(`.${name}`))
    return plane ? [plane.data] : []
  })
  return { width: part.width, height: part.height, data }
}

/** Writes planes as a file of the kind of `like`, naming the same layers, without the tags that would give a cheat away. */
export function fileOf({ width, height, data }: Planes, like: Uint8Array, format: 'png' | 'exr'): Uint8Array {
  const layers = layersNamedBy(like)
  const deep = decodeImage(like).bitDepth > (format === 'exr' ? 16 : 8)
  const tags = layers ? { 'pictor.layers': layers } : {}
  if (format === 'exr') {
    const type = deep ? ('float' as const) : ('half' as const)
    const planes = data.map((plane, c) => ({ name: 'RGBA'[c]!, type, data: plane }))
    return encodeExr(width, height, planes, { attributes: tags })
  }
  const count = width * height * data.length
  const [out, top] = deep ? ([new Uint16Array(count), 65_535] as const) : ([new Uint8Array(count), 255] as const)
  for (const [c, plane] of data.entries())
    for (let i = 0; i < plane.length; i++) out[i * data.length + c] = Math.max(0, Math.min(top, Math.round(top * plane[i]!)))
  return encodePng(width, height, data.length as 3 | 4, out, { text: tags })
}

/** Changes colour values, not alpha: `change` gets the value, the place and the channel. */
export function mapColour(planes: Planes, change: (v: number, x: number, y: number, c: number) => number): Planes {
  const { width } = planes
  return {
    ...planes,
    data: planes.data.map((plane, c) => (c === 3 ? plane : plane.map((v, i) => change(v, i % width, Math.floor(i / width), c)))),
  }
}

/** The mean of two pictures. */
export const mixed = (p: Planes, q: Planes): Planes => ({
  ...p,
  data: p.data.map((plane, c) => plane.map((v, i) => (v + q.data[c]![i]!) / 2)),
})

/** A picture enlarged to another size by bilinear interpolation. */
export function enlarged(planes: Planes, width: number, height: number): Planes {
  const [sx, sy] = [planes.width / width, planes.height / height]
  const data = planes.data.map((plane) => {
    const out = new Float32Array(width * height)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const u = Math.max(0, Math.min(planes.width - 1.001, (x + 0.5) * sx - 0.5))
        const v = Math.max(0, Math.min(planes.height - 1.001, (y + 0.5) * sy - 0.5))
        const [i, j] = [Math.floor(u), Math.floor(v)]
        const [a, b] = [u - i, v - j]
        const at = (p: number, q: number): number => plane[q * planes.width + p]!
        out[y * width + x] =
          (at(i, j) * (1 - a) + at(i + 1, j) * a) * (1 - b) + (at(i, j + 1) * (1 - a) + at(i + 1, j + 1) * a) * b
      }
    return out
  })
  return { width, height, data }
}

/** Weighted mean of each pixel's neighbourhood; `weigh` gets the difference of the values and the distance squared. */
export function filtered(planes: Planes, radius: number, weigh: (difference: number, far: number) => number): Planes {
  const { width, height } = planes
  return mapColour(planes, (v, x, y, c) => {
    let sum = 0
    let total = 0
    for (let j = Math.max(0, y - radius); j <= Math.min(height - 1, y + radius); j++)
      for (let i = Math.max(0, x - radius); i <= Math.min(width - 1, x + radius); i++) {
        const other = planes.data[c]![j * width + i]!
        const weight = weigh(other - v, (i - x) ** 2 + (j - y) ** 2)
        sum += weight * other
        total += weight
      }
    return sum / total
  })
}

/** Middle of each pixel's 3 x 3 neighbourhood. */
export function medianFiltered(planes: Planes): Planes {
  const { width, height } = planes
  return mapColour(planes, (v, x, y, c) => {
    if (x === 0 || y === 0 || x === width - 1 || y === height - 1) return v
    const near = new Float32Array(9)
    for (let j = 0; j < 3; j++) for (let i = 0; i < 3; i++) near[3 * j + i] = planes.data[c]![(y + j - 1) * width + x + i - 1]!
    return near.sort()[4]!
  })
}

/** JPEG's luminance quantisation at quality 50, by rising frequency in both directions (ITU-T T.81, table K.1). */
const QUANTA = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112,
  100, 103, 99,
]

/** What JPEG leaves of a display picture: each channel's 8 x 8 blocks with quantised frequencies (chroma kept whole, as 4:4:4 in RGB). */
export function jpegged(planes: Planes, quality: number): Planes {
  const scale = quality < 50 ? 50 / quality : 2 - quality / 50
  const basis = Array.from({ length: 64 }, (_, i) => {
    const [k, n] = [Math.floor(i / 8), i % 8]
    return Math.cos(((2 * n + 1) * k * Math.PI) / 16) * (k === 0 ? Math.SQRT1_2 : 1) * 0.5
  })
  const { width, height } = planes
  const block = (plane: Float32Array, x0: number, y0: number): void => {
    const at = (x: number, y: number): number => Math.min(height - 1, y0 + y) * width + Math.min(width - 1, x0 + x)
    const rough = new Float64Array(64)
    for (let v = 0; v < 8; v++)
      for (let u = 0; u < 8; u++) {
        let sum = 0
        for (let y = 0; y < 8; y++)
          for (let x = 0; x < 8; x++) sum += basis[8 * u + x]! * basis[8 * v + y]! * (255 * plane[at(x, y)]! - 128)
        const step = Math.max(1, Math.round(QUANTA[8 * v + u]! * scale))
        rough[8 * v + u] = Math.round(sum / step) * step
      }
    const back = Float64Array.from(rough, (_, i) => {
      let sum = 0
      for (let v = 0; v < 8; v++)
        for (let u = 0; u < 8; u++) sum += basis[8 * u + (i % 8)]! * basis[8 * v + Math.floor(i / 8)]! * rough[8 * v + u]!
      return (sum + 128) / 255
    })
    for (let i = 0; i < 64; i++)
      if (x0 + (i % 8) < width && y0 + Math.floor(i / 8) < height) plane[at(i % 8, Math.floor(i / 8))] = back[i]!
  }
  const data = planes.data.map((source, c) => {
    const plane = source.slice()
    if (c < 3) for (let y = 0; y < height; y += 8) for (let x = 0; x < width; x += 8) block(plane, x, y)
    return plane
  })
  return { ...planes, data }
}

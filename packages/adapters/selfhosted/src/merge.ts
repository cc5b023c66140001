import { invalid } from '@pictor/core/contract'
import type { Region, RenderSpec, TileMerge } from '@pictor/core/contract'
import { decodeImage, encodeExr, encodePng } from '@pictor/image'
import type { ImageFile, Plane } from '@pictor/image'

const MERGED_FORMATS: readonly string[] = ['PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER']

/** Most pixels of a merged frame (11,585 x 11,585): four floats of each are 2 GiB. */
const MOST_PIXELS = 2 ** 27

/** Most that all channels of a merged frame may come to. */
const MOST_BYTES = 2 ** 32

/** How frames of Blender are split and merged: where every pixel is rendered by itself, and only in files that hold pixels exactly. */
export const tileMerge: TileMerge = {
  refusal({ engine, denoise, checkClass, output }) {
    const { width, height } = output
    if (width * height > MOST_PIXELS)
      return `a merged frame is held in memory: at most ${MOST_PIXELS} pixels, not ${width} x ${height}`
    if (engine !== 'CYCLES') return `${engine} does not render a tile as it renders the whole frame; only CYCLES does`
    if (denoise) return 'denoising looks beyond the edges of a tile'
    if (checkClass !== 'crop') return 'compositor or sequencer of the scene look beyond the edges of a tile'
    if (!MERGED_FORMATS.includes(output.format)) return `${output.format} cannot be merged without loss; PNG and OpenEXR can`
    return undefined
  },
  merge: (spec: RenderSpec, parts) =>
    mergeTiles(
      spec.output,
      spec.tiles!.map((region, i) => ({ region, bytes: parts[i]! })),
    ),
}

/** One rendered tile of a frame. */
export interface TilePart {
  readonly region: Region
  readonly bytes: Uint8Array
}

/** One rendered range of samples of a frame. */
export interface SamplePart {
  readonly samples: number
  readonly bytes: Uint8Array
}

/**
 * Puts tiles together to the whole picture: PNG stays PNG with equal integers, EXR stays EXR with equal channels (a multi-layer file becomes one part). Every
 * pixel must be covered exactly once.
 * @throws invalid-input when tiles overlap, leave holes, or differ in kind; ImageError when one cannot be decoded
 */
export function mergeTiles(size: { readonly width: number; readonly height: number }, tiles: readonly TilePart[]): Uint8Array {
  const { width, height } = size
  if (tiles.length === 0) throw invalid('tiles', 'at least one tile', 0)
  if (!(width * height <= MOST_PIXELS)) throw invalid('size', `at most ${MOST_PIXELS} pixels`, `${width} x ${height}`)
  const covered = new Uint8Array(width * height)
  let whole: { readonly like: ImageFile; readonly planes: readonly Plane[] } | undefined
  for (const [i, { region, bytes }] of tiles.entries()) {
    const image = decodeImage(bytes, { expected: { width: region.width, height: region.height } })
    const planes = planesOf(image, `tiles[${i}]`)
    if (planes.length * width * height * 4 > MOST_BYTES)
      throw invalid(
        `tiles[${i}]`,
        `channels that come to at most ${MOST_BYTES} bytes in the whole frame`,
        `${planes.length} channels`,
      )
    whole ??= { like: image, planes: planes.map((plane) => ({ ...plane, data: new Float32Array(width * height) })) }
    requireAlike(whole.like, image, `tiles[${i}]`)
    cover(covered, width, height, region, `tiles[${i}].region`)
    for (const [c, plane] of planes.entries())
      for (let y = 0; y < region.height; y++)
        whole.planes[c]!.data.set(
          plane.data.subarray(y * region.width, (y + 1) * region.width),
          (y + region.y) * width + region.x,
        )
  }
  if (covered.includes(0)) throw invalid('tiles', 'tiles that cover every pixel', `a hole at pixel ${covered.indexOf(0)}`)
  return encodeLike(whole!.like, width, height, whole!.planes)
}

/**
 * The frame that all samples together would have given: the mean of the ranges, weighted by their samples, in linear light. Only channels that are means
 * over samples may be merged so: Cryptomatte and depth are refused by name.
 * @throws invalid-input when ranges differ in size or channels, or hold channels that are no means
 */
export function mergeSamples(parts: readonly SamplePart[]): Uint8Array {
  if (parts.length === 0) throw invalid('parts', 'at least one range of samples', 0)
  const total = parts.reduce((sum, part) => sum + part.samples, 0)
  const images = parts.map((part) => decodeImage(part.bytes))
  const first = images[0]!
  const sums = planesOf(first, 'parts[0]').map((plane) => new Float64Array(plane.data.length))
  for (const [i, image] of images.entries()) {
    requireAlike(first, image, `parts[${i}]`)
    if (image.format !== 'exr') throw invalid(`parts[${i}]`, 'an EXR file: 8 bits do not hold a mean', image.format)
    if (image.width !== first.width || image.height !== first.height)
      throw invalid(`parts[${i}]`, `${first.width} x ${first.height} pixels`, `${image.width} x ${image.height}`)
    const { samples } = parts[i]!
    if (!Number.isInteger(samples) || samples < 1) throw invalid(`parts[${i}].samples`, 'a whole number of at least 1', samples)
    for (const [c, plane] of planesOf(image, `parts[${i}]`).entries()) {
      if (/crypto|\.(Z|V|IndexOB|IndexMA)$|depth/i.test(plane.name))
        throw invalid(`parts[${i}]`, 'channels that are means over samples', plane.name)
      const sum = sums[c]!
      for (let p = 0; p < sum.length; p++) sum[p] = sum[p]! + plane.data[p]! * (samples / total)
    }
  }
  const planes = planesOf(first, 'parts[0]').map((plane, c) => ({ ...plane, data: Float32Array.from(sums[c]!) }))
  return encodeLike(first, first.width, first.height, planes)
}

function planesOf(image: ImageFile, path: string): readonly Plane[] {
  const planes = image.parts.flatMap((part) => part.planes)
  const odd = planes.find((plane) => plane.type === 'uint32' || (plane.xSampling ?? 1) !== 1 || (plane.ySampling ?? 1) !== 1)
  if (odd) throw invalid(path, 'channels of floats or bytes with one value a pixel', odd.name)
  return planes
}

function requireAlike(a: ImageFile, b: ImageFile, path: string): void {
  const kind = (image: ImageFile) =>
    `${image.format} ${image.parts.flatMap((part) => part.planes.map((plane) => `${plane.name}:${plane.type}`)).join(' ')}`
  if (kind(a) !== kind(b)) throw invalid(path, kind(a), kind(b))
}

function cover(covered: Uint8Array, width: number, height: number, { x, y, ...size }: Region, path: string): void {
  const inside = x >= 0 && y >= 0 && x + size.width <= width && y + size.height <= height
  if (!inside) throw invalid(path, `a region of ${width} x ${height} pixels`, `${size.width} x ${size.height} at ${x}, ${y}`)
  for (let row = y; row < y + size.height; row++)
    for (let at = row * width + x; at < row * width + x + size.width; at++) {
      if (covered[at]) throw invalid(path, 'a region that no other tile covers', `pixel ${at % width}, ${row}`)
      covered[at] = 1
    }
}

function encodeLike(like: ImageFile, width: number, height: number, planes: readonly Plane[]): Uint8Array {
  if (like.format === 'exr')
    return encodeExr(
      width,
      height,
      planes.map(({ name, type, data }) => ({ name, type: type as 'half' | 'float', data })),
    )
  const channels = planes.length as 1 | 3 | 4
  const most = like.bitDepth === 16 ? 65_535 : 255
  const data = like.bitDepth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels)
  for (const [c, plane] of planes.entries())
    for (let p = 0; p < width * height; p++) data[p * channels + c] = Math.round(plane.data[p]! * most)
  return encodePng(width, height, channels, data)
}

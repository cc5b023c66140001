import { createHash, type Hash } from 'node:crypto'
import { floatBitsToHalf } from './half.ts'
import type { Box, ChannelInfo, ImageFile, ImagePart, Plane } from './types.ts'

/** Starts the canonical hash; see {@link pixelHash} for the order. */
export function startPixelHash(): Hash {
  return createHash('sha256').update('pictor-pixels 1\n')
}

/** Adds the line that precedes a part's samples. */
export function hashPartHeader(hash: Hash, window: Box, channels: readonly ChannelInfo[]): void {
  const names = channels.map(
    ({ name, type, xSampling, ySampling }) => `${JSON.stringify(name)}:${type}:${xSampling}x${ySampling}`,
  )
  hash.update(`${window.xMin} ${window.yMin} ${window.xMax} ${window.yMax} ${names.join(' ')}\n`)
}

/**
 * Sha256 (hex) of the decoded pixels: independent of compression, chunk order, tiles, interlace and metadata. For each
 * part a line with its data window and channels, then its samples in their own type, little-endian, row by row: EXR
 * channel by channel within a row, PNG pixel by pixel with palettes and transparency expanded. Equal to
 * `scanImage(bytes).pixelHash`.
 */
export function pixelHash(image: ImageFile): string {
  const hash = startPixelHash()
  for (const part of image.parts) {
    hashPartHeader(
      hash,
      part.dataWindow,
      part.planes.map(({ name, type, xSampling = 1, ySampling = 1 }) => ({ name, type, xSampling, ySampling })),
    )
    if (image.format === 'png') hashInterleaved(hash, part)
    else hashPlanar(hash, part)
  }
  return hash.digest('hex')
}

function hashInterleaved(hash: Hash, { width, height, planes }: ImagePart): void {
  const wide = planes[0]!.type === 'uint16'
  const row = wide ? new Uint16Array(width * planes.length) : new Uint8Array(width * planes.length)
  const max = wide ? 65535 : 255
  for (let y = 0; y < height; y++) {
    planes.forEach(({ data }, channel) => {
      for (let x = 0; x < width; x++) row[x * planes.length + channel] = Math.round(data[y * width + x]! * max)
    })
    hash.update(row)
  }
}

function hashPlanar(hash: Hash, part: ImagePart): void {
  const next = part.planes.map(() => 0)
  const columns = part.planes.map(({ xSampling = 1 }) => rowSamples(xSampling, part.dataWindow))
  for (let y = part.dataWindow.yMin; y <= part.dataWindow.yMax; y++) {
    part.planes.forEach((plane, index) => {
      if (y % (plane.ySampling ?? 1) !== 0) return
      const from = next[index]!
      next[index] = from + columns[index]!
      hash.update(nativeSamples(plane, from, next[index]!))
    })
  }
}

const rowSamples = (sampling: number, { xMin, xMax }: Box): number =>
  Math.max(0, Math.floor(xMax / sampling) - Math.ceil(xMin / sampling) + 1)

function nativeSamples(plane: Plane, from: number, to: number): Uint8Array | Uint16Array | Uint32Array {
  if (plane.uint) return plane.uint.subarray(from, to)
  const bits = new Uint32Array(plane.data.buffer, plane.data.byteOffset + from * 4, to - from)
  if (plane.type === 'float') return bits
  const halves = new Uint16Array(to - from)
  for (let i = 0; i < halves.length; i++) halves[i] = floatBitsToHalf(bits[i]!)
  return halves
}

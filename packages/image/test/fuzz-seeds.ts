import { readdirSync, readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { encodeExr, encodePng } from '../src/index.ts'
import { pngChunk } from '../src/png/encode.ts'
import { writeExr, type WriterPart } from './exr-writer.ts'
import { writePng } from './png-writer.ts'

/** A valid file to damage. */
export interface Seed {
  readonly name: string
  readonly bytes: Uint8Array
}

/** The fixtures, every PNG colour type, and layouts that oiiotool does not write. */
export function fuzzSeeds(): readonly Seed[] {
  const dir = new URL('fixtures/', import.meta.url)
  const fixtures = readdirSync(dir)
    .toSorted()
    .map((name) => ({ name, bytes: readFileSync(new URL(name, dir)) }))
  const palette = Uint8Array.from({ length: 12 }, (_, i) => i * 20)
  const pngs = (
    [
      [0, 1, 1],
      [2, 8, 3],
      [3, 2, 1],
      [4, 16, 2],
      [6, 8, 4],
    ] as const
  ).map(([colorType, bitDepth, channels]) => ({
    name: `png-${colorType}-${bitDepth}`,
    bytes: writePng(
      {
        width: 13,
        height: 9,
        bitDepth,
        colorType,
        interlaced: colorType % 4 !== 0,
        filters: [4, 3, 2, 1, 0],
        samples: Array.from({ length: 13 * 9 * channels }, (_, i) => (i * 37) % 2 ** bitDepth),
        ...(colorType === 3 ? { palette, transparency: Uint8Array.of(0, 128) } : {}),
      },
      { before: [pngChunk('gAMA', Uint8Array.of(0, 0, 177, 143)), pngChunk('tEXt', Buffer.from('Software\0Pictor'))], idats: 2 },
    ),
  }))
  // Text and profiles that expand a thousandfold when inflated.
  const bomb = deflateSync(new Uint8Array(1 << 24), { level: 9 })
  const bombs = (
    [
      ['zTXt', 'Comment\0\0'],
      ['iTXt', 'Comment\0\u0001\0\0\0'],
      ['iCCP', 'profile\0\0'],
    ] as const
  ).map(([type, start]) => ({
    name: `png-${type}-bomb`,
    bytes: writePng(
      { width: 2, height: 2, bitDepth: 8, colorType: 0, filters: [0], samples: [1, 2, 3, 4] },
      { before: [pngChunk(type, Buffer.concat([Buffer.from(start, 'latin1'), bomb]))] },
    ),
  }))
  const data = Float32Array.from({ length: 19 * 40 }, (_, i) => Math.sin(i))
  const wide = Float32Array.from({ length: 1024 * 40 }, (_, i) => Math.sin(i >> 8) * (i & 7))
  const part: WriterPart = {
    channels: [
      { name: 'A', type: 'half' },
      { name: 'id', type: 'uint32' },
    ],
    dataWindow: [-3, -2, 9, 10],
    sample: (_, x, y) => x * y,
  }
  return [
    ...fixtures,
    ...pngs,
    ...bombs,
    {
      name: 'png-encoded',
      bytes: encodePng(
        40,
        30,
        3,
        Uint8Array.from({ length: 3600 }, (_, i) => i),
        { text: { a: 'b' } },
      ),
    },
    {
      name: 'exr-encoded',
      bytes: encodeExr(
        19,
        40,
        ['R', 'G', 'B'].map((name) => ({ name, type: 'half' as const, data })),
      ),
    },
    // Large enough bands for the vector kernels.
    {
      name: 'exr-wide',
      bytes: encodeExr(
        1024,
        40,
        ['A', 'B', 'G', 'R'].map((name) => ({ name, type: 'half' as const, data: wide })),
      ),
    },
    { name: 'exr-ripmap', bytes: writeExr([{ ...part, tile: { width: 4, height: 4, mode: 2 } }], { shuffle: true }) },
    {
      name: 'exr-multipart',
      bytes: writeExr([
        { ...part, name: 'a' },
        { ...part, name: 'b', tile: { width: 8, height: 8, mode: 1 } },
      ]),
    },
    {
      name: 'exr-subsampled',
      bytes: writeExr([
        {
          ...part,
          channels: [
            { name: 'BY', type: 'half', xSampling: 2, ySampling: 2 },
            { name: 'Y', type: 'half' },
          ],
        },
      ]),
    },
  ]
}

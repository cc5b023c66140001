import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeImage, encodeExr, pixelHash, readImageInfo, scanImage, type ImageFile } from '../src/index.ts'
import { floatBitsToHalf, halfToFloat, halfToFloatBits, numberToHalf } from '../src/half.ts'
import { codeOf } from './code-of.ts'
import { attribute, writeExr, type WriterPart } from './exr-writer.ts'

const fixture = (name: string): Uint8Array => readFileSync(new URL(`fixtures/${name}`, import.meta.url))
const plane = (image: ImageFile, name: string, part = 0) =>
  image.parts[part]!.planes.find((candidate) => candidate.name === name)!

describe('halves', () => {
  it('converts all 65,536 to floats and back', () => {
    const bits = halfToFloatBits()
    for (let half = 0; half < 65536; half++) expect(floatBitsToHalf(bits[half]!)).toBe(half)
    const values = halfToFloat()
    expect([values[0x3c00], values[0x0001], values[0x7bff], values[0xfc00], values[0x3555]]).toEqual([
      1,
      2 ** -24,
      65504,
      -Infinity,
      0.333251953125,
    ])
  })

  it('rounds to the nearest half, ties to even', () => {
    const values = halfToFloat()
    fc.assert(
      fc.property(fc.float({ min: -70000, max: 70000, noNaN: true }), (value) => {
        const half = numberToHalf(value)
        if ((half & 0x7fff) === 0x7c00) {
          expect(Math.abs(value)).toBeGreaterThanOrEqual(65520)
          return
        }
        const error = Math.abs(values[half]! - value)
        for (const other of [half - 1, half + 1]) {
          if ((other & 0x7fff) < 0x7c00 && other >= 0 && other < 65536)
            expect(Math.abs(values[other]! - value)).toBeGreaterThanOrEqual(error)
        }
      }),
    )
    expect([
      numberToHalf(1 + 2 ** -11),
      numberToHalf(1 + 3 * 2 ** -11),
      numberToHalf(2 ** -25),
      numberToHalf(3 * 2 ** -25),
    ]).toEqual([0x3c00, 0x3c02, 0, 2])
  })
})

// Files written by oiiotool 2.4.7 from one picture; `none` needs no codec at all, so it is the reference of the lossless ones.
describe('EXR codecs', () => {
  it.each(['rle', 'zips', 'zip', 'piz', 'pxr24', 'tiled'])('%s holds the same pixels as none', (name) => {
    expect(scanImage(fixture(`${name}.exr`)).pixelHash).toBe(scanImage(fixture('none.exr')).pixelHash)
  })

  it.each(['piz', 'pxr24'])('float %s holds the same pixels as float zip', (name) => {
    expect(scanImage(fixture(`float-${name}.exr`)).pixelHash).toBe(scanImage(fixture('float-zip.exr')).pixelHash)
  })

  // Values printed by `oiiotool --dumpdata`.
  it.each([
    [
      'b44',
      [0.141967773, 0.244384766, 0.318847656],
      [0.543457031, 0.362060547, 0.346923828],
      [4.00390625, 0.293701172, 0.699707031],
    ],
    [
      'dwaa',
      [0.141113281, 0.242675781, 0.321044922],
      [0.541992188, 0.359863281, 0.348876953],
      [4.00390625, 0.292236328, 0.699707031],
    ],
  ])('%s decodes to the reference values', (name, first, middle, last) => {
    const image = decodeImage(fixture(`${name}.exr`))
    for (const [x, y, values] of [
      [0, 0, first],
      [3, 5, middle],
      [10, 36, last],
    ] as const) {
      ;['R', 'G', 'B'].forEach((channel, i) => expect(plane(image, channel).data[y * 11 + x]).toBeCloseTo(values[i]!, 6))
    }
  })

  it.each(['b44', 'b44a', 'dwaa', 'dwab', 'float-dwaa'])('%s stays near the picture it was made of', (name) => {
    const exact = decodeImage(fixture(name.startsWith('float') ? 'float-zip.exr' : 'none.exr'))
    const lossy = decodeImage(fixture(`${name}.exr`))
    for (const { name: channel, data } of exact.parts[0]!.planes) {
      data.forEach((value, i) =>
        expect(Math.abs(plane(lossy, channel).data[i]! - value)).toBeLessThan(0.02 + 0.03 * Math.abs(value)),
      )
    }
    expect(plane(lossy, 'A').data).toEqual(plane(exact, 'A').data)
  })

  it('reads back what encodeExr writes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('none' as const, 'zips' as const, 'zip' as const),
        fc.array(fc.float({ noNaN: false }), { minLength: 1, maxLength: 9 }),
        (width, height, compression, values) => {
          const data = Float32Array.from({ length: width * height }, (_, i) => values[i % values.length]! * (1 + (i >> 5)))
          const image = decodeImage(
            encodeExr(
              width,
              height,
              [
                { name: 'Z', type: 'float', data },
                { name: 'A', type: 'half', data },
              ],
              { compression },
            ),
          )
          expect(new Uint32Array(plane(image, 'Z').data.buffer)).toEqual(new Uint32Array(data.buffer))
          const rounded = Float32Array.from(data, (value) => halfToFloat()[numberToHalf(value)]!)
          expect(plane(image, 'A').data).toEqual(rounded)
        },
      ),
      { numRuns: 80 },
    )
  })
})

describe('EXR layout', () => {
  it('keeps windows apart', () => {
    const image = decodeImage(fixture('windows.exr'))
    expect([image.width, image.height]).toEqual([64, 48])
    expect(image.parts[0]).toMatchObject({ width: 9, height: 9, dataWindow: { xMin: -5, yMin: 7, xMax: 3, yMax: 15 } })
    expect(image.parts[0]!.displayWindow).toEqual({ xMin: -10, yMin: -10, xMax: 53, yMax: 37 })
    expect(plane(image, 'R').data[1]).toBeCloseTo(0.160888672, 6)
  })

  it('reads the layers and metadata of a Blender multilayer file', () => {
    const image = decodeImage(fixture('blender-multilayer.exr'))
    expect(image.parts[0]!.planes.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'ViewLayer.Combined.A half',
      'ViewLayer.Combined.B half',
      'ViewLayer.Combined.G half',
      'ViewLayer.Combined.R half',
      'ViewLayer.Depth.Z float',
    ])
    expect(image.metadata['cycles.ViewLayer.samples']).toBe('2')
    expect(plane(image, 'ViewLayer.Combined.R').data[0]).toBeCloseTo(0.050872803, 6)
    expect(plane(image, 'ViewLayer.Depth.Z').data[0]).toBe(1e10)
    expect(scanImage(fixture('blender-multilayer.exr')).parts[0]!.colorPlanes).toEqual(
      ['R', 'G', 'B'].map((c) => `ViewLayer.Combined.${c}`),
    )
  })

  it('reads every part of a multi-part file', () => {
    const image = decodeImage(fixture('multipart.exr'))
    expect(image.parts.map((part) => part.name)).toEqual(['one', 'two'])
    expect(plane(image, 'R', 1).data).toEqual(plane(image, 'R', 0).data)
  })

  it('decodes level 0 of a mipmap and counts the chunks of all levels', () => {
    const bytes = fixture('mipmap.exr')
    expect(readImageInfo(bytes).parts[0]).toMatchObject({
      kind: 'tiled',
      width: 11,
      height: 13,
      chunkCount: 4 + 1 + 1 + 1,
      tile: { levels: 'mipmap' },
    })
    expect(plane(decodeImage(bytes), 'G').data[1]).toBeCloseTo(0.160522461, 6)
  })

  const sample = (_: string, x: number, y: number): number => ((x + 50) * 1000 + (y + 50) * 7) & 0x3fff
  const part: WriterPart = {
    channels: [
      { name: 'A', type: 'half' },
      { name: 'Z', type: 'float' },
      { name: 'id', type: 'uint32' },
    ],
    dataWindow: [-3, -2, 6, 8],
    sample,
  }

  it('places the samples of every channel type, also with an odd row length', () => {
    const image = decodeImage(writeExr([part]))
    const bits = halfToFloat()
    for (const [x, y] of [
      [-3, -2],
      [6, 8],
      [0, 0],
    ] as const) {
      const i = (y + 2) * 10 + x + 3
      expect(plane(image, 'A').data[i]).toBe(bits[sample('', x, y)])
      expect(new Uint32Array(plane(image, 'Z').data.buffer)[i]).toBe(sample('', x, y))
      expect(plane(image, 'id').uint![i]).toBe(sample('', x, y))
    }
  })

  it('hashes alike as scanlines, tiles, mip and rip levels in any chunk order', () => {
    const plain = scanImage(writeExr([part])).pixelHash
    for (const mode of [0, 1, 2]) {
      for (const shuffle of [false, true]) {
        const bytes = writeExr([{ ...part, tile: { width: 4, height: 3, mode } }], { shuffle })
        expect(scanImage(bytes).pixelHash).toBe(plain)
        expect(pixelHash(decodeImage(bytes))).toBe(plain)
      }
    }
    expect(scanImage(writeExr([part], { shuffle: true })).pixelHash).toBe(plain)
    expect(scanImage(writeExr([{ ...part, dataWindow: [-2, -2, 7, 8] }])).pixelHash).not.toBe(plain)
  })

  it('reads subsampled channels at negative coordinates', () => {
    const bytes = writeExr([
      {
        channels: [
          { name: 'BY', type: 'half', xSampling: 2, ySampling: 2 },
          { name: 'Y', type: 'half' },
        ],
        dataWindow: [-4, -3, 5, 4],
        sample,
      },
    ])
    const image = decodeImage(bytes)
    expect(plane(image, 'BY')).toMatchObject({ xSampling: 2, ySampling: 2 })
    expect(plane(image, 'BY').data.length).toBe(5 * 4)
    expect(plane(image, 'BY').data[5 + 1]).toBe(halfToFloat()[sample('', -2, 0)])
    expect(scanImage(bytes).pixelHash).toBe(pixelHash(image))
  })

  it('reads long channel names only with their flag', () => {
    const long = { ...part, channels: [{ name: 'layer'.repeat(12), type: 'half' as const }] }
    expect(decodeImage(writeExr([long], { longNames: true })).parts[0]!.planes[0]!.name).toHaveLength(60)
    expect(codeOf(() => decodeImage(writeExr([long])))).toBe('bad-header')
  })

  it('says what it does not read', () => {
    expect(codeOf(() => readImageInfo(writeExr([part], { version: 2 | 0x800, type: 'deepscanline' })))).toBe('unsupported')
    expect(codeOf(() => readImageInfo(writeExr([part], { version: 3 })))).toBe('unsupported')
  })
})

describe('damaged EXR', () => {
  const zip = fixture('zip.exr')

  it('refuses every truncation of every codec', () => {
    for (const name of ['none', 'rle', 'zip', 'piz', 'b44', 'dwaa', 'tiled', 'multipart', 'mipmap']) {
      const bytes = fixture(`${name}.exr`)
      for (let length = 0; length < bytes.length; length += 7)
        expect(codeOf(() => scanImage(bytes.subarray(0, length)))).not.toBe('none')
    }
  })

  it('finds a chunk that was never written', () => {
    const info = readImageInfo(zip)
    expect(info.parts[0]!.chunkCount).toBe(3)
    const bytes = Buffer.from(zip)
    // The first offset follows the header, and points behind the three offsets.
    const table = Array.from({ length: bytes.length - 24 }, (_, at) => at).find(
      (at) => bytes.readBigUInt64LE(at) === BigInt(at + 24),
    )!
    bytes.fill(0, table + 16, table + 24)
    expect(codeOf(() => scanImage(bytes))).toBe('missing-data')
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(table), table + 16)
    expect(codeOf(() => scanImage(bytes))).toBe('bad-data')
    bytes.writeBigUInt64LE(2n ** 60n, table + 16)
    expect(codeOf(() => scanImage(bytes))).toBe('truncated')
  })

  it('notices a flipped bit in zlib data by its checksum', () => {
    const bytes = Buffer.from(zip)
    bytes[bytes.length - 400]! ^= 4
    expect(['bad-data', 'bad-length']).toContain(codeOf(() => scanImage(bytes)))
  })

  it('refuses impossible header fields', () => {
    const base = (extra: Uint8Array): Uint8Array =>
      Buffer.concat([Buffer.from([0x76, 0x2f, 0x31, 1, 2, 0, 0, 0]), extra, Buffer.alloc(1)])
    const box = (...v: number[]): Uint8Array => new Uint8Array(Int32Array.from(v).buffer)
    const channel = Buffer.concat([Buffer.from('R\0'), box(1, 0, 1, 1), Buffer.alloc(1)])
    const fields = (window: Uint8Array, chlist: Uint8Array = channel): Uint8Array =>
      Buffer.concat([
        attribute('channels', 'chlist', chlist),
        attribute('compression', 'compression', Buffer.alloc(1)),
        attribute('lineOrder', 'lineOrder', Buffer.alloc(1)),
        attribute('dataWindow', 'box2i', window),
        attribute('displayWindow', 'box2i', box(0, 0, 1, 1)),
      ])
    expect(codeOf(() => readImageInfo(base(fields(box(0, 0, -1, 5)))))).toBe('bad-header')
    expect(codeOf(() => readImageInfo(base(fields(box(-(2 ** 31), 0, 5, 5)))))).toBe('bad-header')
    expect(codeOf(() => readImageInfo(base(fields(box(0, 0, 2 ** 29, 2 ** 29)))))).toBe('limit')
    expect(codeOf(() => readImageInfo(base(fields(box(0, 0, 1, 10000)))))).toBe('truncated')
    const zeroSampling = Buffer.concat([Buffer.from('R\0'), box(1, 0, 0, 1), Buffer.alloc(1)])
    expect(codeOf(() => readImageInfo(base(fields(box(0, 0, 1, 1), zeroSampling))))).toBe('bad-header')
    expect(codeOf(() => readImageInfo(base(fields(box(0, 0, 1, 1), Buffer.alloc(1)))))).toBe('bad-header')
    expect(codeOf(() => readImageInfo(base(attribute('dataWindow', 'box2i', box(0, 0, 1, 1)))))).toBe('bad-header')
    expect(codeOf(() => readImageInfo(zip, { maxChannels: 3 }))).toBe('limit')
    expect(codeOf(() => decodeImage(zip, { maxBytes: 100 }))).toBe('limit')
    expect(codeOf(() => decodeImage(zip, { expected: { width: 11, height: 38 } }))).toBe('size-mismatch')
  })
})

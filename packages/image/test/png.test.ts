import { deflateSync } from 'node:zlib'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeImage, encodePng, readImageInfo, scanImage, type ImageErrorCode } from '../src/index.ts'
import { pngChunk } from '../src/png/encode.ts'
import { codeOf } from './code-of.ts'
import { header, rawPicture, SIGNATURE, writePng, type PngSpec } from './png-writer.ts'

const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }
const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] }

const spec = fc.constantFrom(0, 2, 3, 4, 6).chain((colorType) =>
  fc.record({
    colorType: fc.constant(colorType),
    bitDepth: fc.constantFrom(...DEPTHS[colorType]!),
    width: fc.integer({ min: 1, max: 19 }),
    height: fc.integer({ min: 1, max: 17 }),
    interlaced: fc.boolean(),
    filters: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  }),
)

function withSamples({ seed, ...rest }: Omit<PngSpec, 'samples'> & { seed: number }): PngSpec {
  let state = seed
  const next = (): number => (state = (Math.imul(state, 48271) >>> 0) % 2147483647) >>> 8
  const samples = Array.from({ length: rest.width * rest.height * CHANNELS[rest.colorType]! }, () => next() % 2 ** rest.bitDepth)
  if (rest.colorType !== 3) return { ...rest, samples }
  return { ...rest, samples, palette: Uint8Array.from({ length: 3 << rest.bitDepth }, () => next() & 255) }
}

/** What a pixel must decode to, from the samples alone. */
function expected(picture: PngSpec, pixel: number): number[] {
  const count = CHANNELS[picture.colorType]!
  const stored = picture.samples.slice(pixel * count, pixel * count + count)
  const max = 2 ** picture.bitDepth - 1
  if (picture.colorType !== 3) return stored.map((value) => value / max)
  return [0, 1, 2].map((c) => picture.palette![stored[0]! * 3 + c]! / 255)
}

describe('PNG pixels', () => {
  it('decodes every colour type, depth, filter and interlace to the samples written', () => {
    fc.assert(
      fc.property(spec, (drawn) => {
        const picture = withSamples(drawn)
        const { parts } = decodeImage(writePng(picture, { idats: 3 }))
        const { planes } = parts[0]!
        for (let i = 0; i < picture.width * picture.height; i++) {
          expect(planes.map((plane) => plane.data[i])).toEqual(expected(picture, i).map(Math.fround))
        }
      }),
      { numRuns: 150 },
    )
  })

  it('gives the same pixel hash whatever the filters, interlace and chunks', () => {
    fc.assert(
      fc.property(spec, (drawn) => {
        const picture = withSamples(drawn)
        const plain = scanImage(writePng({ ...picture, interlaced: false, filters: [0] })).pixelHash
        expect(scanImage(writePng(picture, { idats: 2 })).pixelHash).toBe(plain)
      }),
      { numRuns: 60 },
    )
  })

  it('turns tRNS into an alpha channel', () => {
    const rgb: PngSpec = {
      width: 2,
      height: 1,
      bitDepth: 8,
      colorType: 2,
      samples: [1, 2, 3, 1, 2, 4],
      transparency: Uint8Array.of(0, 1, 0, 2, 0, 3),
    }
    expect([...decodeImage(writePng(rgb)).parts[0]!.planes[3]!.data]).toEqual([0, 1])
    const palette: PngSpec = {
      width: 3,
      height: 1,
      bitDepth: 2,
      colorType: 3,
      samples: [0, 1, 2],
      palette: Uint8Array.of(9, 9, 9, 8, 8, 8, 7, 7, 7),
      transparency: Uint8Array.of(0, 51),
    }
    expect([...decodeImage(writePng(palette)).parts[0]!.planes[3]!.data]).toEqual([0, Math.fround(0.2), 1])
  })

  it('reads back what encodePng writes, in 8 and 16 bits', () => {
    for (const channels of [1, 3, 4] as const) {
      const wide = Uint16Array.from({ length: 5 * 3 * channels }, (_, i) => i * 1000)
      const image = decodeImage(encodePng(5, 3, channels, wide, { text: { Software: 'Pictor', Title: 'Köln ☂' } }))
      expect(image.bitDepth).toBe(16)
      expect(image.metadata).toMatchObject({ Software: 'Pictor', Title: 'Köln ☂' })
      expect(image.parts[0]!.planes.map((plane) => Math.round(plane.data[4]! * 65535))).toEqual(
        Array.from({ length: channels }, (_, c) => (4 * channels + c) * 1000),
      )
      const narrow = Uint8Array.from(wide, (value) => value >> 8)
      for (const filter of [0, 1, 2] as const) {
        const { planes } = decodeImage(encodePng(5, 3, channels, narrow, { filter })).parts[0]!
        expect(planes.map((plane) => Math.round(plane.data[7]! * 255))).toEqual(
          Array.from(narrow.subarray(7 * channels, 8 * channels)),
        )
      }
    }
  })

  it('warns of palette indexes beyond the palette and reads them as black', () => {
    const image = decodeImage(
      writePng({ width: 2, height: 1, bitDepth: 4, colorType: 3, samples: [0, 5], palette: Uint8Array.of(255, 255, 255) }),
    )
    expect(image.warnings.map((warning) => warning.code)).toEqual(['palette-index'])
    expect(image.parts[0]!.planes[0]!.data[1]).toBe(0)
  })
})

describe('PNG structure', () => {
  const picture: PngSpec = { width: 3, height: 2, bitDepth: 8, colorType: 2, samples: Array.from({ length: 18 }, (_, i) => i) }
  const ihdr = pngChunk('IHDR', header(picture))
  const idat = pngChunk('IDAT', deflateSync(rawPicture(picture)))
  const iend = pngChunk('IEND', new Uint8Array(0))
  const file = (...chunks: Uint8Array[]): Uint8Array => Buffer.concat([SIGNATURE, ...chunks])
  const ihdrWith = (change: (data: Uint8Array) => void): Uint8Array => {
    const data = header(picture)
    change(data)
    return pngChunk('IHDR', data)
  }

  it.each<[string, ImageErrorCode, Uint8Array]>([
    ['an empty file', 'empty', new Uint8Array(0)],
    ['an HTML page', 'not-an-image', Buffer.from('<html>502 Bad Gateway')],
    ['a signature alone', 'truncated', file()],
    ['no IEND', 'truncated', file(ihdr, idat)],
    ['no IDAT', 'bad-order', file(ihdr, iend)],
    ['IDAT before IHDR', 'bad-order', file(idat, ihdr, iend)],
    ['two IHDR', 'bad-order', file(ihdr, ihdr, idat, iend)],
    ['split IDAT', 'bad-order', file(ihdr, idat, pngChunk('tEXt', Buffer.from('a\0b')), idat, iend)],
    ['PLTE after IDAT', 'bad-order', file(ihdr, idat, pngChunk('PLTE', new Uint8Array(3)), iend)],
    [
      'a palette picture without PLTE',
      'bad-order',
      file(
        ihdrWith((d) => (d[9] = 3)),
        idat,
        iend,
      ),
    ],
    ['PLTE of 4 bytes', 'bad-header', file(ihdr, pngChunk('PLTE', new Uint8Array(4)), idat, iend)],
    ['tRNS of a wrong size', 'bad-header', file(ihdr, pngChunk('tRNS', new Uint8Array(2)), idat, iend)],
    [
      'width 0',
      'bad-header',
      file(
        ihdrWith((d) => d.fill(0, 0, 4)),
        idat,
        iend,
      ),
    ],
    [
      'bit depth 3',
      'bad-header',
      file(
        ihdrWith((d) => (d[8] = 3)),
        idat,
        iend,
      ),
    ],
    [
      'colour type 5',
      'bad-header',
      file(
        ihdrWith((d) => (d[9] = 5)),
        idat,
        iend,
      ),
    ],
    [
      'interlace 2',
      'bad-header',
      file(
        ihdrWith((d) => (d[12] = 2)),
        idat,
        iend,
      ),
    ],
    ['IEND with content', 'bad-header', file(ihdr, idat, pngChunk('IEND', new Uint8Array(1)))],
    ['an unknown critical chunk', 'unsupported', file(ihdr, pngChunk('ABCD', new Uint8Array(0)), idat, iend)],
    [
      'a taller IHDR',
      'bad-length',
      file(
        ihdrWith((d) => (d[7] = 3)),
        idat,
        iend,
      ),
    ],
    [
      'a shorter IHDR',
      'bad-length',
      file(
        ihdrWith((d) => (d[7] = 1)),
        idat,
        iend,
      ),
    ],
    ['a damaged zlib stream', 'bad-data', file(ihdr, pngChunk('IDAT', Buffer.from('not zlib at all')), iend)],
    [
      'row filter 7',
      'bad-data',
      file(ihdr, pngChunk('IDAT', deflateSync(rawPicture(picture).map((b, i) => (i === 0 ? 7 : b)))), iend),
    ],
    [
      'a gigantic size',
      'limit',
      file(
        ihdrWith((d) => d.fill(0x7f, 0, 8)),
        idat,
        iend,
      ),
    ],
    ['a JPEG', 'unsupported', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)],
  ])('refuses %s as %s', (_, code, bytes) => {
    expect(codeOf(() => decodeImage(bytes))).toBe(code)
    expect(codeOf(() => scanImage(bytes))).toBe(code)
  })

  it('refuses every truncation and every flipped bit of a whole file', () => {
    const bytes = file(ihdr, idat, iend)
    for (let length = 0; length < bytes.length; length++)
      expect(codeOf(() => scanImage(bytes.subarray(0, length)))).not.toBe('none')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(
        codeOf(() => scanImage(damaged)),
        `bit ${bit}`,
      ).not.toBe('none')
    }
  })

  it('refuses a bomb by its limits and by its compressed size, before inflating', () => {
    const large = header({ width: 20000, height: 20000, bitDepth: 8, colorType: 6 })
    const bomb = file(pngChunk('IHDR', large), pngChunk('IDAT', deflateSync(new Uint8Array(100))), iend)
    expect(codeOf(() => decodeImage(bomb))).toBe('limit')
    const before = process.memoryUsage().arrayBuffers
    expect(codeOf(() => decodeImage(bomb, { maxPixels: 2 ** 30, maxBytes: 2 ** 32 }))).toBe('bad-length')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24)
  })

  it('refuses a file of nothing but empty chunks in time', () => {
    const empty = pngChunk('teSt', new Uint8Array(0))
    const many = Buffer.alloc(300_000 * empty.length)
    for (let at = 0; at < many.length; at += empty.length) many.set(empty, at)
    const start = process.cpuUsage()
    expect(codeOf(() => readImageInfo(file(ihdr, many, idat, iend)))).toBe('limit')
    expect(process.cpuUsage(start).user).toBeLessThan(5e6)
  })

  it('refuses another size than the ordered one', () => {
    const bytes = file(ihdr, idat, iend)
    expect(codeOf(() => decodeImage(bytes, { expected: { width: 3, height: 3 } }))).toBe('size-mismatch')
    expect(codeOf(() => decodeImage(bytes, { expected: { width: 3, height: 2 } }))).toBe('none')
  })

  it('warns of bytes after IEND and of bad text, and reads colour tags', () => {
    const uint32 = (...values: number[]): Uint8Array => {
      const out = Buffer.alloc(values.length * 4)
      values.forEach((value, i) => out.writeUInt32BE(value, i * 4))
      return out
    }
    const info = readImageInfo(
      Buffer.concat([
        file(
          ihdr,
          pngChunk('gAMA', uint32(45455)),
          pngChunk('sRGB', Uint8Array.of(1)),
          pngChunk('cHRM', uint32(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
          pngChunk('iCCP', Buffer.concat([Buffer.from('My profile\0\0'), deflateSync(Buffer.from('profile'))])),
          pngChunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.from('hello'))])),
          pngChunk('tEXt', Buffer.from('no zero byte')),
          idat,
          iend,
        ),
        Buffer.from('tail'),
      ]),
    )
    expect(info.colorSpace).toMatchObject({ gamma: 0.45455, srgbIntent: 1, iccName: 'My profile' })
    expect(info.colorSpace.chromaticities).toEqual([0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329])
    expect(info.colorSpace.iccSha256).toHaveLength(64)
    expect(info.metadata['Comment']).toBe('hello')
    expect(info.warnings.map((warning) => warning.code)).toEqual(['bad-metadata', 'trailing-bytes'])
  })
})

import { fc, test as property } from './property.ts'
import { describe, expect, test } from 'vitest'
import { encodePng, type ImageFile, type Plane } from '@pictor/image'
import type { OutputSpec, RenderSpec } from '@pictor/core/contract'
import { checkFile } from '../src/index.ts'
import { checkMetadata } from '../src/frame/metadata.ts'
import { checkOrder } from '../src/frame/order.ts'
import { checkPixels } from '../src/frame/blind.ts'
import { toPicture } from '../src/compare/picture.ts'
import { SPEC } from './job.ts'
import { generator } from './pictures.ts'
import { renderNoise } from './noise-renderer.ts'

const SCENE = { width: 160, height: 96, samples: 8, seed: 1 }
const codesOf = (bytes: Uint8Array, spec: RenderSpec = SPEC, frame = 1): string[] =>
  checkFile(bytes, spec, frame).findings.map((found) => found.code)
const output = (fields: Partial<OutputSpec>): RenderSpec => ({ ...SPEC, output: { ...SPEC.output, ...fields } })
const good = renderNoise(1, SCENE)
const rgb = (value: (i: number, c: number) => number): Uint8Array =>
  encodePng(
    160,
    96,
    3,
    Uint8Array.from({ length: 160 * 96 * 3 }, (_, i) => value(Math.floor(i / 3), i % 3)),
  )

describe('files', () => {
  test('an honest frame has no finding', () => expect(codesOf(good)).toEqual([]))
  test.each([
    ['an empty file', new Uint8Array(0), 'empty'],
    ['an error page', new TextEncoder().encode('<html>403 Forbidden</html>'), 'wrong-format'],
    ['a truncated file', good.slice(0, -40), 'truncated'],
    ['a file cut in half', good.slice(0, good.length / 2), 'truncated'],
    ['a flipped bit', good.map((byte, i) => (i === 2000 ? byte ^ 4 : byte)), 'bad-crc'],
    ['a tail of zeros', good.map((byte, i) => (i > good.length * 0.7 ? 0 : byte)), 'bad-crc'],
    ['a smaller picture', renderNoise(1, { ...SCENE, width: 80, height: 48 }), 'wrong-size'],
  ])('%s is refused', (_name, bytes, code) => {
    const found = checkFile(bytes, SPEC, 1).findings
    expect(found.map((one) => one.code)).toContain(code)
    expect(found[0]!.weight).toBe('refuse')
  })
  test.each([
    [{ bitDepth: 16 as const }, 'wrong-bit-depth'],
    [{ colorMode: 'RGBA' as const }, 'missing-channel'],
    [{ format: 'OPEN_EXR' as const }, 'wrong-format'],
    [{ passes: ['Combined', 'Depth'] }, 'missing-pass'],
  ])('an order of %o finds %s', (fields, code) => expect(codesOf(good, output(fields))).toContain(code))
  test('a format that is not decoded here is a doubt, never a fault', () => {
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16)
    expect(checkFile(jpeg, output({ format: 'JPEG' }), 1).findings).toMatchObject([{ code: 'not-decoded', weight: 'doubt' }])
  })
  property(
    'no damage makes it throw, and damage inside the pixels is always found',
    [fc.integer({ min: 41, max: good.length - 17 }), fc.integer({ min: 1, max: 255 })],
    (at, mask) => {
      const bytes = good.slice()
      bytes[at]! ^= mask
      expect(checkFile(bytes, SPEC, 1).findings.some((found) => found.weight === 'refuse')).toBe(true)
    },
  )
  property('random bytes never throw', [fc.uint8Array({ maxLength: 300 })], (bytes) => {
    expect(codesOf(Uint8Array.from([...good.slice(0, 20), ...bytes]))).not.toEqual([])
  })
})

describe('pixels', () => {
  test('black frames are suspect unless the order lists them', () => {
    const black = rgb(() => 0)
    expect(codesOf(black)).toEqual(['black-frame'])
    expect(codesOf(black, { ...SPEC, legitBlackFrames: [1] })).toEqual([])
    const random = generator(3)
    expect(codesOf(rgb(() => (random() < 0.5 ? 1 : 0)))).toEqual(['black-frame'])
  })
  test('one colour is suspect', () => expect(codesOf(rgb(() => 90))).toEqual(['constant-frame']))
  test('missing textures are suspect', () => {
    const random = generator(5)
    expect(codesOf(rgb((i, c) => (i < 500 ? [250, 0, 250][c]! : 60 + Math.floor(random() * 120))))).toEqual(['magenta'])
  })
  test('5 bits in an 8-bit file are suspect', () => {
    const random = generator(7)
    const levels = Array.from({ length: 160 * 96 }, () => Math.round((Math.floor(random() * 32) * 255) / 31))
    expect(codesOf(rgb((i) => levels[i]!))).toEqual(['few-levels'])
  })
  test.each([
    [NaN, 'nan'],
    [Infinity, 'inf'],
  ])('%f in a float picture is refused, with its place', (value, code) => {
    const image = floats((i) => (i === 37 ? value : 0.2 + (i % 7) / 10))
    const found = checkPixels(image, toPicture(image)!, { legitBlack: false })
    expect(found).toMatchObject([{ code, weight: 'refuse', region: { x: 5, y: 2 } }, { code }, { code }])
  })
})

/** A 16 x 16 half picture of three planes. */
function floats(value: (i: number) => number, metadata: Record<string, string | number> = {}): ImageFile {
  const box = { xMin: 0, yMin: 0, xMax: 15, yMax: 15 }
  const planes = ['R', 'G', 'B'].map((name): Plane => ({
    name,
    type: 'half',
    data: Float32Array.from({ length: 256 }, (_, i) => value(i)),
  }))
  return {
    format: 'exr',
    width: 16,
    height: 16,
    bitDepth: 16,
    metadata,
    colorSpace: {},
    warnings: [],
    parts: [{ width: 16, height: 16, dataWindow: box, displayWindow: box, planes }],
  }
}

describe('order and metadata', () => {
  test('a data window that is not the whole picture is refused', () => {
    const image = floats(() => 0.5)
    const shifted = { ...image, parts: [{ ...image.parts[0]!, dataWindow: { xMin: 1, yMin: 0, xMax: 16, yMax: 15 } }] }
    const order: OutputSpec = { format: 'OPEN_EXR', width: 16, height: 16, bitDepth: 16, colorMode: 'RGB' }
    expect(checkOrder(image, order)).toEqual([])
    expect(checkOrder(shifted, order)).toMatchObject([{ code: 'wrong-window' }])
  })
  test('fewer declared samples are refused, more are a note, none is nothing', () => {
    const declared = (samples: string): unknown =>
      checkMetadata(
        floats(() => 1, { 'cycles.ViewLayer.samples': samples }),
        SPEC,
        1,
      )
    expect(declared('4')).toMatchObject([{ code: 'declared-samples', weight: 'refuse', value: 4, threshold: 8 }])
    expect(declared('16')).toMatchObject([{ weight: 'note' }])
    expect(
      checkMetadata(
        floats(() => 1),
        SPEC,
        1,
      ),
    ).toEqual([])
  })
  test('another frame, scene or camera in the metadata is a doubt', () => {
    const image = floats(() => 1, { Frame: '0007', Scene: 'Other', Camera: 'Camera' })
    expect(checkMetadata(image, SPEC, 8).map((found) => found.code)).toEqual(['declared-frame', 'declared-scene'])
  })
})

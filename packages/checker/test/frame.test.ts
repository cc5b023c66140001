import { crc32 } from 'node:zlib'
import { fc, test as property } from './property.ts'
import { describe, expect, test } from 'vitest'
import { encodeExr, encodePng, readImageInfo } from '@pictor/image'
import type { OutputSpec, RenderSpec } from '@pictor/core/contract'
import { checkFile } from '../src/index.ts'
import { checkMetadata, declaredSeconds } from '../src/frame/metadata.ts'
import { checkOrder } from '../src/frame/order.ts'
import { SPEC } from './job.ts'
import { generator } from './pictures.ts'
import { renderNoise } from './noise-renderer.ts'

const SCENE = { width: 160, height: 96, samples: 8, seed: 1 }
const codesOf = async (bytes: Uint8Array, spec: RenderSpec = SPEC, frame = 1): Promise<string[]> =>
  (await checkFile(bytes, spec, frame)).findings.map((found) => found.code)
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
  test('an honest frame has no finding', async () => expect(await codesOf(good)).toEqual([]))
  test.each([
    ['an empty file', new Uint8Array(0), 'empty'],
    ['an error page', new TextEncoder().encode('<html>403 Forbidden</html>'), 'wrong-format'],
    ['a truncated file', good.slice(0, -40), 'truncated'],
    ['a file cut in half', good.slice(0, good.length / 2), 'truncated'],
    ['a flipped bit', good.map((byte, i) => (i === 2000 ? byte ^ 4 : byte)), 'bad-crc'],
    ['a tail of zeros', good.map((byte, i) => (i > good.length * 0.7 ? 0 : byte)), 'bad-crc'],
    ['a smaller picture', renderNoise(1, { ...SCENE, width: 80, height: 48 }), 'wrong-size'],
  ])('%s is refused', async (_name, bytes, code) => {
    const found = (await checkFile(bytes, SPEC, 1)).findings
    expect(found.map((one) => one.code)).toContain(code)
    expect(found[0]!.weight).toBe('refuse')
  })
  test.each([
    [{ bitDepth: 16 as const }, 'wrong-bit-depth'],
    [{ colorMode: 'RGBA' as const }, 'missing-channel'],
    [{ format: 'OPEN_EXR' as const }, 'wrong-format'],
    [{ passes: ['Combined', 'Depth'] }, 'missing-pass'],
  ])('an order of %o finds %s', async (fields, code) => expect(await codesOf(good, output(fields))).toContain(code))
  test('a format that is not decoded here is a doubt, never a fault', async () => {
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16)
    expect((await checkFile(jpeg, output({ format: 'JPEG' }), 1)).findings).toMatchObject([
      { code: 'not-decoded', weight: 'doubt' },
    ])
  })
  property(
    'no damage makes it throw, and damage inside the pixels is always found',
    [fc.integer({ min: 41, max: good.length - 17 }), fc.integer({ min: 1, max: 255 })],
    async (at, mask) => {
      // A copy: slice of a Buffer would share its memory.
      const bytes = Uint8Array.from(good)
      bytes[at]! ^= mask
      expect((await checkFile(bytes, SPEC, 1)).findings.some((found) => found.weight === 'refuse')).toBe(true)
    },
  )
  property('random bytes never throw', [fc.uint8Array({ maxLength: 300 })], async (bytes) => {
    expect(await codesOf(Uint8Array.from([...good.slice(0, 20), ...bytes]))).not.toEqual([])
  })
})

/** What JPEG's lossy step leaves of a plane of 160 x 96: each block's DCT coefficients rounded to multiples of 20. */
function throughJpeg(plane: Float64Array): Float64Array {
  const wave = (u: number, x: number): number => (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16)
  const basis = Array.from({ length: 64 }, (_, k) =>
    Float64Array.from({ length: 64 }, (_, i) => wave(k & 7, i & 7) * wave(k >> 3, i >> 3)),
  )
  const out = new Float64Array(plane.length)
  for (let corner = 0; corner < 20 * 12; corner++) {
    const at = (i: number): number => (Math.floor(corner / 20) * 8 + (i >> 3)) * 160 + (corner % 20) * 8 + (i & 7)
    for (const pattern of basis) {
      const coefficient = pattern.reduce((sum, w, i) => sum + w * plane[at(i)]!, 0)
      pattern.forEach((w, i) => (out[at(i)]! += w * 20 * Math.round(coefficient / 20)))
    }
  }
  return out
}

describe('pixels', () => {
  test('black frames are doubtful unless the order lists them', async () => {
    const black = rgb(() => 0)
    expect(await codesOf(black)).toEqual(['black-frame'])
    expect(await codesOf(black, { ...SPEC, legitBlackFrames: [1] })).toEqual([])
    const random = generator(3)
    expect(await codesOf(rgb(() => (random() < 0.5 ? 1 : 0)))).toEqual(['black-frame'])
  })
  test('one colour is doubtful', async () => expect(await codesOf(rgb(() => 90))).toEqual(['constant-frame']))
  test('missing textures are doubtful', async () => {
    const random = generator(5)
    expect(await codesOf(rgb((i, c) => (i < 500 ? [250, 0, 250][c]! : 60 + Math.floor(random() * 120))))).toEqual(['magenta'])
  })
  test('5 bits in an 8-bit file are doubtful', async () => {
    const random = generator(7)
    const levels = Array.from({ length: 160 * 96 }, () => Math.round((Math.floor(random() * 32) * 255) / 31))
    expect(await codesOf(rgb((i) => levels[i]!))).toEqual(['few-levels'])
  })
  test('the grid of JPEG is doubtful, tiles of 16 pixels on it are not', async () => {
    const random = generator(11)
    const noise = Float64Array.from({ length: 160 * 96 }, () => 30 * random())
    expect(await codesOf(rgb((i) => 90 + noise[i]!))).toEqual([])
    const lossy = throughJpeg(noise)
    expect(await codesOf(rgb((i) => Math.round(90 + lossy[i]!)))).toEqual(['jpeg-grid'])
    for (const shift of [0, 3, 8])
      expect(
        await codesOf(
          rgb((i) => {
            const [x, y] = [(i % 160) + shift, Math.floor(i / 160)]
            return (((x >> 4) + (y >> 4)) & 1 ? 150 : 50) + 20 * Math.sin(x / 2)
          }),
        ),
      ).not.toContain('jpeg-grid')
  })
  test.each([
    [NaN, 'nan'],
    [Infinity, 'inf'],
  ])('%f in a float picture is refused, with its place', async (value, code) => {
    const found = (
      await checkFile(
        floats((i) => (i === 37 ? value : 0.2 + (i % 7) / 10)),
        EXR_SPEC,
        1,
      )
    ).findings
    expect(found).toMatchObject([{ code, weight: 'refuse', region: { x: 5, y: 2 } }, { code }, { code }])
  })
  test("infinite depth is told, not held against the frame; an artist's pass that is not finite is a doubt", async () => {
    const planes = ['R', 'G', 'B', 'Depth.Z', 'Glow.V'].map((name) => ({
      name: `ViewLayer.${name}`.replace(/^ViewLayer\.([RGB])$/, 'ViewLayer.Combined.$1'),
      type: 'float' as const,
      data: Float32Array.from({ length: 256 }, (_, i) => (i === 3 && name.length > 1 ? Infinity : i / 256)),
    }))
    const order = { ...EXR_SPEC, output: { ...EXR_SPEC.output, bitDepth: 32 as const } }
    const { findings } = await checkFile(encodeExr(16, 16, planes), order, 1)
    expect(findings.map(({ code, weight }) => `${weight} ${code}`)).toEqual(['note inf', 'doubt inf'])
  })
})

const EXR_SPEC: RenderSpec = {
  ...SPEC,
  output: { format: 'OPEN_EXR', width: 16, height: 16, bitDepth: 16, colorMode: 'RGB' },
}

/** A 16 x 16 half picture of three planes. */
function floats(value: (i: number) => number): Uint8Array {
  const data = Float32Array.from({ length: 256 }, (_, i) => value(i))
  return encodeExr(
    16,
    16,
    ['R', 'G', 'B'].map((name) => ({ name, type: 'half' as const, data })),
  )
}

describe('order and metadata', () => {
  test('a data window that is not the whole picture is refused', () => {
    const info = readImageInfo(floats(() => 0.5))
    const shifted = { ...info, parts: [{ ...info.parts[0]!, dataWindow: { xMin: 1, yMin: 0, xMax: 16, yMax: 15 } }] }
    expect(checkOrder(info, EXR_SPEC.output)).toEqual([])
    expect(checkOrder(shifted, EXR_SPEC.output)).toMatchObject([{ code: 'wrong-window' }])
  })
  test.each([
    [{ cicp: [1, 13, 0, 1] }, []],
    [{ cicp: [1, 1, 0, 1] }, []],
    [{ cicp: [9, 16, 0, 1] }, ['doubt colour-tag']],
    [{ gamma: 0.45455 }, []],
    [{ gamma: 1 }, ['doubt colour-tag']],
    [{ iccName: 'Display P3' }, ['note colour-tag']],
  ])('a picture tagged %o', (colorSpace, expected) => {
    const found = checkOrder({ ...readImageInfo(good), colorSpace }, SPEC.output)
    expect(found.map(({ weight, code }) => `${weight} ${code}`)).toEqual(expected)
  })
  test('an animated PNG is a doubt: viewers show pictures that nobody checked', async () => {
    const control = Buffer.from([...Buffer.from('acTL'), 0, 0, 0, 2, 0, 0, 0, 0])
    const chunk = Buffer.concat([Buffer.of(0, 0, 0, 8), control, Buffer.alloc(4)])
    chunk.writeUInt32BE(crc32(control), 16)
    const animated = Buffer.concat([good.subarray(0, 33), chunk, good.subarray(33)])
    expect((await checkFile(animated, SPEC, 1)).findings).toMatchObject([{ code: 'animation', weight: 'doubt' }])
  })
  test('fewer declared samples are refused, more are a note, none is nothing', () => {
    const declared = (samples: string): unknown => checkMetadata({ 'cycles.ViewLayer.samples': samples }, SPEC, 1)
    expect(declared('4')).toMatchObject([{ code: 'declared-samples', weight: 'refuse', value: 4, threshold: 8 }])
    expect(declared('16')).toMatchObject([{ weight: 'note' }])
    expect(checkMetadata({}, SPEC, 1)).toEqual([])
  })
  test('another frame, scene or camera in the metadata is a doubt', () => {
    const found = checkMetadata({ Frame: '0007', Scene: 'Other', Camera: 'Camera' }, SPEC, 8)
    expect(found.map(({ code }) => code)).toEqual(['declared-frame', 'declared-scene'])
  })
  test("another seed is a note, with an animated seed either the scene's or the frame's is right", () => {
    const seed = (value: string, fields = {}): unknown =>
      checkMetadata({ 'cycles.ViewLayer.seed': value }, { ...SPEC, seed: 5, ...fields }, 8)
    expect(seed('6')).toMatchObject([{ code: 'declared-seed', weight: 'note', value: 6, threshold: 5 }])
    expect(seed('5')).toEqual([])
    expect(seed('soon')).toEqual([])
    expect(seed('13', { animatedSeed: true })).toEqual([])
    expect(seed('13')).toMatchObject([{ code: 'declared-seed' }])
  })
  test.each([
    [{ Software: 'Blender 2.93.1' }, ['doubt declared-version']],
    [{ software: 'blender v4.1' }, ['doubt declared-version']],
    [{ 'Blender Version': '4.1.0' }, ['doubt declared-version']],
    [{ Software: 'Blender 3.4.1' }, []],
    [{ Software: 'oiiotool 2.4.7' }, []],
    [{ Software: 'Blender' }, []],
  ])('a program %o beside an order for Blender 3.4', (metadata, expected) => {
    expect(checkMetadata(metadata, SPEC, 1).map(({ weight, code }) => `${weight} ${code}`)).toEqual(expected)
  })
  test.each([
    [{ 'cycles.A.render_time': '00:01.50', 'cycles.B.render_time': '01:02:03.25', RenderTime: '00:09.00' }, 3723.25],
    [{ RenderTime: '02:03.50' }, 123.5],
    [{ RenderTime: 'long' }, undefined],
    [{}, undefined],
  ])('the render time of %o', (metadata, seconds) => expect(declaredSeconds(metadata)).toBe(seconds))
})

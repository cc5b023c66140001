import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { halfToFloat, numberToHalf } from '../src/half.ts'
import { decodeImage, encodeExr, encodePng, pixelHash, scanImage } from '../src/index.ts'

const plane = (name: string, data: Float32Array, type: 'half' | 'float' = 'half') => ({ name, type, data })

/** The figures, computed the slow way. */
function figures(data: Float32Array): { min: number; max: number; mean: number; std: number; nan: number; inf: number } {
  const finite = [...data].filter(Number.isFinite)
  const mean = finite.reduce((a, b) => a + b, 0) / finite.length
  const std = Math.sqrt(finite.reduce((a, b) => a + (b - mean) ** 2, 0) / finite.length)
  const nan = data.filter(Number.isNaN).length
  return { min: Math.min(...finite), max: Math.max(...finite), mean, std, nan, inf: data.length - finite.length - nan }
}

describe('scanImage', () => {
  it('agrees with the decoded planes, small and large, in every type', () => {
    for (const [width, height] of [
      [7, 5],
      [400, 300],
    ] as const) {
      const values = Float32Array.from({ length: width * height }, (_, i) =>
        i % 997 === 3 ? NaN : i % 1009 === 5 ? -Infinity : Math.sin(i) * (i % 13) + 2,
      )
      const depth = values.map((value) => value + 1e6)
      const exr = encodeExr(width, height, [plane('R', values), plane('Z', depth, 'float')])
      const wide = Uint16Array.from(values, (value) => (Number.isFinite(value) ? (value + 20) * 1000 : 7))
      const files = [exr, encodePng(width, height, 1, wide), encodePng(width, height, 1, Uint8Array.from(wide))]
      for (const bytes of files) {
        const stats = scanImage(bytes)
        decodeImage(bytes).parts[0]!.planes.forEach(({ data }, index) => {
          const found = stats.parts[0]!.planes[index]!
          const want = figures(data)
          expect([found.samples, found.nan, found.inf]).toEqual([data.length, want.nan, want.inf])
          for (const field of ['min', 'max', 'mean', 'std'] as const) expect(found[field]).toBeCloseTo(want[field], 5)
        })
        expect(stats.pixelHash).toBe(pixelHash(decodeImage(bytes)))
      }
    }
  })

  it('counts black and magenta pixels by the thresholds it states', () => {
    const colors: Record<string, [number, number, number]> = {
      black: [0, 0, 0],
      dithered: [1 / 255, 0, 1 / 255],
      magenta: [1, 0.02, 0.9],
      pink: [1, 0.1, 1],
      white: [1, 1, 1],
    }
    const list = Object.values(colors)
    const png = scanImage(
      encodePng(
        5,
        1,
        3,
        Uint8Array.from(list.flat(), (value) => Math.round(value * 255)),
      ),
    ).parts[0]!
    expect([png.blackFraction, png.magentaFraction]).toEqual([2 / 5, 2 / 5])
    for (const type of ['half', 'float'] as const) {
      const planes = ['R', 'G', 'B'].map((name, c) =>
        plane(
          name,
          Float32Array.from(list, (color) => color[c]!),
          type,
        ),
      )
      const exr = scanImage(encodeExr(5, 1, planes)).parts[0]!
      expect([exr.blackFraction, exr.magentaFraction]).toEqual([1 / 5, 1 / 5])
    }
  })

  it('does not take NaN or negative colours for black', () => {
    for (const type of ['half', 'float'] as const) {
      const planes = ['R', 'G', 'B'].map((name) => plane(name, Float32Array.of(NaN, -3, 0), type))
      expect(scanImage(encodeExr(3, 1, planes)).parts[0]!.blackFraction).toBeCloseTo(1 / 3)
    }
  })

  it('finds constant and zero rows, zero squares and the unfinished end', () => {
    const [width, height] = [130, 140]
    const noise = (x: number, y: number): number => ((x * 7919 + y * 104729) % 251) + 1
    const done = 100
    const hole = (x: number, y: number): boolean => x >= 64 && x < 128 && y < 64
    const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
      const x = Math.floor(i / 3) % width
      const y = Math.floor(i / 3 / width)
      return y >= done || hole(x, y) ? 0 : y === 70 ? 9 : noise(x, y)
    })
    const part = scanImage(encodePng(width, height, 3, pixels)).parts[0]!
    expect(part).toMatchObject({ constantRows: 41, zeroRows: 40, tiles: 9, unfinishedRows: { top: 0, bottom: 40 } })
    // The hole, and the lowest row of squares (rows 128 to 139).
    expect(part.zeroTiles).toBe(1 + 3)
    const planes = ['R', 'G', 'B'].map((name, c) =>
      plane(
        name,
        Float32Array.from({ length: width * height }, (_, i) => pixels[i * 3 + c]! / 255),
        'float',
      ),
    )
    expect(scanImage(encodeExr(width, height, planes)).parts[0]).toMatchObject({
      constantRows: 41,
      zeroRows: 40,
      zeroTiles: 4,
      unfinishedRows: { top: 0, bottom: 40 },
    })
  })

  it('tells rows and squares of any picture as a slow count does', () => {
    const [width, height] = [128, 130]
    // Mostly lit pictures with spots and rows of one value: what the short cut for varying rows must not hide.
    const spots = fc.array(fc.tuple(fc.nat(width - 1), fc.nat(height - 1), fc.constantFrom(0, -0, 1, NaN)), { maxLength: 6 })
    const rowKinds = [
      [0, 0],
      [0, -0],
      [1, 1],
      [NaN, NaN],
      [0, 1],
    ] as const
    const wholeRows = fc.array(fc.tuple(fc.nat(height - 1), fc.constantFrom(...rowKinds)), { maxLength: 6 })
    const types = fc.constantFrom('half' as const, 'float' as const)
    fc.assert(
      fc.property(types, spots, wholeRows, fc.boolean(), (type, places, rows, lit) => {
        const data = Float32Array.from({ length: width * height }, (_, i) => (lit ? 1 + (i % 17) : 0))
        for (const [x, y, v] of places) data[y * width + x] = v
        for (const [y, kind] of rows) for (let x = 0; x < width; x++) data[y * width + x] = kind[(x >> 3) & 1]!
        const row = (y: number): number[] => [...data.subarray(y * width, (y + 1) * width)]
        const every = Array.from({ length: height }, (_, y) => row(y))
        const square = (tx: number, ty: number): number[] =>
          every.slice(ty * 64, (ty + 1) * 64).flatMap((line) => line.slice(tx * 64, (tx + 1) * 64))
        const squares = [0, 1, 2].flatMap((ty) => [square(0, ty), square(1, ty)])
        expect(scanImage(encodeExr(width, height, [plane('Y', data, type)])).parts[0]).toMatchObject({
          constantRows: every.filter((line) => line.every((v) => Object.is(v, line[0]))).length,
          zeroRows: every.filter((line) => line.every((v) => v === 0)).length,
          zeroTiles: squares.filter((values) => values.every((v) => v === 0)).length,
        })
      }),
      { numRuns: 60 },
    )
  })

  it('hashes pixels only: not metadata, not compression', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 12, maxLength: 12 }), (values) => {
        const bytes = Uint8Array.from(values)
        const first = scanImage(encodePng(2, 2, 3, bytes, { text: { a: 'b' }, filter: 0, level: 0 })).pixelHash
        expect(scanImage(encodePng(2, 2, 3, bytes, { filter: 1 })).pixelHash).toBe(first)
        bytes[5]! ^= 1
        expect(scanImage(encodePng(2, 2, 3, bytes)).pixelHash).not.toBe(first)
      }),
      { numRuns: 30 },
    )
  })

  it('finds the same by vector kernels as by plain code', () => {
    // Wide enough for the kernels; as floats the same picture takes the plain way, and so does the odd width.
    const [width, height] = [1024, 70]
    const colors = [0, 1e-4, -0, 0.03, 0.049, 0.06, 0.5, 0.71, 2, Infinity, NaN, -3, 65504]
    const value = (x: number, y: number, c: number): number => {
      if (y === 17 || y > 60) return 0
      if (y === 18 || (x >= 192 && x < 256 && y < 64)) return c === 3 ? 1 : 0
      return colors[((x * 31 + y * 17) >> (c * 2)) % colors.length]!
    }
    const stats = (wide: number, type: 'half' | 'float', compression: 'zip' | 'none') => {
      const planes = ['R', 'G', 'B', 'A'].map((name, c) => {
        const data = Float32Array.from({ length: wide * height }, (_, i) => value(i % wide, Math.floor(i / wide), c))
        return plane(
          name,
          data.map((v) => halfToFloat()[numberToHalf(v)]!),
          type,
        )
      })
      const scanned = scanImage(encodeExr(wide, height, planes, { compression }))
      const { planes: figures, ...part } = scanned.parts[0]!
      return {
        part,
        hash: scanned.pixelHash,
        counts: figures.map((figure) => ({
          ...figure,
          type: undefined,
          mean: figure.mean.toFixed(6),
          std: figure.std.toFixed(3),
        })),
      }
    }
    const vectors = stats(width, 'half', 'zip')
    const plain = stats(width, 'float', 'zip')
    expect(vectors.part).toEqual(plain.part)
    expect(vectors.counts).toEqual(plain.counts)
    expect(vectors.part.magentaFraction).toBeGreaterThan(0.001)
    expect(vectors.part).toMatchObject({ zeroTiles: 1 + 16, unfinishedRows: { top: 0, bottom: 9 } })
    expect(stats(width, 'half', 'none').hash).toBe(vectors.hash)
    expect(stats(1021, 'half', 'none').hash).toBe(stats(1021, 'half', 'zip').hash)
    expect(stats(1021, 'half', 'zip').part).toEqual(stats(1021, 'float', 'zip').part)
  })

  it('chooses the beauty layer among several', () => {
    const grey = new Float32Array(4).fill(0.5)
    const names = ['Diffuse.R', 'Diffuse.G', 'Diffuse.B', 'View.Combined.R', 'View.Combined.G', 'View.Combined.B', 'Z']
    const named = scanImage(
      encodeExr(
        2,
        2,
        names.map((name) => plane(name, grey)),
      ),
    ).parts[0]!
    expect(named.colorPlanes).toEqual(['View.Combined.R', 'View.Combined.G', 'View.Combined.B'])
    expect(scanImage(encodeExr(2, 2, [plane('Z', grey)])).parts[0]!.colorPlanes).toEqual(['Z'])
  })

  it('reads a 16-bit PNG that Blender wrote', () => {
    const stats = scanImage(readFileSync(new URL('fixtures/blender16.png', import.meta.url)))
    expect(stats).toMatchObject({ width: 16, height: 9, bitDepth: 16, colorType: 'rgba' })
    expect(stats.parts[0]!.planes.map(({ name }) => name)).toEqual(['R', 'G', 'B', 'A'])
    expect(stats.parts[0]!.planes[3]).toMatchObject({ min: 1, max: 1, std: 0 })
  })
})

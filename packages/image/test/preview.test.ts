import { describe, expect, it } from 'vitest'
import { decodeImage, encodeExr, encodePng, markedPreview } from '../src/index.ts'

/** A smooth picture in the middle of the scale. */
function picture(width: number, height: number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3)
  for (let i = 0; i < pixels.length; i++) pixels[i] = 90 + ((Math.floor(i / 3) % width) % 60)
  return encodePng(width, height, 3, pixels)
}

describe('a marked preview', () => {
  it('is small, is marked across the whole picture, and is the same every time', () => {
    const preview = markedPreview(picture(1280, 720))!
    const { width, height, parts } = decodeImage(preview)
    expect(width).toBeLessThanOrEqual(192)
    expect(width / height).toBeCloseTo(1280 / 720, 1)
    const red = parts[0]!.planes[0]!.data
    const dark = red.filter((value) => value < 0.28).length / red.length
    const light = red.filter((value) => value > 0.7).length / red.length
    expect(dark).toBeGreaterThan(0.05)
    expect(light).toBeGreaterThan(0.02)
    for (let row = 0; row < height; row++) {
      const line = red.subarray(row * width, (row + 1) * width)
      expect(line.some((value) => value < 0.28)).toBe(true)
    }
    expect(Buffer.from(markedPreview(picture(1280, 720))!).equals(Buffer.from(preview))).toBe(true)
  })

  it('never has more than half the columns of the picture, however small it is', () => {
    for (const [width, height] of [
      [96, 64],
      [8, 8],
      [3, 1],
      [1, 1],
    ] as const)
      expect(decodeImage(markedPreview(picture(width, height))!).width).toBeLessThanOrEqual(Math.max(1, width / 2))
  })

  it('shows EXR tone-mapped, and nothing of what is no picture', () => {
    const data = new Float32Array(64 * 64).fill(4)
    const planes = ['R', 'G', 'B'].map((name) => ({ name, type: 'half' as const, data }))
    const preview = decodeImage(markedPreview(encodeExr(64, 64, planes))!)
    expect(Math.max(...preview.parts[0]!.planes[0]!.data)).toBeLessThanOrEqual(1)
    expect(markedPreview(new TextEncoder().encode('<html>'))).toBeUndefined()
    expect(markedPreview(new Uint8Array())).toBeUndefined()
  })
})

import type { Picture } from '../src/index.ts'

/** A deterministic generator of numbers in 0..1 (mulberry32). */
export function generator(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** How a test picture is made. */
export interface Recipe {
  readonly width?: number
  readonly height?: number
  readonly seed: number
  /** Standard deviation of the noise at 1 sample. */
  readonly noise?: number
  readonly samples?: number
  readonly gain?: number
  /** Shifts the content, in pixels. */
  readonly shift?: number
}

/** A smooth picture with a disc and Gaussian noise (12 uniforms), whose variance falls with the samples as a path tracer's does. */
export function picture(recipe: Recipe): Picture {
  const { width = 192, height = 120, seed, noise = 0.2, samples = 16, gain = 1, shift = 0 } = recipe
  const random = generator(seed * 7919 + 13)
  const colour = [0, 1, 2].map((c) => {
    const plane = new Float32Array(width * height)
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const disc = Math.hypot(x - width / 2 - shift, y - height / 2) < height / 3 ? 0.2 : 0
        let sum = -6
        for (let k = 0; k < 12; k++) sum += random()
        plane[y * width + x] = (0.25 + (0.3 * x) / width + disc * (1 - 0.2 * c)) * gain + (noise / Math.sqrt(samples)) * sum
      }
    }
    return plane
  })
  return { width, height, colour, raw: colour, hdr: false }
}

/** The same picture after `change` of each plane. */
export function changed(from: Picture, change: (plane: Float32Array, width: number, channel: number) => Float32Array): Picture {
  const colour = from.colour.map((plane, c) => change(plane, from.width, c))
  return { ...from, colour, raw: colour }
}

/** Mean of each pixel and its four neighbours. */
export function blurred(plane: Float32Array, width: number): Float32Array {
  return plane.map(
    (v, i) => (v + (plane[i - 1] ?? v) + (plane[i + 1] ?? v) + (plane[i - width] ?? v) + (plane[i + width] ?? v)) / 5,
  )
}

/** Paints a rectangle. */
export function painted(
  value: number,
  area: { x: number; y: number; width: number; height: number },
): (plane: Float32Array, width: number) => Float32Array {
  return (plane, width) => {
    const out = plane.slice()
    for (let y = area.y; y < area.y + area.height; y++) out.fill(value, y * width + area.x, y * width + area.x + area.width)
    return out
  }
}

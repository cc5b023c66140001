import { decodeImage } from '@pictor/image'
import { previewPng } from '../pictures/preview.ts'

/** Pixels of a small picture: rows of `[r, g, b]`, 0 to 255. */
type Pixels = readonly (readonly (readonly [number, number, number])[])[]

/**
 * A small picture as lines of a terminal with 24-bit colours: each cell is an upper half block, its colour one pixel and its background the pixel below. Undefined for
 * what is no picture. The picture keeps its shape; cells are taken as twice as high as wide.
 */
export function thumbnail(bytes: Uint8Array, columns: number): string[] | undefined {
  const pixels = shrunk(bytes, columns)
  if (!pixels) return undefined
  const lines: string[] = []
  for (let y = 0; y + 1 < pixels.length; y += 2) {
    const cells = pixels[y]!.map((upper, x) => `\u001B[38;2;${upper.join(';')};48;2;${pixels[y + 1]![x]!.join(';')}m▀`)
    lines.push(`${cells.join('')}\u001B[0m`)
  }
  return lines
}

/** Means of boxes: every pixel of the picture counts. */
function shrunk(bytes: Uint8Array, columns: number): Pixels | undefined {
  const png = previewPng(bytes)
  const part = png && decodeImage(png).parts[0]
  const [red, green, blue] = part ? colours(part.planes.map(({ data }) => data)) : []
  if (!part || !red || !green || !blue) return undefined
  const { width, height } = part
  const across = Math.min(columns, width)
  const down = 2 * Math.max(1, Math.round((height * across) / width / 2))
  return Array.from({ length: down }, (_, y) =>
    Array.from({ length: across }, (_, x) => {
      const box = {
        x0: Math.floor((x * width) / across),
        x1: Math.max(Math.floor((x * width) / across) + 1, Math.floor(((x + 1) * width) / across)),
        y0: Math.min(height - 1, Math.floor((y * height) / down)),
        y1: Math.min(height, Math.max(Math.floor((y * height) / down) + 1, Math.floor(((y + 1) * height) / down))),
      }
      const mean = (plane: ArrayLike<number>): number => {
        let sum = 0
        for (let py = box.y0; py < box.y1; py++) for (let px = box.x0; px < box.x1; px++) sum += plane[py * width + px]!
        return Math.round((255 * sum) / ((box.x1 - box.x0) * (box.y1 - box.y0)))
      }
      return [mean(red), mean(green), mean(blue)] as const
    }),
  )
}

function colours<T>(planes: readonly T[]): readonly (T | undefined)[] {
  return planes.length >= 3 ? planes.slice(0, 3) : [planes[0], planes[0], planes[0]]
}

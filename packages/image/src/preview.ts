import { decodeImage } from './decode.ts'
import { isImageError } from './error.ts'
import { encodePng } from './png/encode.ts'
import type { ImageFile, Plane } from './types.ts'

/** Columns of a preview: enough to see what is in a frame, too few to use it. */
const MAX_WIDTH = 192
/** Letters of the mark, 5 rows of 3 bits. */
const LETTERS: Readonly<Record<string, readonly number[]>> = {
  P: [0b110, 0b101, 0b110, 0b100, 0b100],
  R: [0b110, 0b101, 0b110, 0b101, 0b101],
  E: [0b111, 0b100, 0b110, 0b100, 0b111],
  V: [0b101, 0b101, 0b101, 0b101, 0b010],
  I: [0b111, 0b010, 0b010, 0b010, 0b111],
  W: [0b101, 0b101, 0b101, 0b111, 0b101],
}
const WORD = 'PREVIEW'

/**
 * A small PNG of a PNG or EXR picture, at most 192 pixels wide, marked by stripes and the word PREVIEW; EXR is tone-mapped. Undefined for what cannot be decoded.
 * The same bytes give the same preview.
 */
export function markedPreview(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return shrunkAndMarked(decodeImage(bytes))
  } catch (error) {
    if (isImageError(error)) return undefined
    throw error
  }
}

function shrunkAndMarked(image: ImageFile): Uint8Array | undefined {
  const part = image.parts[0]
  const colour = part && colourOf(part.planes)
  if (!part || !colour) return undefined
  const step = Math.max(2, Math.ceil(part.width / MAX_WIDTH))
  const [width, height] = [Math.max(1, Math.floor(part.width / step)), Math.max(1, Math.floor(part.height / step))]
  const marked = markOf(width, height)
  const out = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      colour.forEach(({ data }, channel) => {
        let sum = 0
        let count = 0
        for (let v = y * step; v < Math.min(part.height, (y + 1) * step); v++)
          for (let u = x * step; u < Math.min(part.width, (x + 1) * step); u++, count++) sum += data[v * part.width + u] ?? 0
        const shown = count === 0 ? 0 : image.format === 'exr' ? toneMapped(sum / count) : sum / count
        const mark = marked(x, y)
        out[(y * width + x) * 3 + channel] = Math.round(
          255 * Math.min(1, Math.max(0, mark === undefined ? shown : 0.45 * shown + 0.55 * mark)),
        )
      })
  return encodePng(width, height, 3, out, { text: { Comment: 'preview' } })
}

/** Full-size red, green and blue, or one gray thrice. */
function colourOf(planes: readonly Plane[]): readonly Plane[] | undefined {
  const whole = planes.filter(({ xSampling = 1, ySampling = 1 }) => xSampling === 1 && ySampling === 1)
  const plane = (channel: string): Plane | undefined =>
    whole.find(({ name }) => name === channel) ?? whole.find(({ name }) => name.endsWith(`.${channel}`))
  const gray = plane('Y') ?? whole[0]
  const found = ['R', 'G', 'B'].map((channel) => plane(channel) ?? gray)
  return found.every((one) => one !== undefined) ? found : undefined
}

/** Reinhard's x / (1 + x), then the sRGB curve (IEC 61966-2-1). */
function toneMapped(linear: number): number {
  const x = linear > 0 ? linear / (1 + linear) : 0
  return x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055
}

/** How bright the mark is at a pixel, undefined where there is none: stripes over all, the word across the middle. */
function markOf(width: number, height: number): (x: number, y: number) => number | undefined {
  const size = Math.max(1, Math.floor(width / (4 * WORD.length + 4)))
  const left = Math.floor((width - (4 * WORD.length - 1) * size) / 2)
  const top = Math.floor((height - 5 * size) / 2)
  return (x, y) => {
    const [column, row] = [Math.floor((x - left) / size), Math.floor((y - top) / size)]
    const bits = row >= 0 && row < 5 && column >= 0 ? LETTERS[WORD[Math.floor(column / 4)] ?? '']?.[row] : undefined
    if (bits !== undefined && column % 4 < 3 && (bits >> (2 - (column % 4))) & 1) return 1
    return (x + y) % 12 === 0 ? 0 : undefined
  }
}

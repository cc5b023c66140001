import { encodePng } from '@pictor/image'
import type { Picture } from '../compare/picture.ts'

/** A small PNG of a picture, at most `maxWidth` pixels wide, shrunk by a whole factor through block means. HDR pictures appear in the encoded domain of the statistics. */
export function thumbnail(picture: Picture, maxWidth = 240): Uint8Array {
  const step = Math.max(1, Math.ceil(picture.width / maxWidth))
  const width = Math.max(1, Math.floor(picture.width / step))
  const height = Math.max(1, Math.floor(picture.height / step))
  const out = new Uint8Array(width * height * 3)
  for (let c = 0; c < 3; c++) {
    const plane = picture.colour[Math.min(c, picture.colour.length - 1)]!
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0
        let count = 0
        for (let v = y * step; v < Math.min(picture.height, (y + 1) * step); v++) {
          for (let u = x * step; u < Math.min(picture.width, (x + 1) * step); u++) {
            sum += plane[v * picture.width + u]!
            count++
          }
        }
        out[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, Math.round((255 * sum) / count)))
      }
    }
  }
  return encodePng(width, height, 3, out)
}

import type { Region } from '@pictor/core/contract'

/** Rows of a strip: two more than are compared, since the border sees other neighbours. */
const ROWS = 8
/** Strips of pictures lower than {@link TALL}, and of others. */
const FEW = 2
const MANY = 4
const TALL = 720

/**
 * Strips across the whole width at equal distances, the first at a height that the draw's number gives. What is rectangular, a tile, a mark, an object, touches one of them by its
 * height alone: a strip of 8 rows meets a tile of 64 pixels in 1080 rows four times as often as a square crop of the same area, and strips half a picture apart meet all that is half as high as it.
 */
export function stripsOf(
  { width, height }: { readonly width: number; readonly height: number },
  renderSeed: number,
): readonly Region[] {
  const count = height < TALL ? FEW : MANY
  const apart = Math.floor(height / count)
  if (apart < ROWS) return []
  // The number's leading digits; its last ones draw whole frames and probes.
  const first = Math.floor((renderSeed / 2 ** 31) * apart)
  return Array.from({ length: count }, (_, i) => ({ x: 0, y: Math.min(height - ROWS, first + i * apart), width, height: ROWS }))
}

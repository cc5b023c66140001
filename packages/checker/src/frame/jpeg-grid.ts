/** Share of strong high coefficients on JPEG's grid over that on other grids, and how many standard errors lie between them; of the classes of {@link CLASSES} the one that shows it least. */
export interface JpegGrid {
  readonly ratio: number
  readonly errors: number
}

/** Takes the luma of a picture's rows from the top down. */
export interface JpegGridMeter {
  /** Whether the coming row is looked at. */
  readonly wants: boolean
  /** Luma in 8-bit levels; undefined for a row that is not looked at. */
  next(luma: Float32Array | undefined): void
  finish(): JpegGrid
}

/** About so many blocks are looked at on each grid: enough for a standard error below 1 %. */
const MOST_BLOCKS = 4096
/** The grid at the corner, which JPEG uses, and grids far from it and from each other to compare with. */
const GRIDS: readonly (readonly [number, number])[] = [
  [0, 0],
  [4, 4],
  [3, 5],
  [5, 2],
]
/**
 * Blocks of the other grids lie across a corner of JPEG's grid. They are counted by whether its column and row are even or odd: edges of tiles or pixel art of 16 pixels lie on every
 * second line of the grid, and JPEG's seams on each.
 */
const CLASSES = 4
/** Rows that the blocks of all grids take: 8, and the farthest grid's 5. */
const STRIP = 13

/**
 * JPEG (ITU-T T.81) rounds the DCT coefficients of each 8 x 8 block of its grid to multiples of a step, most high ones to zero, and they are still near zero when the file
 * is decoded again; on any other grid they are not. Compares the share of high coefficients of at least one level on the grid at the corner with other grids, in strips
 * spread over the picture.
 */
export function jpegGridMeter(width: number, height: number): JpegGridMeter {
  const strips = Math.max(0, Math.floor((height - STRIP) / 8) + 1)
  // Odd, so that strips lie on even and odd rows of the grid.
  const every = Math.ceil((strips * Math.floor((width - 5) / 8)) / MOST_BLOCKS) | 1
  const ring = Array.from({ length: STRIP }, () => new Float32Array(width))
  const own = { strong: 0, count: 0 }
  const others = Array.from({ length: CLASSES }, () => ({ strong: 0, count: 0 }))
  let y = 0
  /** The strips start at multiples of 8 x every rows. */
  const inStrip = (row: number): boolean => row % (8 * every) < STRIP || every === 1
  return {
    get wants() {
      return inStrip(y)
    },
    next: (luma) => {
      if (luma) ring[y % STRIP]!.set(luma)
      const top = y - STRIP + 1
      if (top >= 0 && top % (8 * every) === 0) {
        const rows = Array.from({ length: STRIP }, (_, i) => ring[(top + i) % STRIP]!)
        GRIDS.forEach(([x0, y0], grid) => {
          for (let x = x0; x + 8 <= width; x += 8) {
            const counts = grid === 0 ? own : others[((x >> 3) & 1) + 2 * ((top >> 3) & 1)]!
            counts.strong += strongCoefficients(rows, x, y0)
            counts.count += COEFFICIENTS
          }
        })
      }
      y++
    },
    finish: () => {
      const share = own.strong / Math.max(1, own.count)
      return others
        .filter(({ count }) => count > 0)
        .map(({ strong, count }): JpegGrid => {
          const rest = strong / count
          const error = Math.sqrt((rest * (1 - rest)) / count)
          return { ratio: rest > 0 ? share / rest : 1, errors: error > 0 ? (rest - share) / error : 0 }
        })
        .reduce((p, q) => ({ ratio: Math.max(p.ratio, q.ratio), errors: Math.min(p.errors, q.errors) }), NO_GRID)
    },
  }
}

const NO_GRID: JpegGrid = { ratio: 0, errors: Infinity }

/**
 * DCT-II of 8 points, orthonormal, by halves: coefficients of even order come from the sums of mirrored points, those of odd order from their differences. `EVEN[u / 2]` and
 * `ODD[(u - 1) / 2]` are the four factors of each.
 */
const basis = (u: number): Float64Array =>
  Float64Array.from({ length: 4 }, (_, x) => (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16))
const EVEN: readonly Float64Array[] = [0, 2, 4, 6].map(basis)
const ODD: readonly Float64Array[] = [1, 3, 5, 7].map(basis)
/** Coefficients of a block with u + v >= 6. */
const COEFFICIENTS = 43

const across = new Float64Array(64)
const line = new Float64Array(8)

/** How many of a block's coefficients with u + v >= 6 have a magnitude of at least one level. */
function strongCoefficients(rows: readonly Float32Array[], x0: number, y0: number): number {
  for (let y = 0; y < 8; y++) {
    transform(rows[y0 + y]!, x0)
    for (let u = 0; u < 8; u++) across[u * 8 + y] = line[u]!
  }
  let strong = 0
  for (let u = 0; u < 8; u++) {
    transform(across, u * 8)
    for (let v = Math.max(0, 6 - u); v < 8; v++) if (Math.abs(line[v]!) >= 1) strong++
  }
  return strong
}

/** Writes the DCT of 8 points from `at` on to `line`. */
function transform(points: Float32Array | Float64Array, at: number): void {
  const a = points[at]!
  const b = points[at + 1]!
  const c = points[at + 2]!
  const d = points[at + 3]!
  const e = points[at + 7]!
  const f = points[at + 6]!
  const g = points[at + 5]!
  const h = points[at + 4]!
  for (let k = 0; k < 4; k++) {
    const even = EVEN[k]!
    const odd = ODD[k]!
    line[2 * k] = even[0]! * (a + e) + even[1]! * (b + f) + even[2]! * (c + g) + even[3]! * (d + h)
    line[2 * k + 1] = odd[0]! * (a - e) + odd[1]! * (b - f) + odd[2]! * (c - g) + odd[3]! * (d - h)
  }
}

/** Share of strong high coefficients on JPEG's grid over that on other grids, and how many standard errors lie between them. */
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
/** Rows that the blocks of all grids take: 8, and the farthest grid's 5. */
const STRIP = 13

/**
 * JPEG (ITU-T T.81) rounds the DCT coefficients of each 8 x 8 block of its grid to multiples of a step, most high ones to zero, and they are still near zero when the file
 * is decoded again; on any other grid they are not. Compares the share of high coefficients of at least one level on the grid at the corner with other grids, in strips
 * spread over the picture.
 */
export function jpegGridMeter(width: number, height: number): JpegGridMeter {
  const strips = Math.max(0, Math.floor((height - STRIP) / 8) + 1)
  const every = Math.max(1, Math.ceil((strips * Math.floor((width - 5) / 8)) / MOST_BLOCKS))
  const ring = Array.from({ length: STRIP }, () => new Float32Array(width))
  const strong = GRIDS.map(() => 0)
  const count = GRIDS.map(() => 0)
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
            strong[grid] = strong[grid]! + strongCoefficients(rows, x, y0)
            count[grid] = count[grid]! + COEFFICIENTS
          }
        })
      }
      y++
    },
    finish: () => {
      const shares = strong.map((n, grid) => n / Math.max(1, count[grid]!))
      const rest = shares.slice(1).reduce((sum, share) => sum + share, 0) / (shares.length - 1)
      const error = Math.sqrt((rest * (1 - rest)) / Math.max(1, count[0]!))
      return { ratio: rest > 0 ? shares[0]! / rest : 1, errors: error > 0 ? (rest - shares[0]!) / error : 0 }
    },
  }
}

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

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

/** DCT-II basis of 8 points, orthonormal. */
const BASIS: readonly Float64Array[] = Array.from({ length: 8 }, (_, u) =>
  Float64Array.from(
    { length: 8 },
    (_unused, x) => (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16),
  ),
)
/** Coefficients of a block with u + v >= 6. */
const COEFFICIENTS = 43

const across = new Float64Array(64)

/** How many of a block's coefficients with u + v >= 6 have a magnitude of at least one level. */
function strongCoefficients(rows: readonly Float32Array[], x0: number, y0: number): number {
  for (let y = 0; y < 8; y++) {
    const row = rows[y0 + y]!
    for (let u = 0; u < 8; u++) {
      const basis = BASIS[u]!
      let sum = 0
      for (let x = 0; x < 8; x++) sum += basis[x]! * row[x0 + x]!
      across[y * 8 + u] = sum
    }
  }
  let strong = 0
  for (let u = 0; u < 8; u++) {
    for (let v = Math.max(0, 6 - u); v < 8; v++) {
      const basis = BASIS[v]!
      let sum = 0
      for (let y = 0; y < 8; y++) sum += basis[y]! * across[y * 8 + u]!
      if (Math.abs(sum) >= 1) strong++
    }
  }
  return strong
}

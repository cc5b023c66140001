/**
 * Undoes OpenEXR's two-dimensional Haar wavelet (ImfWav.cpp) in place on a grid of `width` x `height` values that lie
 * `stepX` and `stepY` apart from `start`. Values below 2^14 use plain sums, others sums modulo 2^16.
 */
export function waveletDecode(
  data: Uint16Array,
  start: number,
  width: number,
  stepX: number,
  height: number,
  stepY: number,
  max: number,
): void {
  const smaller = Math.min(width, height)
  let step = 1
  while (step <= smaller) step <<= 1
  step >>= 1
  const small = max < 1 << 14
  for (let two = step, one = step >> 1; one >= 1; two = one, one >>= 1) {
    if (small) level14(data, start, width, stepX, height, stepY, one, two)
    else level16(data, start, width, stepX, height, stepY, one, two)
  }
}

function level14(d: Uint16Array, start: number, nx: number, ox: number, ny: number, oy: number, p: number, p2: number): void {
  const right = ox * p
  const down = oy * p
  let y = 0
  for (; y + p2 <= ny; y += p2) {
    let x = 0
    let at = start + y * oy
    for (; x + p2 <= nx; x += p2, at += ox * p2) {
      // The four of a square: low of both, horizontal, vertical and diagonal differences, as signed 16 bits.
      const ll = (d[at]! << 16) >> 16
      const hl = (d[at + right]! << 16) >> 16
      const lh = (d[at + down]! << 16) >> 16
      const hh = (d[at + down + right]! << 16) >> 16
      const i00 = ll + (lh & 1) + (lh >> 1)
      const i10 = i00 - lh
      const i01 = hl + (hh & 1) + (hh >> 1)
      const i11 = i01 - hh
      const a = i00 + (i01 & 1) + (i01 >> 1)
      const b = i10 + (i11 & 1) + (i11 >> 1)
      d[at] = a
      d[at + right] = a - i01
      d[at + down] = b
      d[at + down + right] = b - i11
    }
    if (nx & p) pair14(d, at, at + down)
  }
  if (ny & p) {
    let at = start + y * oy
    for (let x = 0; x + p2 <= nx; x += p2, at += ox * p2) pair14(d, at, at + right)
  }
}

function pair14(d: Uint16Array, at: number, other: number): void {
  const low = (d[at]! << 16) >> 16
  const high = (d[other]! << 16) >> 16
  const a = low + (high & 1) + (high >> 1)
  d[at] = a
  d[other] = a - high
}

const OFFSET = 1 << 15

function level16(d: Uint16Array, start: number, nx: number, ox: number, ny: number, oy: number, p: number, p2: number): void {
  const right = ox * p
  const down = oy * p
  let y = 0
  for (; y + p2 <= ny; y += p2) {
    let x = 0
    let at = start + y * oy
    for (; x + p2 <= nx; x += p2, at += ox * p2) {
      pair16(d, at, at + down)
      pair16(d, at + right, at + down + right)
      pair16(d, at, at + right)
      pair16(d, at + down, at + down + right)
    }
    if (nx & p) pair16(d, at, at + down)
  }
  if (ny & p) {
    let at = start + y * oy
    for (let x = 0; x + p2 <= nx; x += p2, at += ox * p2) pair16(d, at, at + right)
  }
}

function pair16(d: Uint16Array, at: number, other: number): void {
  const mean = d[at]!
  const difference = d[other]!
  const b = (mean - (difference >> 1)) & 0xffff
  d[other] = b
  d[at] = difference + b - OFFSET
}

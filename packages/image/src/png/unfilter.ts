import { ImageError } from '../error.ts'

/**
 * Undoes the row filters of one pass in place (PNG specification 9.2). `data` holds rows of a filter byte and `rowBytes`
 * bytes each, from `start`; `pixelBytes` is the distance to the pixel on the left, at least 1.
 * @throws ImageError `bad-data` for a filter type above 4.
 */
export function unfilter(data: Uint8Array, start: number, rows: number, rowBytes: number, pixelBytes: number): void {
  const stride = rowBytes + 1
  for (let row = 0; row < rows; row++) {
    const at = start + row * stride + 1
    const filter = data[at - 1]!
    const end = at + rowBytes
    // The row above the first is all zero: Up does nothing, Paeth is Sub, Average halves the left pixel only.
    if (filter === 0) continue
    if (filter === 1 || (filter === 4 && row === 0)) undoSub(data, at, end, pixelBytes)
    else if (filter === 2) undoUp(data, at, row > 0 ? end : at, stride)
    else if (filter === 3 && row === 0) undoAverageFirst(data, at, end, pixelBytes)
    else if (filter === 3) undoAverage(data, at, end, pixelBytes, stride)
    else if (filter === 4) undoPaeth(data, at, end, pixelBytes, stride)
    else throw new ImageError('bad-data', `row filter is ${filter}, expected 0 to 4`, { chunk: 'IDAT', row })
  }
}

function undoSub(data: Uint8Array, at: number, end: number, pixelBytes: number): void {
  for (let i = at + pixelBytes; i < end; i++) data[i] = data[i]! + data[i - pixelBytes]!
}

function undoUp(data: Uint8Array, at: number, end: number, stride: number): void {
  for (let i = at; i < end; i++) data[i] = data[i]! + data[i - stride]!
}

function undoAverageFirst(data: Uint8Array, at: number, end: number, pixelBytes: number): void {
  for (let i = at + pixelBytes; i < end; i++) data[i] = data[i]! + (data[i - pixelBytes]! >> 1)
}

function undoAverage(data: Uint8Array, at: number, end: number, pixelBytes: number, stride: number): void {
  const first = Math.min(end, at + pixelBytes)
  for (let i = at; i < first; i++) data[i] = data[i]! + (data[i - stride]! >> 1)
  for (let i = first; i < end; i++) data[i] = data[i]! + ((data[i - pixelBytes]! + data[i - stride]!) >> 1)
}

/**
 * Paeth, one byte lane of the pixel at a time: left and upper-left stay in registers, so each byte costs one load of the
 * row above and one of its own.
 */
function undoPaeth(data: Uint8Array, at: number, end: number, pixelBytes: number, stride: number): void {
  const lanes = Math.min(pixelBytes, end - at)
  for (let lane = 0; lane < lanes; lane++) {
    let left = 0
    let upLeft = 0
    for (let i = at + lane; i < end; i += pixelBytes) {
      const up = data[i - stride]!
      const toUp = up - upLeft
      const toLeft = left - upLeft
      const fromLeft = toUp < 0 ? -toUp : toUp
      const fromUp = toLeft < 0 ? -toLeft : toLeft
      const both = toUp + toLeft
      const fromUpLeft = both < 0 ? -both : both
      const predicted = fromLeft <= fromUp && fromLeft <= fromUpLeft ? left : fromUp <= fromUpLeft ? up : upLeft
      left = (data[i]! + predicted) & 255
      data[i] = left
      upLeft = up
    }
  }
}

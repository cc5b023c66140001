/** Bits of a positive infinite half; above it (without the sign) are NaNs. */
export const HALF_INFINITY = 0x7c00

let table: Uint32Array | undefined

/** The 65,536 halves as float32 bits: exact, payloads of NaNs kept (IEEE 754-2019 binary16 to binary32). */
export function halfToFloatBits(): Uint32Array {
  return (table ??= buildTable())
}

/** The same table seen as numbers. */
export function halfToFloat(): Float32Array {
  return new Float32Array(halfToFloatBits().buffer)
}

function buildTable(): Uint32Array {
  const out = new Uint32Array(65536)
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16
    const exponent = (half >>> 10) & 31
    const mantissa = half & 0x3ff
    if (exponent === 31) out[half] = sign | 0x7f800000 | (mantissa << 13)
    else if (exponent > 0) out[half] = sign | ((exponent + 112) << 23) | (mantissa << 13)
    else if (mantissa === 0) out[half] = sign
    else {
      // A subnormal half is a normal float: shift until the leading one is the hidden bit.
      const shift = Math.clz32(mantissa) - 21
      out[half] = sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)
    }
  }
  return out
}

/** Rounds float32 bits to the nearest half, ties to even; NaNs keep the top ten bits of their payload. */
export function floatBitsToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude >= 0x7f800000) {
    if (magnitude === 0x7f800000) return sign | HALF_INFINITY
    const payload = (magnitude >>> 13) & 0x3ff
    return sign | HALF_INFINITY | (payload === 0 ? 1 : payload)
  }
  // 65520 and above rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | HALF_INFINITY
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
    return sign | ((rounded - 0x38000000) >>> 13)
  }
  // Below 2^-14: a subnormal half counts units of 2^-24; below half a unit it is zero.
  if (magnitude < 0x33000000) return sign
  const shift = 126 - (magnitude >>> 23)
  const mantissa = (magnitude & 0x7fffff) | 0x800000
  const rounded = mantissa >>> shift
  const rest = mantissa & ((1 << shift) - 1)
  const tie = 1 << (shift - 1)
  return sign | (rounded + (rest > tie || (rest === tie && (rounded & 1) === 1) ? 1 : 0))
}

const scratchFloat = new Float32Array(1)
const scratchBits = new Uint32Array(scratchFloat.buffer)

/** Rounds a number to the nearest half (through float32), ties to even. */
export function numberToHalf(value: number): number {
  scratchFloat[0] = value
  return floatBitsToHalf(scratchBits[0]!)
}

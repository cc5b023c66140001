import { ImageError, type ImageErrorWhere } from './error.ts'
import type { DecodeLimits } from './types.ts'

/** {@link DecodeLimits} with the defaults filled in. */
export type Limits = Required<Omit<DecodeLimits, 'expected'>> & Pick<DecodeLimits, 'expected'>

/** Most that deflate can expand: 258 bytes by two bits (zlib technical notes, "Maximum Compression Factor"). */
const DEFLATE_MAX_RATIO = 1032

/** Fills in the default limits. */
export function withDefaults(limits: DecodeLimits = {}): Limits {
  return {
    maxPixels: limits.maxPixels ?? 2 ** 28,
    maxBytes: limits.maxBytes ?? 2 ** 31,
    maxChannels: limits.maxChannels ?? 1024,
    ...(limits.expected ? { expected: limits.expected } : {}),
  }
}

/** Throws `limit` where `value` is above `max`. */
export function checkLimit(what: string, value: number, max: number, where?: ImageErrorWhere): void {
  if (value > max) throw new ImageError('limit', `${what} is ${value}, the limit is ${max}`, where)
}

/** Throws `size-mismatch` where the display size is not the ordered one. */
export function checkExpected(width: number, height: number, limits: Limits): void {
  const { expected } = limits
  if (expected && (expected.width !== width || expected.height !== height)) {
    throw new ImageError(
      'size-mismatch',
      `the picture is ${width} x ${height}, ordered was ${expected.width} x ${expected.height}`,
    )
  }
}

/** Refuses an inflated size that `compressed` bytes of deflate cannot hold, before that size is allocated. */
export function checkDeflateRatio(compressed: number, inflated: number, where: ImageErrorWhere): void {
  if (inflated > compressed * DEFLATE_MAX_RATIO) {
    throw new ImageError('bad-length', `${compressed} compressed bytes cannot hold the ${inflated} that the header needs`, where)
  }
}

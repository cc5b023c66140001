/**
 * What is wrong with the bytes of an image. A checker turns each code into a finding of its own.
 *
 * - `empty`: no bytes at all.
 * - `not-an-image`: the signature is of no format read here.
 * - `truncated`: the file ends before something it declares.
 * - `bad-header`: a header field is impossible or contradicts another.
 * - `bad-order`: chunks appear in an order the format forbids.
 * - `bad-crc`: a PNG chunk's checksum differs.
 * - `bad-length`: a declared or inflated length differs from what the picture needs.
 * - `bad-data`: compressed pixel data cannot be decoded.
 * - `missing-data`: a chunk or tile is absent (offset zero), as in an unfinished render.
 * - `unsupported`: well formed as far as read, but not read by this package (deep data, HTJ2K, JPEG without sharp).
 * - `limit`: larger than the caller's limits, found before any allocation of that size.
 * - `size-mismatch`: the display size differs from `limits.expected`.
 * - `unreadable`: the file could not be opened, or its reader ended or ran out of time (only from `scanFiles`).
 * - `bad-argument`: a caller's mistake, such as a pixel array of the wrong length given to an encoder.
 */
export type ImageErrorCode =
  | 'empty'
  | 'not-an-image'
  | 'truncated'
  | 'bad-header'
  | 'bad-order'
  | 'bad-crc'
  | 'bad-length'
  | 'bad-data'
  | 'missing-data'
  | 'unsupported'
  | 'limit'
  | 'size-mismatch'
  | 'unreadable'
  | 'bad-argument'

/** Where in the file a fault was found; each field only where it is known. */
export interface ImageErrorWhere {
  /** Byte offset from the start of the file. */
  readonly offset?: number
  /** PNG chunk type, or the index of an EXR chunk in its part's offset table. */
  readonly chunk?: string | number
  /** Index of the EXR part. */
  readonly part?: number
  /** First row of the damaged region, 0 at the top of the data window. */
  readonly row?: number
  /** Name of the header field or channel. */
  readonly field?: string
}

/** The only error this package throws on purpose: a code to act on, and a message with what was expected and found. */
export class ImageError extends Error {
  /** Brand read by {@link isImageError}; a string, so that it holds across two copies of the package. */
  readonly '~pictor-image' = 'error' as const
  readonly code: ImageErrorCode
  readonly where: ImageErrorWhere

  constructor(code: ImageErrorCode, message: string, where: ImageErrorWhere = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ImageError'
    this.code = code
    this.where = where
  }
}

/** Tells an {@link ImageError}, also one of another copy of this package, optionally of one code. */
export function isImageError(error: unknown, code?: ImageErrorCode): error is ImageError {
  if (typeof error !== 'object' || error === null) return false
  const candidate = error as { readonly '~pictor-image'?: unknown; readonly code?: unknown }
  return candidate['~pictor-image'] === 'error' && (code === undefined || candidate.code === code)
}

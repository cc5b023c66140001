import { isImageError, type ImageErrorCode } from '../src/index.ts'

/** The code that a call is refused with. */
export const codeOf = (run: () => unknown): ImageErrorCode | 'none' => {
  try {
    run()
  } catch (error) {
    if (isImageError(error)) return error.code
    throw error
  }
  return 'none'
}

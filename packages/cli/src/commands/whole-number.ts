import { PictorError } from '@pictor/core'

/** The value of a numeric option. @throws invalid-input naming the option */
export function wholeNumber(name: string, text: string, least = 1): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= least) return value
  throw new PictorError('invalid-input', `--${name}: expected a whole number from ${least}, found ${text}`, {
    details: { path: name },
  })
}

import { canonicalJson } from '@pictor/core/contract'

/** Prints one JSON object a line; bigints as decimal strings. */
export function jsonLines(stream: { write(text: string): unknown }): (value: object) => void {
  return (value) => void stream.write(`${canonicalJson(value)}\n`)
}

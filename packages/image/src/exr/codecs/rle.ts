import { ImageError, type ImageErrorWhere } from '../../error.ts'

/**
 * Expands OpenEXR's run lengths (ImfRle.cpp) into `out`, which they must fill exactly: a negative count copies that many
 * bytes, another repeats the next byte count + 1 times.
 * @throws ImageError `bad-data`, `bad-length`.
 */
export function expandRuns(input: Uint8Array, out: Uint8Array, where: ImageErrorWhere): void {
  let from = 0
  let to = 0
  while (from < input.length) {
    const count = (input[from++]! << 24) >> 24
    const length = count < 0 ? -count : count + 1
    const source = count < 0 ? length : 1
    if (from + source > input.length) throw new ImageError('bad-data', 'a run passes the end of the chunk', where)
    if (to + length > out.length) throw new ImageError('bad-length', `runs expand to more than ${out.length} bytes`, where)
    if (count < 0) out.set(input.subarray(from, from + length), to)
    else out.fill(input[from]!, to, to + length)
    from += source
    to += length
  }
  if (to !== out.length) throw new ImageError('bad-length', `runs expand to ${to} bytes, the pixels take ${out.length}`, where)
}

/**
 * The few WebAssembly instructions that the kernels beside this file need, as functions that return their bytes, and the
 * module around them. Written out here, so that no binary has to be trusted (WebAssembly core specification 2.0, section 5).
 */

/** Encoded instructions. */
export type Code = readonly number[]

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const out: number[] = []
  let rest = value >>> 0
  do {
    out.push((rest & 127) | (rest > 127 ? 128 : 0))
    rest >>>= 7
  } while (rest > 0)
  return out
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const out: number[] = []
  for (let rest = value | 0; ;) {
    const low = rest & 127
    rest >>= 7
    const done = (rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0)
    out.push(done ? low : low | 128)
    if (done) return out
  }
}

export const get = (local: number): Code => [0x20, ...unsigned(local)]
export const set = (local: number): Code => [0x21, ...unsigned(local)]
export const tee = (local: number): Code => [0x22, ...unsigned(local)]
export const int = (value: number): Code => [0x41, ...signed(value)]
export const add: Code = [0x6a]
export const lessUnsigned: Code = [0x49]
export const popcnt: Code = [0x69]
export const loadInt = (offset: number): Code => [0x28, 2, ...unsigned(offset)]
export const storeInt = (offset: number): Code => [0x36, 2, ...unsigned(offset)]
export const storeByte: Code = [0x3a, 0, 0]

const simd =
  (opcode: number) =>
  (...rest: number[]): Code => [0xfd, ...unsigned(opcode), ...rest]

/** Reads or writes 16 bytes; the address may have any alignment. */
export const load16 = (offset: number): Code => simd(0x00)(0, ...unsigned(offset))
export const store16 = (offset: number): Code => simd(0x0b)(0, ...unsigned(offset))
/** Sixteen lanes picked from the 32 bytes of two operands. */
export const shuffle = (lane: (index: number) => number): Code =>
  simd(0x0d)(...Array.from({ length: 16 }, (_, index) => lane(index)))
export const splatBytes: Code = simd(0x0f)()
export const splatShorts: Code = simd(0x10)()
export const zero16: Code = simd(0x0c)(...Array.from({ length: 16 }, () => 0))
export const firstInt: Code = simd(0x1b)(0)
export const addBytes: Code = simd(0x6e)()
export const addInts: Code = simd(0xae)()
export const xor: Code = simd(0x51)()
export const or: Code = simd(0x50)()
export const and: Code = simd(0x4e)()
/** First operand without the bits of the second. */
export const andNot: Code = simd(0x4f)()
export const anyTrue: Code = simd(0x53)()
export const pairsOfBytes: Code = simd(0x7d)()
export const pairsOfShorts: Code = simd(0x7f)()
/** Signed comparisons of 16-bit lanes: all ones where they hold. */
export const lessShorts: Code = simd(0x2f)()
export const moreShorts: Code = simd(0x31)()
export const bitmaskShorts: Code = simd(0x84)()

/** Repeats `body` while it leaves a value that is not zero. */
export const loop = (...body: Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b]
/** Runs `body` where the value on the stack is not zero. */
export const when = (...body: Code[]): Code => [0x04, 0x40, ...body.flat(), 0x0b]

/** A function of `params` integers, with more integer and 16-byte locals after them. */
export interface KernelFunction {
  readonly name: string
  readonly params: number
  readonly returns: boolean
  readonly ints: number
  readonly vectors: number
  readonly body: readonly Code[]
}

const section = (id: number, items: readonly Code[]): Code => {
  const content = [...unsigned(items.length), ...items.flat()]
  return [id, ...unsigned(content.length), ...content]
}
const text = (value: string): Code => [...unsigned(value.length), ...Buffer.from(value)]

/** "\\0asm" and version 1. */
const MAGIC: Code = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** Encodes a module that imports its memory as `pictor.memory` and exports the functions. */
export function assemble(functions: readonly KernelFunction[]): Uint8Array<ArrayBuffer> {
  const bodies = functions.map(({ ints, vectors, body }) => {
    const code = [2, ...unsigned(ints), 0x7f, ...unsigned(vectors), 0x7b, ...body.flat(), 0x0b]
    return [...unsigned(code.length), ...code]
  })
  return Uint8Array.from([
    ...MAGIC,
    ...section(
      1,
      functions.map(({ params, returns }) => [
        0x60,
        params,
        ...Array.from({ length: params }, () => 0x7f),
        ...(returns ? [1, 0x7f] : [0]),
      ]),
    ),
    ...section(2, [[...text('pictor'), ...text('memory'), 2, 0, 1]]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]),
    ),
    ...section(10, bodies),
  ])
}

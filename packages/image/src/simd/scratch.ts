import { assemble } from './assemble.ts'
import { KERNELS } from './kernels.ts'

/** The kernels, see `kernels.ts`; addresses are byte offsets into the memory. */
export interface Kernels {
  byteSum(at: number, end: number): number
  reconstruct(low: number, lowEnd: number, high: number, out: number, lowCarry: number, highCarry: number): void
  scanShorts(row: number, end: number, first: number, mask: number, used: number): number
  countHalves(
    r: number,
    g: number,
    b: number,
    greenEnd: number,
    counts: number,
    blackEnd: number,
    lowEnd: number,
    high: number,
    top: number,
  ): void
}

/** A piece of memory shared with the kernels. It is one per thread and reused: nothing in it survives the next band. */
export interface Scratch {
  readonly kernels: Kernels
  readonly memory: WebAssembly.Memory
}

/** Bands above this size stay in plain memory. */
const MAX_BAND = 1 << 23
/** Below this size the kernels save nothing. */
const MIN_BAND = 1 << 16
/** Bytes before the band: counters and tile flags. */
export const FLAGS_AT = 64
export const MAX_FLAGS: number = 4096 - FLAGS_AT
const BAND_AT = 4096

let scratch: Scratch | undefined
let unavailable = false

/** Undefined on processors without 128-bit vectors; everything then runs in plain JavaScript. */
function start(): Scratch | undefined {
  const code = assemble(KERNELS)
  unavailable = !WebAssembly.validate(code)
  if (unavailable) return undefined
  const memory = new WebAssembly.Memory({ initial: 1 })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { pictor: { memory } })
  return { kernels: exports as unknown as Kernels, memory }
}

/** A buffer for decoded rows: in the kernels' memory where that helps, with as much room again behind it for the input. */
export function bandBuffer(bytes: number): Uint8Array {
  if (unavailable || bytes < MIN_BAND || bytes > MAX_BAND) return new Uint8Array(bytes)
  scratch ??= start()
  if (!scratch) return new Uint8Array(bytes)
  const missing = BAND_AT + 2 * (bytes + 64) - scratch.memory.buffer.byteLength
  if (missing > 0) scratch.memory.grow(Math.ceil(missing / 65536))
  return new Uint8Array(scratch.memory.buffer, BAND_AT, bytes)
}

/** The kernels' memory, where `bytes` lies in it. */
export function scratchOf(bytes: { readonly buffer: ArrayBufferLike }): Scratch | undefined {
  return scratch !== undefined && bytes.buffer === scratch.memory.buffer ? scratch : undefined
}

/** Copies compressed input behind a band and returns its address. */
export function placeInput({ memory }: Scratch, band: Uint8Array, input: Uint8Array): number {
  const at = (band.byteOffset + band.length + 15) & ~15
  new Uint8Array(memory.buffer, at, input.length).set(input)
  return at
}

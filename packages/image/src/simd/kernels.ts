import {
  add,
  addBytes,
  addInts,
  and,
  andNot,
  anyTrue,
  bitmaskShorts,
  firstInt,
  get,
  int,
  lessShorts,
  lessUnsigned,
  load16,
  loadInt,
  loop,
  moreShorts,
  or,
  pairsOfBytes,
  pairsOfShorts,
  popcnt,
  set,
  shuffle,
  splatBytes,
  splatShorts,
  store16,
  storeByte,
  storeInt,
  tee,
  when,
  xor,
  zero16,
  type Code,
  type KernelFunction,
} from './assemble.ts'

/** Adds to each byte the sum of those before it in the same vector: four doubling shifts. */
const prefixSum = (local: number, zero: number): Code =>
  [1, 2, 4, 8].flatMap((by) => [
    ...get(zero),
    ...get(local),
    ...shuffle((lane) => 16 - by + lane),
    ...get(local),
    ...addBytes,
    ...set(local),
  ])

/** byteSum(at, end): sum of the bytes between, a multiple of 16. */
const byteSum: KernelFunction = {
  name: 'byteSum',
  params: 2,
  returns: true,
  ints: 0,
  vectors: 1,
  body: [
    loop(
      get(0),
      load16(0),
      pairsOfBytes,
      pairsOfShorts,
      get(2),
      addInts,
      set(2),
      get(0),
      int(16),
      add,
      tee(0),
      get(1),
      lessUnsigned,
    ),
    // Folds the four sums into the first.
    [...get(2), ...get(2), ...get(2), ...shuffle((lane) => (lane + 8) & 15), ...addInts, ...set(2)],
    [...get(2), ...get(2), ...get(2), ...shuffle((lane) => (lane + 4) & 15), ...addInts, ...firstInt],
  ],
}

/**
 * reconstruct(low, lowEnd, high, out, lowCarry, highCarry): the predictor and interleave of `predictor.ts` on vectors of 16
 * bytes; the caller finishes what is left of the halves.
 */
const reconstruct: KernelFunction = {
  name: 'reconstruct',
  params: 6,
  returns: false,
  ints: 0,
  vectors: 6,
  // Locals: 6 low, 7 high, 8 low carry, 9 high carry, 10 zero, 11 sign bits.
  body: [
    [...zero16, ...set(10), ...int(128), ...splatBytes, ...set(11)],
    [...get(4), ...splatBytes, ...set(8), ...get(5), ...splatBytes, ...set(9)],
    loop(
      [...get(0), ...load16(0), ...get(11), ...xor, ...set(6), ...get(2), ...load16(0), ...get(11), ...xor, ...set(7)],
      prefixSum(6, 10),
      prefixSum(7, 10),
      [...get(6), ...get(8), ...addBytes, ...set(6), ...get(7), ...get(9), ...addBytes, ...set(7)],
      [...get(6), ...get(6), ...shuffle(() => 15), ...set(8), ...get(7), ...get(7), ...shuffle(() => 15), ...set(9)],
      [...get(3), ...get(6), ...get(7), ...shuffle((lane) => (lane >> 1) + (lane & 1 ? 16 : 0)), ...store16(0)],
      [...get(3), ...get(6), ...get(7), ...shuffle((lane) => 8 + (lane >> 1) + (lane & 1 ? 16 : 0)), ...store16(16)],
      [...get(3), ...int(32), ...add, ...set(3), ...get(2), ...int(16), ...add, ...set(2)],
      [...get(0), ...int(16), ...add, ...tee(0), ...get(1), ...lessUnsigned],
    ),
  ],
}

/** Takes eight samples of a tile into locals 6 (bits set) and 7 (bits that differ from local 8). */
const gather = (offset: number): number[] => {
  const bits = [...get(0), ...load16(offset), ...tee(10), ...get(6), ...or, ...set(6)]
  const differences = [...get(10), ...get(8), ...xor, ...get(7), ...or, ...set(7)]
  return [...bits, ...differences]
}

/**
 * scanShorts(row, end, first, mask, used): looks at a row of 16-bit samples in tiles of 64. Sets the byte of each tile that
 * has anything but zeros under the mask; returns bit 0 for any such tile and bit 1 where a sample differs from `first`.
 */
const scanShorts: KernelFunction = {
  name: 'scanShorts',
  params: 5,
  returns: true,
  ints: 1,
  vectors: 5,
  // Locals: 5 result, 6 tile's bits, 7 differences, 8 first, 9 mask, 10 sample.
  body: [
    [...get(2), ...splatShorts, ...set(8), ...get(3), ...splatShorts, ...set(9)],
    loop(
      [...zero16, ...set(6)],
      [0, 16, 32, 48, 64, 80, 96, 112].flatMap((offset) => gather(offset)),
      [...get(6), ...get(9), ...and, ...anyTrue],
      when([...get(4), ...int(1), ...storeByte, ...int(1), ...set(5)]),
      [...get(4), ...int(1), ...add, ...set(4)],
      [...get(0), ...int(128), ...add, ...tee(0), ...get(1), ...lessUnsigned],
    ),
    [...get(7), ...anyTrue],
    when([...get(5), ...int(2), ...add, ...set(5)]),
    get(5),
  ],
}

/**
 * countHalves(r, g, b, end of g, counts, black end, low end, high, top): adds the black pixels of rows of halves to the
 * first integer at `counts` and the magenta ones to the second; the rules of `pixels.ts`, eight pixels at a time.
 */
const countHalves: KernelFunction = {
  name: 'countHalves',
  params: 9,
  returns: false,
  ints: 0,
  vectors: 9,
  // Locals: 9 red, 10 green, 11 blue, 12 black, 13 black end, 14 low end, 15 high, 16 top + 1, 17 magnitude bits.
  body: [
    ...[5, 6, 7, 8].map((param): Code => [...get(param), ...splatShorts, ...set(param + 8)]),
    [...int(0x7fff), ...splatShorts, ...set(17)],
    loop(
      // Signed comparison: negative halves are below every positive one.
      [...get(1), ...load16(0), ...tee(10), ...get(14), ...lessShorts, ...anyTrue],
      when(
        [...get(0), ...load16(0), ...set(9), ...get(2), ...load16(0), ...set(11)],
        [...get(9), ...get(17), ...and, ...get(13), ...lessShorts],
        [...get(10), ...get(17), ...and, ...get(13), ...lessShorts, ...and],
        [...get(11), ...get(17), ...and, ...get(13), ...lessShorts, ...and, ...set(12)],
        [...get(4), ...get(4), ...loadInt(0), ...get(12), ...bitmaskShorts, ...popcnt, ...add, ...storeInt(0)],
        [...get(4), ...get(4), ...loadInt(4)],
        [...get(10), ...get(14), ...lessShorts, ...get(10), ...get(17), ...and, ...get(16), ...lessShorts, ...and],
        [...get(9), ...get(15), ...moreShorts, ...and, ...get(9), ...get(16), ...lessShorts, ...and],
        [...get(11), ...get(15), ...moreShorts, ...and, ...get(11), ...get(16), ...lessShorts, ...and],
        [...get(12), ...andNot, ...bitmaskShorts, ...popcnt, ...add, ...storeInt(4)],
      ),
      [...get(0), ...int(16), ...add, ...set(0), ...get(2), ...int(16), ...add, ...set(2)],
      [...get(1), ...int(16), ...add, ...tee(1), ...get(3), ...lessUnsigned],
    ),
  ],
}

/** All kernels, in the order of the module. */
export const KERNELS: readonly KernelFunction[] = [byteSum, reconstruct, scanShorts, countHalves]

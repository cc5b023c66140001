import { decodeImage, isImageError, pixelHash, readImageInfo, scanImage, verifyImage, type DecodeLimits } from '../src/index.ts'
import { fuzzSeeds, type Seed } from './fuzz-seeds.ts'
import { createDraw, mutate } from './mutate.ts'

/** What a run of damaged files showed. */
export interface FuzzReport {
  readonly files: number
  /** Files that still decoded (damage in padding, metadata or unprotected pixels). */
  readonly decoded: number
  readonly codes: Readonly<Record<string, number>>
  /** Broken promises, with the seed and number that bring them back. */
  readonly failures: readonly string[]
  readonly slowestMs: number
}

/** Limits of a run: generous beside the seeds' few kilobytes, small enough to show an allocation by declared size. */
export const FUZZ_LIMITS: DecodeLimits = { maxPixels: 2 ** 22, maxBytes: 2 ** 24, maxChannels: 64 }

/** Longest processor time for info, statistics and decoding of one damaged file together. */
const MAX_MS = 1000

/** Damages the seeds `files` times from number `from` on and holds every promise of the decoders against each. */
export function fuzz(files: number, from = 0, seeds: readonly Seed[] = fuzzSeeds()): FuzzReport {
  const codes: Record<string, number> = {}
  const failures: string[] = []
  let decoded = 0
  let slowestMs = 0
  for (let number = from; number < from + files; number++) {
    const seed = seeds[number % seeds.length]!
    const bytes = mutate(seed.bytes, createDraw(number + 1))
    // Processor time, so that a busy machine does not make a file slow.
    const start = process.cpuUsage()
    const outcome = judge(bytes)
    const { user, system } = process.cpuUsage(start)
    const ms = (user + system) / 1000
    slowestMs = Math.max(slowestMs, ms)
    if (outcome.failure) failures.push(`${seed.name} number ${number}: ${outcome.failure}`)
    if (ms > MAX_MS) failures.push(`${seed.name} number ${number}: took ${Math.round(ms)} ms`)
    if (outcome.code) codes[outcome.code] = (codes[outcome.code] ?? 0) + 1
    else decoded++
  }
  return { files, decoded, codes, failures, slowestMs }
}

/** Runs all four readers; they must agree on the verdict, the pixels and the error. */
function judge(bytes: Uint8Array): { readonly code?: string; readonly failure?: string } {
  const readers = [readImageInfo, scanImage, decodeImage, verifyImage]
  const [info, stats, image, verified] = readers.map((read) => attempt(() => read(bytes, FUZZ_LIMITS)))
  for (const result of [info!, stats!, image!, verified!]) if (result.crash) return { failure: result.crash }
  if (stats!.code !== image!.code) return { failure: `scanImage says ${stats!.code}, decodeImage ${image!.code}` }
  if (verified!.code !== image!.code) return { failure: `verifyImage says ${verified!.code}, decodeImage ${image!.code}` }
  if (info!.code && info!.code !== image!.code) return { failure: `readImageInfo says ${info!.code}, decodeImage ${image!.code}` }
  if (image!.code) return { code: image!.code }
  const found = (stats!.value as ReturnType<typeof scanImage>).pixelHash
  const hash = pixelHash(image!.value as ReturnType<typeof decodeImage>)
  return found === hash ? {} : { failure: `pixel hash ${found} against ${hash}` }
}

function attempt(run: () => unknown): { readonly value?: unknown; readonly code?: string; readonly crash?: string } {
  try {
    return { value: run() }
  } catch (error) {
    return isImageError(error)
      ? { code: error.code }
      : { crash: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

/** Sums two reports. */
export function mergeReports(a: FuzzReport, b: FuzzReport): FuzzReport {
  const codes = { ...a.codes }
  for (const [code, count] of Object.entries(b.codes)) codes[code] = (codes[code] ?? 0) + count
  return {
    files: a.files + b.files,
    decoded: a.decoded + b.decoded,
    codes,
    failures: [...a.failures, ...b.failures],
    slowestMs: Math.max(a.slowestMs, b.slowestMs),
  }
}

import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** A frame's identity in a sequence. */
export interface HashedFrame {
  readonly frame: number
  readonly pixelHash: string
}

/** Frames expected and delivered. */
export interface Coverage {
  readonly missing: readonly number[]
  readonly extra: readonly number[]
  /** Delivered more than once. */
  readonly repeated: readonly number[]
}

/** Which frames are missing, which nobody ordered, which came twice. */
export function checkCoverage(expected: readonly number[], delivered: readonly number[]): Coverage {
  const wanted = new Set(expected)
  const seen = new Set<number>()
  const repeated = new Set<number>()
  for (const frame of delivered) {
    if (seen.has(frame)) repeated.add(frame)
    seen.add(frame)
  }
  return {
    missing: expected.filter((frame) => !seen.has(frame)),
    extra: [...seen].filter((frame) => !wanted.has(frame)).sort((a, b) => a - b),
    repeated: [...repeated].sort((a, b) => a - b),
  }
}

/**
 * Suspects frames whose pixels are exactly those of another frame: a copy, however it was encoded. A static shot repeats honestly, which only the order or a
 * reference can tell. The first frame of a group is the original and stays without finding.
 */
export function findDuplicates(frames: readonly HashedFrame[], legitStatic: boolean): ReadonlyMap<number, WeighedFinding> {
  const first = new Map<string, number>()
  const findings = new Map<number, WeighedFinding>()
  if (legitStatic) return findings
  for (const { frame, pixelHash } of [...frames].sort((a, b) => a.frame - b.frame)) {
    const original = first.get(pixelHash)
    if (original === undefined) first.set(pixelHash, frame)
    else if (original !== frame) {
      const message = `every pixel equals frame ${original}, and the order names no still frames`
      findings.set(frame, finding('suspect', 'duplicate-frame', message, { value: 0, threshold: 0 }))
    }
  }
  return findings
}

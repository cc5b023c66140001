import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { invalid } from '../contract/error.ts'
import type { Bytes32, SeedReveal } from '../contract/messages.ts'
import type { Region } from '../contract/task.ts'
import { bytes32, concat, fromHex, int32, toHex, uint, utf8 } from './bytes.ts'
import { keccakBytes } from './hash.ts'
import { merkleProof, merkleRoot, verifyProof } from './merkle.ts'

/** A checker's seed of one lease. */
export interface LeaseSeed {
  readonly lease: number
  readonly seed: Bytes32
}

/**
 * A checker's seed of a lease: HKDF-SHA256 (RFC 5869) of its secret, with the job as salt and the lease in the info. It need not be stored.
 * @throws invalid-input when the secret is shorter than 32 bytes
 */
export function seedOf(secret: Uint8Array | `0x${string}`, job: Bytes32, lease: number): Bytes32 {
  const key = typeof secret === 'string' ? fromHex(secret, 'secret') : secret
  if (key.length < 32) throw invalid('secret', 'at least 32 bytes', `${key.length} bytes`)
  return toHex(hkdf(sha256, key, bytes32(job, 'job'), concat(utf8('Pictor seed'), uint(lease, 4, 'lease')), 32))
}

/** The seeds of several leases. */
export function seedsOf(secret: Uint8Array | `0x${string}`, job: Bytes32, leases: readonly number[]): LeaseSeed[] {
  return leases.map((lease) => ({ lease, seed: seedOf(secret, job, lease) }))
}

/** Leaf of a seed in a Ready's seedRoot: keccak256(0x04, lease, seed). */
export function seedLeaf({ lease, seed }: LeaseSeed): Bytes32 {
  return toHex(keccakBytes(concat(Uint8Array.of(4), uint(lease, 4, 'lease'), bytes32(seed, 'seed'))))
}

function inOrder(seeds: readonly LeaseSeed[]): LeaseSeed[] {
  return [...seeds].sort((a, b) => a.lease - b.lease)
}

/** The Ready's seedRoot: the tree over the seeds of the set's leases in order of lease id. */
export function seedRootOf(seeds: readonly LeaseSeed[]): Bytes32 {
  return merkleRoot(inOrder(seeds).map(seedLeaf))
}

/** Path of one lease's seed to the seedRoot. @throws invalid-input when there is none for that lease */
export function seedProof(seeds: readonly LeaseSeed[], lease: number): Bytes32[] {
  const ordered = inOrder(seeds)
  const index = ordered.findIndex((seed) => seed.lease === lease)
  if (index < 0) throw invalid('lease', `one of ${seeds.length} leases with a seed`, lease)
  return merkleProof(ordered.map(seedLeaf), index)
}

/** Whether a revealed seed is the one that the Ready committed to. */
export function verifySeed(seedRoot: Bytes32, reveal: SeedReveal): boolean {
  return verifyProof(seedRoot, seedLeaf(reveal), reveal.proof)
}

/** What a draw needs to know; sizes in pixels of the delivered picture. */
export interface DrawOptions {
  readonly width: number
  readonly height: number
  readonly cropWidth: number
  readonly cropHeight: number
  /** Share of frames that are sampled, 0..1000. */
  readonly samplingPerMille: number
  /** How many crops a sampled frame gets; 1 when left out, at most 64. They may overlap. */
  readonly crops?: number
}

/** What a seed says about one frame. */
export interface Draw {
  /** Whether this frame is compared with the checker's own render. */
  readonly sampled: boolean
  /** The first crop (the whole picture when the crop is as large). Drawn for frames that are not sampled too. */
  readonly region: Region
  /** All crops; `region` is the first. */
  readonly regions: readonly Region[]
  /** Render seed of the checker's own crops, 0..2^31-1, where the check class allows another seed. */
  readonly renderSeed: number
}

/**
 * The draw of one frame: HKDF-SHA256 with the checker's seed as key, the outputRoot of the commitment that holds the frame as salt and the frame in the info.
 * Anyone can repeat it once the seed is revealed. Every number is uniform: 32-bit words that would favour small results are thrown away.
 * @throws invalid-input when the crop does not fit the picture
 */
export function draw(seed: Bytes32, outputRoot: Bytes32, frame: number, options: DrawOptions): Draw {
  const { width, height, samplingPerMille, crops = 1 } = options
  for (const name of ['width', 'height', 'cropWidth', 'cropHeight'] as const)
    if (!Number.isInteger(options[name]) || options[name] < 1 || options[name] > 2 ** 20)
      throw invalid(name, 'a whole number of pixels from 1', options[name])
  if (!Number.isInteger(samplingPerMille) || samplingPerMille < 0 || samplingPerMille > 1000)
    throw invalid('samplingPerMille', 'a whole number from 0 to 1000', samplingPerMille)
  if (!Number.isInteger(crops) || crops < 1 || crops > 64) throw invalid('crops', 'a whole number from 1 to 64', crops)
  const below = uniform(seed, outputRoot, frame)
  const cropWidth = Math.min(options.cropWidth, width)
  const cropHeight = Math.min(options.cropHeight, height)
  const sampled = below(1000) < samplingPerMille
  const renderSeed = below(2 ** 31)
  const regions = Array.from({ length: crops }, () => ({
    x: below(width - cropWidth + 1),
    y: below(height - cropHeight + 1),
    width: cropWidth,
    height: cropHeight,
  }))
  return { sampled, region: regions[0]!, regions, renderSeed }
}

/** A stream of uniform integers: rejection sampling over HKDF blocks of eight words. */
function uniform(seed: Bytes32, outputRoot: Bytes32, frame: number): (bound: number) => number {
  const key = bytes32(seed, 'seed')
  const salt = bytes32(outputRoot, 'outputRoot')
  let block = 0
  let words: DataView | undefined
  let at = 32
  return (bound) => {
    const limit = Math.floor(2 ** 32 / bound) * bound
    for (;;) {
      if (at === 32 || !words) {
        const info = concat(utf8('Pictor draw'), int32(frame, 4, 'frame'), uint(block++, 4, 'block'))
        words = new DataView(hkdf(sha256, key, salt, info, 32).buffer)
        at = 0
      }
      const value = words.getUint32(at)
      at += 4
      if (value < limit) return value % bound
    }
  }
}

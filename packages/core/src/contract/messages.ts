/** The signed messages of PROTOCOL.md, as plain data. Their digests (EIP-712), trees and signatures are made in `proof`. */
import type { SealKey } from './sealing.ts'

/** `0x` and 40 lower-case hex digits. */
export type Address = `0x${string}`
/** `0x` and 64 lower-case hex digits. */
export type Bytes32 = `0x${string}`
/** `0x` and hex digits: a 65-byte secp256k1 signature r ‖ s ‖ v, or what an ERC-1271 wallet accepts. */
export type Signature = `0x${string}`

/** The EIP-712 domain of a ledger. A local ledger has chain id 0 and the last 20 bytes of keccak256(the app's public key). */
export interface LedgerDomain {
  readonly name: 'Pictor'
  readonly version: '1'
  readonly chainId: number
  readonly verifyingContract: Address
}

/** How frames of a lease can be checked; fixed by inspection before the lease is signed. Order is the wire code (0..3). */
export type CheckClass = 'crop' | 'sidecar' | 'replica' | 'file-only'
export const CHECK_CLASSES: readonly CheckClass[] = ['crop', 'sidecar', 'replica', 'file-only']

/** Order is the wire code (0..2). */
export type Verdict = 'accept' | 'refuse' | 'unsure'
export const VERDICTS: readonly Verdict[] = ['accept', 'refuse', 'unsure']

/** What a creator locks money for. Only its hash is stored on chain; every call passes it again. Amounts in the token's smallest unit, times in Unix seconds. */
export interface Terms {
  readonly creator: Address
  readonly runId: Bytes32
  /** The ERC-20 of the job; the zero address on the local ledger. */
  readonly token: Address
  readonly farmBudget: bigint
  readonly checkBudget: bigint
  /** The most that one frame may be paid. */
  readonly frameCap: bigint
  /** Fee for checking one frame, split over the votes in a batch. */
  readonly checkFee: bigint
  readonly specHash: Bytes32
  readonly bundleRoot: Bytes32
  /** Hash of estimate, prices, rate and expiry. */
  readonly quoteHash: Bytes32
  /** Ascending, without repetition. Empty when `registryDraw` says how many the registry draws. */
  readonly checkers: readonly Address[]
  /** 0: the named checkers; otherwise how many the registry draws at open. */
  readonly registryDraw: number
  readonly quorum: number
  readonly arbiter: Address
  /** A hot key that allocates leases and can never withdraw. */
  readonly leaseKey: Address
  readonly platform: Address
  /** Basis points of farm pay that go to the platform, 0..3000. */
  readonly platformFeeBps: number
  readonly recordMode: 'full' | 'root'
  /** deadline < attestBy < attestBy + claimTime < refundAfter. */
  readonly deadlineAtS: number
  readonly attestByS: number
  readonly claimTimeS: number
  readonly refundAfterS: number
  /** How long a batch waits for disputes; 0 is for development. */
  readonly disputeWindowS: number
  /** How long an arbiter may take. */
  readonly resolveByS: number
}

/** One task given to one farm at a fixed price. Weights split the price over the frames. */
export interface Lease {
  readonly id: number
  /** The key that signs the lease, its commitments and its cancel. */
  readonly farm: Address
  readonly payTo: Address
  readonly price: bigint
  /** Ascending frame numbers, at most 1,000; a split frame names parts of it instead. */
  readonly frames: readonly number[]
  /** One positive integer a frame, in the order of `frames`; their sum is the weightSum on chain. */
  readonly weights: readonly number[]
  /** Which part of a split frame this lease renders; 0 is the whole frame. */
  readonly part: number
  readonly checkClass: CheckClass
  readonly commitByS: number
  /** The lease this one hedges; 0 when it is no hedge (lease ids start at 1). */
  readonly hedgeOf: number
}

export interface LeaseSet {
  readonly job: Bytes32
  readonly seq: number
  /** Merkle root over the leaves of the set's leases, in order of id. */
  readonly setRoot: Bytes32
  /** By the leaseKey. Set 0 is signed by opening the job and needs none. */
  readonly signature?: Signature
  /** Where the creator replaced the leaseKey of the terms: the key that signed this set. Whether it still counts the ledger says. */
  readonly keyChange?: LeaseKeyChange
}

/** The creator's word, by signature over LeaseKey(job, leaseKey), that this key signs the job's lease sets from now on. */
export interface LeaseKeyChange {
  readonly leaseKey: Address
  readonly signature: Signature
}

/** What a farm is handed to prove that a lease is real: the lease, its set, its path, and the quorum that saw the set. */
export interface LeaseTicket {
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly job: Bytes32
  readonly lease: Lease
  readonly set: LeaseSet
  readonly proof: readonly Bytes32[]
  readonly ready: readonly Ready[]
  /** Keys that outputs can be sealed to: of the checkers that gave one when the job was ordered. */
  readonly sealKeys?: readonly SealKey[]
}

/** A checker holds the bundle, saw every lease set so far and found the budget sufficient. `seedRoot` commits to its secret seed of each lease in the set. */
export interface Ready {
  readonly job: Bytes32
  readonly seq: number
  readonly setRoot: Bytes32
  readonly bundleRoot: Bytes32
  readonly seedRoot: Bytes32
  readonly checker: Address
  readonly signature: Signature
}

/** One finished frame as the farm commits to it. `outputHash` is sha256 of the delivered bytes (several files: of their sorted manifest). */
export interface FrameOutput {
  readonly frame: number
  readonly part: number
  readonly outputHash: Bytes32
  readonly completedAtMs: number
}

/** The farm's commitment to outputs of a lease; each frame once a lease, in as many parts (index from 0) as the farm likes. */
export interface Commit {
  readonly job: Bytes32
  readonly lease: number
  readonly index: number
  /** Merkle root over `outputs`. */
  readonly outputRoot: Bytes32
  readonly outputs: readonly FrameOutput[]
  readonly signature: Signature
}

/** The farm's last word on a lease that was canceled: it commits to nothing beyond `outputRoot` (the root of all outputs it had, zero hash for none). */
export interface CanceledLease {
  readonly job: Bytes32
  readonly lease: number
  readonly outputRoot: Bytes32
  readonly signature: Signature
}

/** A checker holds bytes that match a commitment. */
export interface Held {
  readonly job: Bytes32
  readonly lease: number
  readonly outputRoot: Bytes32
  readonly checker: Address
  readonly signature: Signature
}

/** One checker's word on one frame. `score` 0..1000, 1000 = no doubt. `cropsHash` commits to the checker's own renders (zero hash when it made none). */
export interface Vote {
  readonly job: Bytes32
  readonly lease: number
  readonly frame: number
  readonly part: number
  readonly outputHash: Bytes32
  /** Whether this frame was drawn for a render comparison; otherwise only file and sequence checks were made. */
  readonly checked: boolean
  readonly verdict: Verdict
  readonly score: number
  readonly cropsHash: Bytes32
  readonly checker: Address
  readonly signature: Signature
}

/** The checker's seed of a lease, revealed with its votes; `proof` leads to the seedRoot of its Ready. */
export interface SeedReveal {
  readonly lease: number
  readonly seed: Bytes32
  readonly proof: readonly Bytes32[]
  readonly checker: Address
}

/** One frame in a batch: the merged verdict. Missing frames are recorded as refused with a zero hash. */
export interface FrameRecord {
  readonly frame: number
  readonly part: number
  readonly outputHash: Bytes32
  readonly completedAtMs: number
  readonly verdict: Verdict
  readonly checked: boolean
  /** Lowest revealed score, 0..1000. */
  readonly score: number
}

/** A whole lease as it is attested. */
export interface LeaseResult {
  readonly lease: Lease
  /** Which lease set it belongs to. */
  readonly seq: number
  readonly records: readonly FrameRecord[]
  /** Sum of the weights of accepted and (under `unsure`/`file-only` rules) provisionally accepted frames. */
  readonly acceptedWeight: number
  /** Votes each checker gave on this lease: the split of the check fee. */
  readonly votes: readonly { readonly checker: Address; readonly count: number }[]
}

/** Whole leases settled together. `batchHash` covers every field of every result; `validUntilS` ends its signatures. */
export interface Batch {
  readonly job: Bytes32
  readonly results: readonly LeaseResult[]
  readonly batchHash: Bytes32
  readonly validUntilS: number
}

export interface CheckerSignature {
  readonly checker: Address
  readonly signature: Signature
}

/** Signs EIP-712 digests. An ethers `SigningKey` or a remote signer process fits behind it in three lines. */
export interface DigestSigner {
  readonly address: Address
  signDigest(digest: Bytes32): Promise<Signature>
}

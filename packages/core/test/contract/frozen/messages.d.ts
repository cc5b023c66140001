export type Address = `0x${string}`
export type Bytes32 = `0x${string}`
export type Signature = `0x${string}`
export interface LedgerDomain {
  readonly name: 'Pictor'
  readonly version: '1'
  readonly chainId: number
  readonly verifyingContract: Address
}
export type CheckClass = 'crop' | 'sidecar' | 'replica' | 'file-only'
export declare const CHECK_CLASSES: readonly CheckClass[]
export type Verdict = 'accept' | 'refuse' | 'unsure'
export declare const VERDICTS: readonly Verdict[]
export interface Terms {
  readonly creator: Address
  readonly runId: Bytes32
  readonly token: Address
  readonly farmBudget: bigint
  readonly checkBudget: bigint
  readonly frameCap: bigint
  readonly checkFee: bigint
  readonly specHash: Bytes32
  readonly bundleRoot: Bytes32
  readonly quoteHash: Bytes32
  readonly checkers: readonly Address[]
  readonly registryDraw: number
  readonly quorum: number
  readonly arbiter: Address
  readonly leaseKey: Address
  readonly platform: Address
  readonly platformFeeBps: number
  readonly recordMode: 'full' | 'root'
  readonly deadlineAtS: number
  readonly attestByS: number
  readonly claimTimeS: number
  readonly refundAfterS: number
  readonly disputeWindowS: number
  readonly resolveByS: number
}
export interface Lease {
  readonly id: number
  readonly farm: Address
  readonly payTo: Address
  readonly price: bigint
  readonly frames: readonly number[]
  readonly weights: readonly number[]
  readonly part: number
  readonly checkClass: CheckClass
  readonly commitByS: number
  readonly hedgeOf: number
}
export interface LeaseSet {
  readonly job: Bytes32
  readonly seq: number
  readonly setRoot: Bytes32
  readonly signature?: Signature
}
export interface LeaseTicket {
  readonly domain: LedgerDomain
  readonly terms: Terms
  readonly job: Bytes32
  readonly lease: Lease
  readonly set: LeaseSet
  readonly proof: readonly Bytes32[]
  readonly ready: readonly Ready[]
}
export interface Ready {
  readonly job: Bytes32
  readonly seq: number
  readonly setRoot: Bytes32
  readonly bundleRoot: Bytes32
  readonly seedRoot: Bytes32
  readonly checker: Address
  readonly signature: Signature
}
export interface FrameOutput {
  readonly frame: number
  readonly part: number
  readonly outputHash: Bytes32
  readonly completedAtMs: number
}
export interface Commit {
  readonly job: Bytes32
  readonly lease: number
  readonly index: number
  readonly outputRoot: Bytes32
  readonly outputs: readonly FrameOutput[]
  readonly signature: Signature
}
export interface CanceledLease {
  readonly job: Bytes32
  readonly lease: number
  readonly outputRoot: Bytes32
  readonly signature: Signature
}
export interface Held {
  readonly job: Bytes32
  readonly lease: number
  readonly outputRoot: Bytes32
  readonly checker: Address
  readonly signature: Signature
}
export interface Vote {
  readonly job: Bytes32
  readonly lease: number
  readonly frame: number
  readonly part: number
  readonly outputHash: Bytes32
  readonly checked: boolean
  readonly verdict: Verdict
  readonly score: number
  readonly cropsHash: Bytes32
  readonly checker: Address
  readonly signature: Signature
}
export interface SeedReveal {
  readonly lease: number
  readonly seed: Bytes32
  readonly proof: readonly Bytes32[]
  readonly checker: Address
}
export interface FrameRecord {
  readonly frame: number
  readonly part: number
  readonly outputHash: Bytes32
  readonly completedAtMs: number
  readonly verdict: Verdict
  readonly checked: boolean
  readonly score: number
}
export interface LeaseResult {
  readonly lease: Lease
  readonly seq: number
  readonly records: readonly FrameRecord[]
  readonly acceptedWeight: number
  readonly votes: readonly {
    readonly checker: Address
    readonly count: number
  }[]
}
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
export interface DigestSigner {
  readonly address: Address
  signDigest(digest: Bytes32): Promise<Signature>
}

import type { Address, Bytes32, Lease, Terms } from '@pictor/core/contract'
import { CHECK_CLASSES } from '@pictor/core/contract'
import { keccak256, settlePacked, toHex, type PackedBatch } from '@pictor/core/proof'
import { AbiCoder, Interface, getBytes } from 'ethers'
import { contracts } from './abi.ts'

/** The escrow's calls, events and errors. */
export const escrowAbi: Interface = new Interface(contracts.PictorEscrow.abi as never)
export const tokenAbi: Interface = new Interface(contracts.DevUsd.abi as never)
export const arbiterAbi: Interface = new Interface(contracts.OwnerArbiter.abi as never)

const TERMS =
  'tuple(address creator,bytes32 runId,address token,uint96 farmBudget,uint96 checkBudget,uint96 frameCap,uint96 checkFee,bytes32 specHash,' +
  'bytes32 bundleRoot,bytes32 quoteHash,address[] checkers,uint8 registryDraw,uint8 quorum,address arbiter,address leaseKey,address platform,' +
  'uint16 platformFeeBps,uint8 recordMode,uint40 deadline,uint40 attestBy,uint40 claimTime,uint40 refundAfter,uint40 disputeWindow,uint40 resolveBy)'
const coder = AbiCoder.defaultAbiCoder()

/** The names that the contract's struct has for the fields of {@link Terms}. */
export interface WireTerms {
  readonly [field: string]: unknown
}

/** Terms as the contract's struct. */
export function wireTerms(terms: Terms): WireTerms {
  return {
    ...terms,
    recordMode: terms.recordMode === 'full' ? 0 : 1,
    deadline: terms.deadlineAtS,
    attestBy: terms.attestByS,
    claimTime: terms.claimTimeS,
    refundAfter: terms.refundAfterS,
    disputeWindow: terms.disputeWindowS,
    resolveBy: terms.resolveByS,
  }
}

const lower = (value: unknown): Address => String(value).toLowerCase() as Address

/** Terms back from the data of the opening event. */
export function readTerms(data: string): Terms {
  const bytes = getBytes(data)
  const offset = new Uint8Array(32)
  offset[31] = 32
  const [t] = coder.decode([TERMS], toHex(Uint8Array.from([...offset, ...bytes]))) as unknown as [Record<string, unknown>]
  return {
    creator: lower(t['creator']),
    runId: t['runId'] as Bytes32,
    token: lower(t['token']),
    farmBudget: t['farmBudget'] as bigint,
    checkBudget: t['checkBudget'] as bigint,
    frameCap: t['frameCap'] as bigint,
    checkFee: t['checkFee'] as bigint,
    specHash: t['specHash'] as Bytes32,
    bundleRoot: t['bundleRoot'] as Bytes32,
    quoteHash: t['quoteHash'] as Bytes32,
    checkers: [...(t['checkers'] as string[])].map(lower),
    registryDraw: Number(t['registryDraw']),
    quorum: Number(t['quorum']),
    arbiter: lower(t['arbiter']),
    leaseKey: lower(t['leaseKey']),
    platform: lower(t['platform']),
    platformFeeBps: Number(t['platformFeeBps']),
    recordMode: Number(t['recordMode']) === 0 ? 'full' : 'root',
    deadlineAtS: Number(t['deadline']),
    attestByS: Number(t['attestBy']),
    claimTimeS: Number(t['claimTime']),
    refundAfterS: Number(t['refundAfter']),
    disputeWindowS: Number(t['disputeWindow']),
    resolveByS: Number(t['resolveBy']),
  }
}

/** What opens the commitment that the escrow stores for a job. */
export interface JobOpening {
  readonly terms: Terms
  readonly setRoot: Bytes32
  /** The drawn committee, ascending; empty for jobs that name their checkers. */
  readonly drawn: readonly Address[]
}

export function wireRef(opening: JobOpening): Record<string, unknown> {
  return { terms: wireTerms(opening.terms), setRoot: opening.setRoot, drawn: [...opening.drawn] }
}

/** The checkers that may sign for a job. */
export function committeeOf(opening: JobOpening): readonly Address[] {
  return opening.terms.registryDraw === 0 ? opening.terms.checkers : opening.drawn
}

export interface WireShare {
  readonly farm: Address
  readonly payTo: Address
  readonly price: bigint
  readonly gross: bigint
}

/** What a batch still has to release; the escrow stores its hash. */
export interface WirePinned {
  readonly token: Address
  readonly creator: Address
  readonly platform: Address
  readonly feeBps: number
  readonly releaseAt: number
  readonly approved: boolean
  readonly feeRefund: bigint
  readonly farms: readonly WireShare[]
  readonly checkers: readonly { readonly checker: Address; readonly amount: bigint }[]
}

/** An objection that waits for the arbiter; the escrow stores its hash. */
export interface WireObjection {
  readonly share: WireShare
  readonly by: Address
  readonly payer: Address
  readonly bond: bigint
  readonly until: number
  readonly claim: boolean
}

/** What `attest` pins for a batch, computed as the contract does. */
export function pinnedOf(opening: JobOpening, batch: PackedBatch, releaseAt: number): WirePinned {
  const { terms } = opening
  const settled = settlePacked(batch, terms, committeeOf(opening))
  return {
    token: terms.token,
    creator: terms.creator,
    platform: terms.platform,
    feeBps: terms.platformFeeBps,
    releaseAt,
    approved: false,
    feeRefund: settled.checkers.length === 0 ? settled.checkReserve : 0n,
    farms: settled.farms.map(({ farm, payTo, price, gross }) => ({ farm, payTo, price, gross })),
    checkers: settled.checkers,
  }
}

/** An objection as it comes out of an event. */
export function readObjection(value: Record<string, unknown>): WireObjection {
  const share = value['share'] as Record<string, unknown>
  return {
    share: {
      farm: lower(share['farm']),
      payTo: lower(share['payTo']),
      price: share['price'] as bigint,
      gross: share['gross'] as bigint,
    },
    by: lower(value['by']),
    payer: lower(value['payer']),
    bond: value['bond'] as bigint,
    until: Number(value['until']),
    claim: Boolean(value['claim']),
  }
}

function packed(values: readonly number[]): Bytes32 {
  const bytes = new Uint8Array(4 * values.length)
  const view = new DataView(bytes.buffer)
  for (const [i, value] of values.entries()) view.setInt32(4 * i, value | 0)
  return keccak256(bytes)
}

/** A lease in full, as a claim carries it. */
export function wireLease(lease: Lease): Record<string, unknown> {
  return {
    id: lease.id,
    farm: lease.farm,
    payTo: lease.payTo,
    price: lease.price,
    weightSum: lease.weights.reduce((sum, weight) => sum + weight, 0),
    frames: lease.frames.length,
    chunkHash: packed(lease.frames),
    weightsHash: packed(lease.weights),
    part: lease.part,
    checkClass: CHECK_CLASSES.indexOf(lease.checkClass),
    commitBy: lease.commitByS,
    hedgeOf: lease.hedgeOf,
  }
}

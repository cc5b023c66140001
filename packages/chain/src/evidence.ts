import type { Address, Bytes32 } from '@pictor/core/contract'
import { PictorError } from '@pictor/core/contract'
import { escrowJobSlots, headerRlp, keccak256, type ReceiptAnchor } from '@pictor/core/proof'
import type { Rpc } from './rpc.ts'

const word = (value: string): Bytes32 => `0x${value.slice(2).padStart(64, '0')}`

/** Header of a block and proof of the job's three slots in it: what makes a receipt verifiable against one trusted block hash. @throws ledger-unreachable */
export async function anchorOf(
  rpc: Rpc,
  place: { readonly chainId: number; readonly escrow: Address; readonly job: Bytes32; readonly block: number },
  signal?: AbortSignal,
): Promise<ReceiptAnchor> {
  const number = `0x${place.block.toString(16)}`
  const slots = escrowJobSlots(place.job)
  const block = await rpc.call<Record<string, unknown> & { hash: Bytes32 }>('eth_getBlockByNumber', [number, false], signal)
  const header = headerRlp(block)
  if (keccak256(header) !== block.hash)
    throw new PictorError('unsupported', `the header of block ${place.block} has fields that this version does not know`, {
      details: { hint: 'the chain has a newer fork; update @pictor/core' },
    })
  const found = await rpc.call<{
    accountProof: readonly `0x${string}`[]
    storageProof: readonly { key: string; value: string; proof: readonly `0x${string}`[] }[]
  }>('eth_getProof', [place.escrow, slots, number], signal)
  return {
    kind: 'evm',
    chainId: place.chainId,
    escrow: place.escrow,
    blockHash: block.hash,
    header,
    accountProof: found.accountProof,
    storageProof: slots.map((slot, i) => ({
      slot,
      value: word(found.storageProof[i]!.value),
      proof: found.storageProof[i]!.proof,
    })),
  }
}

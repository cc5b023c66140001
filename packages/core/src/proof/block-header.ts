import { invalid } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'
import { fromHex, toHex } from './bytes.ts'
import { keccak256 } from './hash.ts'
import { type Rlp, decodeRlp, encodeRlp } from './rlp.ts'

/** Fields of a block header in order of encoding; a fork only ever appends some (go-ethereum core/types/block.go; EIP-1559, 4895, 4844, 4788, 7685, 7928, 7843). */
const FIELDS: readonly { readonly name: string; readonly quantity?: true; readonly optional?: true }[] = [
  { name: 'parentHash' },
  { name: 'sha3Uncles' },
  { name: 'miner' },
  { name: 'stateRoot' },
  { name: 'transactionsRoot' },
  { name: 'receiptsRoot' },
  { name: 'logsBloom' },
  { name: 'difficulty', quantity: true },
  { name: 'number', quantity: true },
  { name: 'gasLimit', quantity: true },
  { name: 'gasUsed', quantity: true },
  { name: 'timestamp', quantity: true },
  { name: 'extraData' },
  { name: 'mixHash' },
  { name: 'nonce' },
  { name: 'baseFeePerGas', quantity: true, optional: true },
  { name: 'withdrawalsRoot', optional: true },
  { name: 'blobGasUsed', quantity: true, optional: true },
  { name: 'excessBlobGas', quantity: true, optional: true },
  { name: 'parentBeaconBlockRoot', optional: true },
  { name: 'requestsHash', optional: true },
  { name: 'blockAccessListHash', optional: true },
  { name: 'slotNumber', quantity: true, optional: true },
]

/** What a receipt needs of a header. */
export interface HeaderFacts {
  readonly hash: Bytes32
  readonly stateRoot: Bytes32
  readonly number: bigint
  readonly timestampS: bigint
}

/** Reads an RLP header of 15 or more fields; unknown later fields are carried by the hash alone. @throws invalid-input */
export function readHeader(rlp: `0x${string}`, path = 'header'): HeaderFacts {
  const bytes = fromHex(rlp, path)
  const fields = decodeRlp(bytes, path)
  if (fields instanceof Uint8Array || fields.length < 15) throw invalid(path, 'a header of 15 or more fields', fields.length)
  const field = (index: number): Uint8Array => {
    const value = fields[index]
    if (!(value instanceof Uint8Array)) throw invalid(`${path}.${FIELDS[index]!.name}`, 'bytes', 'a list')
    return value
  }
  if (field(3).length !== 32) throw invalid(`${path}.stateRoot`, '32 bytes', field(3).length)
  const quantity = (index: number): bigint => BigInt(field(index).length === 0 ? 0 : toHex(field(index)))
  return { hash: keccak256(bytes), stateRoot: toHex(field(3)), number: quantity(8), timestampS: quantity(11) }
}

/**
 * RLP of a header from the JSON that `eth_getBlockByNumber` gives. Optional fields are taken up to the first that is absent.
 * Compare the hash of the result with the block's: a fork that this version does not know would show there.
 * @throws invalid-input naming a missing field
 */
export function headerRlp(block: Readonly<Record<string, unknown>>): `0x${string}` {
  const fields: Rlp[] = []
  for (const { name, quantity, optional } of FIELDS) {
    const value = block[name]
    if (value === undefined || value === null) {
      if (optional) break
      throw invalid(`block.${name}`, '0x hex', value)
    }
    if (typeof value !== 'string') throw invalid(`block.${name}`, '0x hex', value)
    const digits = quantity ? value.slice(2).replace(/^0+/, '') : value.slice(2)
    fields.push(fromHex(`0x${digits.length % 2 ? '0' : ''}${digits}`, `block.${name}`))
  }
  return toHex(encodeRlp(fields))
}

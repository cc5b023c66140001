import { evmLedger } from '@pictor/chain'
import { PictorError, type Address } from '@pictor/core'
import { chainIdOf, openKeystore } from './compose.ts'
import { wholeNumber } from './commands/whole-number.ts'

/** Options of a service that follows the chain that it is paid on. */
export interface FollowOptions {
  readonly rpc?: string
  readonly escrow?: string
  readonly fromBlock?: string
  /** Key of the account that pays for gas, where the service posts. */
  readonly relayKeystore?: string
}

/** An escrow that a service follows. */
export interface FollowedChain {
  readonly ledger: ReturnType<typeof evmLedger>
  readonly rpcUrl: string
  readonly escrow: Address
  readonly chainId: number
  readonly fromBlock: number
}

/** The escrow of --rpc and --escrow, undefined without both. @throws invalid-input, ledger-unreachable */
export async function followedChain(
  { rpc, escrow, fromBlock = '0', relayKeystore }: FollowOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<FollowedChain | undefined> {
  if (rpc === undefined && escrow === undefined) return undefined
  if (rpc === undefined || escrow === undefined || !/^0x[0-9a-fA-F]{40}$/.test(escrow))
    throw new PictorError('invalid-input', 'a ledger is followed by --rpc URL and --escrow ADDRESS together', {
      details: { path: rpc === undefined ? 'rpc' : 'escrow' },
    })
  const chainId = await chainIdOf(rpc)
  const first = wholeNumber('from-block', fromBlock, 0)
  const address = escrow.toLowerCase() as Address
  const password = env.PICTOR_RELAY_PASSWORD ?? env.PICTOR_KEYSTORE_PASSWORD
  const relay = relayKeystore === undefined ? {} : { signer: await openKeystore(relayKeystore, password) }
  const ledger = evmLedger({ rpcUrl: rpc, escrow: address, chainId, fromBlock: first, ...relay })
  return { ledger, rpcUrl: rpc, escrow: address, chainId, fromBlock: first }
}

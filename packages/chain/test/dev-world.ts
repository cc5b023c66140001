// A development chain with a deployment, put back to its first state for every test.
import type { Address, DigestSigner } from '@pictor/core/contract'
import { Transaction, Wallet } from 'ethers'
import { type DevChain, type Deployment, type EvmSigner, deploy, devAccounts, startAnvil } from '../src/index.ts'
import { httpRpc, type Rpc } from '../src/rpc.ts'
import { createSender, type Sender } from '../src/sender.ts'
import { tokenAbi } from '../src/wire.ts'

export interface DevWorld {
  readonly rpcUrl: string
  readonly rpc: Rpc
  readonly chain: DevChain
  readonly deployment: Deployment
  senderOf(key: string): Sender
  /** A transaction signer made of a key that only signs digests. */
  signerOf(signer: DigestSigner): EvmSigner
  /** Gives accounts a million dollars and ether for gas. */
  fund(...accounts: readonly Address[]): Promise<void>
  nowS(): Promise<number>
  advance(seconds: number): Promise<void>
  mine(blocks: number): Promise<void>
  /** Transactions that wait for a block. */
  pending(): Promise<readonly { readonly maxPriorityFeePerGas: string }[]>
  reset(): Promise<void>
  stop(): Promise<void>
}

export const FIRST_DOLLARS = 10n ** 15n

export async function devWorld(options: { readonly blockTimeS?: number } = {}): Promise<DevWorld> {
  const chain = await startAnvil(options)
  const rpc = httpRpc([chain.rpcUrl])
  const deployment = await deploy({
    rpcUrl: chain.rpcUrl,
    signer: new Wallet(devAccounts[9]!.privateKey),
    token: 'usd',
    minGapS: 60,
    minBond: 1000n,
  })
  let snapshot = await rpc.call<string>('evm_snapshot', [])
  const world: DevWorld = {
    rpcUrl: chain.rpcUrl,
    rpc,
    chain,
    deployment,
    senderOf: (key) =>
      createSender(rpc, new Wallet(key), new Wallet(key).address.toLowerCase() as Address, chain.chainId, {
        timeoutMs: 120_000,
        replaceAfterMs: 60_000,
        pollMs: 5,
      }),
    signerOf: (signer) => ({
      getAddress: async () => signer.address,
      async signTransaction(tx) {
        const unsigned = Transaction.from({ ...tx, to: tx.to, gasLimit: tx.gasLimit })
        unsigned.signature = await signer.signDigest(unsigned.unsignedHash as `0x${string}`)
        return unsigned.serialized
      },
    }),
    async fund(...accounts) {
      const mint = world.senderOf(devAccounts[9]!.privateKey)
      for (const account of accounts) {
        await rpc.call('anvil_setBalance', [account, `0x${(10n ** 21n).toString(16)}`])
        await mint.send({ to: deployment.token, data: tokenAbi.encodeFunctionData('mint', [account, FIRST_DOLLARS]) })
      }
    },
    async nowS() {
      return Number((await rpc.call<{ timestamp: string }>('eth_getBlockByNumber', ['latest', false])).timestamp)
    },
    async advance(seconds) {
      await rpc.call('evm_increaseTime', [seconds])
      await rpc.call('evm_mine', [])
    },
    async mine(blocks) {
      await rpc.call('anvil_mine', [`0x${blocks.toString(16)}`])
    },
    async pending() {
      type Block = { readonly transactions: readonly { readonly maxPriorityFeePerGas: string }[] }
      return (await rpc.call<Block>('eth_getBlockByNumber', ['pending', true])).transactions
    },
    async reset() {
      await rpc.call('evm_revert', [snapshot])
      snapshot = await rpc.call<string>('evm_snapshot', [])
    },
    stop: () => chain.stop(),
  }
  return world
}

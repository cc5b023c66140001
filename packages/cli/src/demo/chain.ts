import { rmSync } from 'node:fs'
import { deploy, devAccounts, evmLedger, startAnvil } from '@pictor/chain'
import type { Address, Ledger, ReceiptMaterial } from '@pictor/core'
import { Contract, JsonRpcProvider, parseEther, Wallet } from 'ethers'
import type { KeyFile } from '../keys.ts'
import type { Balance } from './summary.ts'

/** The demo's chain: anvil as its own process, escrow and a development dollar on it, `amount` of which the creator has. */
export interface DemoChain {
  readonly ledger: Ledger
  readonly token: Address
  /** Every holder's balance: wallets, and what the escrow owes to whom. `names` maps lower-case addresses to names. */
  balances(names: ReadonlyMap<string, string>): Promise<readonly Balance[]>
  /** The block that the receipt is anchored in, as the chain says it now. */
  blockHash(material: ReceiptMaterial): Promise<string>
  close(): Promise<void>
}

const TOKEN_ABI = [
  'function mint(address to, uint256 amount)',
  'function balanceOf(address) view returns (uint256)',
  'function totalSupply() view returns (uint256)',
]

export async function openChain(statePath: string, keys: KeyFile, amount: bigint): Promise<DemoChain> {
  rmSync(statePath, { force: true })
  const anvil = await startAnvil({ statePath })
  const provider = new JsonRpcProvider(anvil.rpcUrl, anvil.chainId, { staticNetwork: true, pollingInterval: 100 })
  const owner = new Wallet(devAccounts[0]!.privateKey, provider)
  const creator = new Wallet(keys.privateKey('creator'))
  const deployment = await deploy({ rpcUrl: anvil.rpcUrl, signer: owner, token: 'usd', minGapS: 1 })
  const token = new Contract(deployment.token, TOKEN_ABI, owner)
  let nonce = await provider.getTransactionCount(owner.address)
  const funded = await owner.sendTransaction({ to: creator.address, value: parseEther('10'), nonce: nonce++ })
  const minted = await token.getFunction('mint').send(creator.address, amount, { nonce: nonce++ })
  await Promise.all([funded.wait(1, 30_000), minted.wait(1, 30_000)])
  const ledger = evmLedger({
    rpcUrl: anvil.rpcUrl,
    escrow: deployment.escrow,
    fromBlock: deployment.fromBlock,
    chainId: anvil.chainId,
    signer: creator,
  })
  const balanceOf = (address: string) => token.getFunction('balanceOf').staticCall(address) as Promise<bigint>
  return {
    ledger,
    token: deployment.token,
    async balances(names) {
      const held: Balance[] = [{ name: "creator's wallet", amount: await balanceOf(creator.address) }]
      let owed = 0n
      for (const [address, name] of names) {
        const credit = await ledger.credit(deployment.token, address as Address, { key: `credit/${address}` })
        owed += credit
        if (credit > 0n) held.push({ name: `${name}, to withdraw`, amount: credit })
      }
      const inEscrow = await balanceOf(deployment.escrow)
      return [...held, { name: 'in escrow, owed to nobody yet', amount: inEscrow - owed }]
    },
    async blockHash({ evidence }) {
      const claimed = (evidence as { blockHash?: string } | undefined)?.blockHash
      const block = claimed ? await provider.getBlock(claimed) : null
      return block?.hash ?? 'unknown'
    },
    async close() {
      provider.destroy()
      await ledger.close?.()
      await anvil.stop()
    },
  }
}

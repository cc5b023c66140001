// Two independent chains that gas is measured on: anvil with the rules of today (Osaka), @ethereumjs/vm with those to come (Amsterdam, still a draft).
import { createRequire } from 'node:module'
import type { Address } from '@pictor/core/contract'
import { toHex } from '@pictor/core/proof'
import { Interface, Wallet, getBytes } from 'ethers'
import { contracts } from '../src/abi.ts'
import { devAccounts, startAnvil } from '../src/index.ts'
import { httpRpc } from '../src/rpc.ts'
import { createSender, GAS_CAP } from '../src/sender.ts'

export interface GasChain {
  readonly name: string
  readonly chainId: number
  readonly sender: Address
  create(name: keyof typeof contracts, args: readonly unknown[]): Promise<Address>
  /** Gas that the transaction used; throws when it was reverted. */
  send(to: Address, data: string): Promise<bigint>
  /** The same by the account of a key; only where the chain has many accounts. */
  sendAs?(key: string, to: Address, data: string): Promise<bigint>
  call(to: Address, data: string): Promise<string>
  nowS(): Promise<number>
  advance(seconds: number): Promise<void>
  stop(): Promise<void>
}

function creation(name: keyof typeof contracts, args: readonly unknown[]): string {
  const { abi, bytecode } = contracts[name]
  return bytecode + new Interface(abi as never).encodeDeploy(args).slice(2)
}

export async function osaka(): Promise<GasChain> {
  const chain = await startAnvil()
  const rpc = httpRpc([chain.rpcUrl])
  const { address, privateKey } = devAccounts[0]!
  const waits = { timeoutMs: 20_000, replaceAfterMs: 60_000, pollMs: 2 }
  const sender = createSender(rpc, new Wallet(privateKey), address, chain.chainId, waits)
  return {
    name: 'osaka (anvil)',
    chainId: chain.chainId,
    sender: address,
    create: async (name, args) =>
      (await sender.send({ to: null, data: creation(name, args) })).contractAddress!.toLowerCase() as Address,
    send: async (to, data) => (await sender.send({ to, data })).gasUsed,
    async sendAs(key, to, data) {
      const wallet = new Wallet(key)
      const from = wallet.address.toLowerCase() as Address
      await rpc.call('anvil_setBalance', [from, `0x${(10n ** 20n).toString(16)}`])
      return (await createSender(rpc, wallet, from, chain.chainId, waits).send({ to, data })).gasUsed
    },
    call: (to, data) => rpc.call<string>('eth_call', [{ to, data, from: address }, 'latest']),
    nowS: async () => Number((await rpc.call<{ timestamp: string }>('eth_getBlockByNumber', ['latest', false])).timestamp),
    async advance(seconds) {
      await rpc.call('evm_increaseTime', [seconds])
      await rpc.call('anvil_mine', ['0x3'])
    },
    stop: () => chain.stop(),
  }
}

export async function amsterdam(): Promise<GasChain> {
  const require = createRequire(import.meta.resolve('@ethereumjs/vm'))
  const { createVM, runTx } = await import('@ethereumjs/vm')
  const { Common, Hardfork, Mainnet } = await import('@ethereumjs/common')
  type Run = Parameters<typeof runTx>[1]
  // Parts of the same library that it does not export again.
  const { createBlock } = require('@ethereumjs/block') as {
    createBlock(data: unknown, options: unknown): NonNullable<Run['block']>
  }
  const { createFeeMarket1559Tx } = require('@ethereumjs/tx') as {
    createFeeMarket1559Tx(data: unknown, options: unknown): { sign(key: Uint8Array): Run['tx'] }
  }
  const common = new Common({ chain: Mainnet, hardfork: Hardfork.Amsterdam })
  const vm = await createVM({ common })
  type AddressOf = NonNullable<Parameters<typeof vm.evm.runCall>[0]['to']>
  const { createAddressFromString } = require('@ethereumjs/util') as { createAddressFromString(hex: string): AddressOf }
  const { address, privateKey } = devAccounts[0]!
  let nonce = 0n
  let timestamp = 1_900_000_000
  let number = 30_000_000n
  const run = async (to: string | undefined, data: string) => {
    const fields = {
      nonce: nonce++,
      data: data as `0x${string}`,
      gasLimit: to ? GAS_CAP : 100_000_000n,
      maxFeePerGas: 7n,
      maxPriorityFeePerGas: 0n,
      chainId: 1n,
    }
    const tx = createFeeMarket1559Tx({ ...fields, ...(to ? { to: to as `0x${string}` } : {}) }, { common }).sign(
      getBytes(privateKey),
    )
    const header = { number: ++number, timestamp, gasLimit: 200_000_000n, baseFeePerGas: 7n }
    const block = createBlock({ header }, { common, skipConsensusFormatValidation: true })
    const result = await runTx(vm, { tx, block, skipBalance: true, skipHardForkValidation: true })
    if (result.execResult.exceptionError)
      throw new Error(`${result.execResult.exceptionError.error} ${toHex(result.execResult.returnValue)}`)
    return result
  }
  return {
    name: 'amsterdam (ethereumjs)',
    chainId: 1,
    sender: address,
    create: async (name, args) =>
      `0x${(await run(undefined, creation(name, args))).createdAddress!.toString().slice(2)}` as Address,
    send: async (to, data) => (await run(to, data)).totalGasSpent,
    async call(to, data) {
      const target = createAddressFromString(to)
      const { execResult } = await vm.evm.runCall({
        to: target,
        caller: createAddressFromString(address),
        data: getBytes(data),
        isStatic: true,
      })
      return toHex(execResult.returnValue)
    },
    nowS: async () => timestamp,
    async advance(seconds) {
      timestamp += seconds
    },
    stop: async () => {},
  }
}

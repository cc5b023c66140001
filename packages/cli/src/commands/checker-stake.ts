import { PictorError } from '@pictor/core'
import { Contract, JsonRpcProvider } from 'ethers'
import { openKeystore } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

export interface CheckerStakeOptions {
  readonly rpc: string
  readonly registry: string
  readonly keystore: string
  readonly env: CommandContext['env']
}

const REGISTRY = [
  'function token() view returns (address)',
  'function seatStake() view returns (uint96)',
  'function isActive(address) view returns (bool)',
  'function stake()',
]
const TOKEN = ['function approve(address, uint256) returns (bool)', 'function balanceOf(address) view returns (uint256)']

/** `pictor checker stake`: puts the stake of a checker at risk, so that the registry draws it. Harmless when it has one already. */
export async function checkerStake(options: CheckerStakeOptions, context: CommandContext): Promise<number> {
  const wallet = await openKeystore(options.keystore, options.env.PICTOR_KEYSTORE_PASSWORD)
  if (!/^0x[0-9a-fA-F]{40}$/.test(options.registry))
    throw new PictorError('invalid-input', `--registry: expected an address, found ${options.registry}`, {
      details: { path: 'registry' },
    })
  const provider = new JsonRpcProvider(options.rpc, undefined, { cacheTimeout: -1 })
  try {
    const signer = wallet.connect(provider)
    const registry = new Contract(options.registry, REGISTRY, signer)
    const read = (name: string, ...args: unknown[]): Promise<unknown> => registry.getFunction(name).staticCall(...args)
    const address = wallet.address.toLowerCase()
    const amount = (await read('seatStake')) as bigint
    if (await read('isActive', address)) {
      context.emit({ type: 'staked', address, amount: String(amount), already: true })
      context.screen.log(`${address} has its stake in ${options.registry} already`)
      return EXIT.ok
    }
    const token = new Contract((await read('token')) as string, TOKEN, signer)
    const has = (await token.getFunction('balanceOf').staticCall(address)) as bigint
    if (has < amount)
      throw new PictorError(
        'ledger-refused',
        `a stake is ${amount} units of ${await token.getAddress()}, ${address} has ${has}`,
        {
          details: { reason: 'funding', hint: 'send it the rest, and some of the chain’s own coin for gas' },
        },
      )
    for (const [contract, call, args] of [
      [token, 'approve', [options.registry, amount]],
      [registry, 'stake', []],
    ] as const)
      await ((await contract.getFunction(call).send(...args)) as { wait(blocks: number, ms: number): Promise<unknown> }).wait(
        1,
        300_000,
      )
    context.emit({ type: 'staked', address, amount: String(amount) })
    context.screen.log(`${address} has put ${amount} units at risk in ${options.registry} and can be drawn`)
    return EXIT.ok
  } finally {
    provider.destroy()
  }
}

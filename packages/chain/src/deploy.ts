import type { Address } from '@pictor/core/contract'
import { Interface } from 'ethers'
import { contracts, type ContractArtifact } from './abi.ts'
import { httpRpc, providerRpc, type EvmProvider, type Rpc } from './rpc.ts'
import { createSender, type EvmSigner, type Sender } from './sender.ts'
import { escrowAbi } from './wire.ts'

/** Where a deployment lives: what the other side of a job needs to know. */
export interface Deployment {
  readonly chainId: number
  readonly escrow: Address
  readonly court: Address
  readonly registry: Address
  readonly farms: Address
  readonly arbiter: Address
  /** Verifies single frames on chain. */
  readonly frames: Address
  /** Tokens that jobs may use, the first is the one asked for. */
  readonly token: Address
  /** First block that can hold an event of the escrow. */
  readonly fromBlock: number
}

export interface DeployOptions {
  readonly rpcUrl?: string
  readonly provider?: EvmProvider
  /** Pays for the deployment and owns the list of allowed tokens, the arbiter and the registry. */
  readonly signer: EvmSigner
  /** `usd` and `pictor` deploy development tokens; an address is an ERC-20 that exists. */
  readonly token: 'usd' | 'pictor' | Address
  /** Least bond of a dispute in the token's smallest unit; default 1,000,000 (one dollar of a stablecoin with 6 decimals). */
  readonly minBond?: bigint
  /** Stake of a checker; default 1000 times the bond. */
  readonly stake?: bigint
  /** Least time between the steps of a job, seconds; default 3600. Development chains take 1. */
  readonly minGapS?: number
  /** Time a leaving checker's stake stays at risk, seconds; default 90 days: longer than window and resolveBy (30 days each) together. */
  readonly unstakeDelayS?: number
  /** Uniswap's Permit2; default its usual address on public chains. */
  readonly permit2?: Address
}

/** Permit2 has the same address on every chain where it was deployed by its authors. */
const PERMIT2: Address = '0x000000000022d473030f116ddee9f6b43ac78ba3'

async function create(sender: Sender, artifact: ContractArtifact, args: readonly unknown[]): Promise<Address> {
  const abi = new Interface(artifact.abi as never)
  const data = artifact.bytecode + abi.encodeDeploy(args).slice(2)
  const receipt = await sender.send({ to: null, data })
  return receipt.contractAddress!.toLowerCase() as Address
}

/** Deploys one token for development: `usd` (6 decimals, anybody may mint) or `pictor` (18 decimals, the whole supply to the signer). */
async function devToken(sender: Sender, token: DeployOptions['token']): Promise<Address> {
  if (token === 'usd') return create(sender, contracts.DevUsd, [])
  if (token === 'pictor') return create(sender, contracts.PictorToken, [sender.address, 10n ** 27n])
  return token
}

/** Deploys escrow, court, registries and arbiter and allows the token. Seven or eight transactions. @throws ledger-refused, ledger-unreachable */
export async function deploy(options: DeployOptions): Promise<Deployment> {
  const rpc: Rpc = options.provider ? providerRpc(options.provider) : httpRpc([options.rpcUrl ?? 'http://127.0.0.1:8545'])
  const chainId = Number(await rpc.call<string>('eth_chainId', []))
  const fromBlock = Number(await rpc.call<string>('eth_blockNumber', []))
  const owner = (await options.signer.getAddress()).toLowerCase() as Address
  const sender = createSender(rpc, options.signer, owner, chainId, { timeoutMs: 300_000, replaceAfterMs: 60_000, pollMs: 5 })
  const minBond = options.minBond ?? 1_000_000n
  const token = await devToken(sender, options.token)
  const arbiter = await create(sender, contracts.OwnerArbiter, [owner])
  const stake = options.stake ?? 1000n * minBond
  const delayS = options.unstakeDelayS ?? 90 * 86_400
  const registry = await create(sender, contracts.CheckerRegistry, [owner, token, stake, delayS, owner])
  const farms = await create(sender, contracts.FarmRegistry, [token, delayS])
  const frames = await create(sender, contracts.FrameVerifier, [])
  const court = await create(sender, contracts.EscrowCourt, [registry, options.minGapS ?? 3600])
  const escrow = await create(sender, contracts.PictorEscrow, [owner, court, options.permit2 ?? PERMIT2])
  await sender.send({ to: escrow, data: escrowAbi.encodeFunctionData('setAsset', [token, true, minBond]) })
  return { chainId, escrow, court, registry, farms, arbiter, frames, token, fromBlock }
}

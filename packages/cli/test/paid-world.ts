import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deploy, devAccounts, evmLedger, startAnvil, type Deployment, type DevAccount, type EvmLedger } from '@pictor/chain'
import { createChecker, type CheckerOptions, type LocalChecker } from '@pictor/checker'
import {
  createPictor,
  systemClock,
  type Address,
  type Bytes32,
  type Farm,
  type Pictor,
  type PictorOptions,
  type Task,
} from '@pictor/core'
import { privateKeySigner, verifyReceipt, type Receipt } from '@pictor/core/proof'
import { simulatedFarm, simulatedFarmKey, type SimulatedFarmOptions } from '@pictor/core/simulate'
import { signedFarm } from '@pictor/farm-protocol'
import { encodePng } from '@pictor/image'
import { Contract, JsonRpcProvider, Wallet } from 'ethers'
import { drawnKey } from '../../../scripts/draws.ts'
import { simulatedInspector } from '../../core/test/simulated-inspector.ts'

// Real: chain, escrow, token, runner, checkers, all signatures. Simulated, for speed: the scene, and the renderer of farms and checkers.

const WIDTH = 96
const HEIGHT = 64

/** Textured stripes that move with the frame; a badly rendered one has other stripes. */
function simulatedPicture({ window }: Pick<Task, 'window'>, frame: number, honest: boolean): Uint8Array {
  const scale = (window?.resolutionPct ?? 100) / 100
  const whole = { x: 0, y: 0, width: Math.floor(WIDTH * scale), height: Math.floor(HEIGHT * scale) }
  const { x: x0, y: y0, width, height } = window?.region ?? whole
  const pixels = new Uint8Array(width * height * 3)
  for (let i = 0; i < pixels.length; i++) {
    const x = x0 + (Math.floor(i / 3) % width)
    const y = y0 + Math.floor(i / 3 / width)
    pixels[i] = 60 + ((x * (honest ? 5 : 9) + y * 3 + frame * 11 + (i % 3) * 40) % 160)
  }
  return encodePng(width, height, 3, pixels)
}

/** A farm's clock that stands while it is held, so that a test says when its frames are done. */
export interface HeldClock {
  hold(): void
  go(): void
}

/** A job that is paid on a chain of its own, as far as its parts are the same in every test. */
export interface PaidWorld {
  readonly deployment: Deployment
  readonly creator: DevAccount
  readonly clock: HeldClock
  /** A ledger on the escrow; without an account it only reads. */
  ledger(account?: DevAccount): EvmLedger
  /** A farm with its own key that follows the ledger, unless it is told not to. `seen` holds every task that it took. */
  farm(account: DevAccount, options: SimulatedFarmOptions, follows?: 'no ledger'): Farm & { readonly seen: Task[] }
  checkers(count: number, options?: (i: number) => Partial<CheckerOptions>): LocalChecker[]
  pictor(options: Pick<PictorOptions, 'farms' | 'checkers'> & Partial<PictorOptions>): Pictor
  balanceOf(account: Address): Promise<bigint>
  blockNumber(): Promise<number>
  /** The answer of `verifyReceipt` when the block and the escrow are the chain's own. */
  verified(receipt: Receipt): Promise<ReturnType<typeof verifyReceipt>>
  folder(name: string): string
  stop(): Promise<void>
}

export async function paidWorld(token: 'usd' | 'pictor'): Promise<PaidWorld> {
  const path = mkdtempSync(join(tmpdir(), 'pictor-paid-'))
  const chain = await startAnvil()
  const creator = devAccounts[0]!
  const wallet = new Wallet(creator.privateKey)
  const deployment = await deploy({ rpcUrl: chain.rpcUrl, signer: wallet, token, minGapS: 1 })
  const provider = new JsonRpcProvider(chain.rpcUrl, chain.chainId, { staticNetwork: true, cacheTimeout: -1 })
  const contract = new Contract(
    deployment.token,
    ['function mint(address to, uint256 amount)', 'function balanceOf(address) view returns (uint256)'],
    new Wallet(creator.privateKey, provider),
  )
  if (token === 'usd') {
    const minted = (await contract.getFunction('mint').send(creator.address, 10n ** 12n)) as { wait(): Promise<unknown> }
    await minted.wait()
  }
  const closing: (() => unknown)[] = []
  const { now } = systemClock()
  let heldAtMs: number | undefined
  const farmClock = { ...systemClock(), now: () => heldAtMs ?? now() }

  const world: PaidWorld = {
    deployment,
    creator,
    clock: { hold: () => void (heldAtMs = now()), go: () => void (heldAtMs = undefined) },
    ledger: (account) =>
      evmLedger({
        rpcUrl: chain.rpcUrl,
        escrow: deployment.escrow,
        fromBlock: deployment.fromBlock,
        chainId: deployment.chainId,
        ...(account ? { signer: new Wallet(account.privateKey) } : {}),
      }),
    farm(account, options, follows) {
      const seen: Task[] = []
      const key = { ...simulatedFarmKey(options.id), checkTicket: () => undefined }
      const bare = simulatedFarm({ msPerWork: 50, pollMs: 20, clock: farmClock, content: simulatedPicture, key, ...options })
      // Without commitments of its own: it has no key, and `signedFarm` makes them.
      const keyless: Farm = {
        ...bare,
        submit: (task, ctx) => (seen.push(task), bare.submit(task, ctx)),
        poll: async (query, ctx) => {
          const page = await bare.poll(query, ctx)
          return { ...page, events: page.events.filter(({ type }) => type !== 'commit') }
        },
      }
      const followed = follows === 'no ledger' ? {} : { ledger: world.ledger() }
      return { ...signedFarm(keyless, { signer: privateKeySigner(account.privateKey), ...followed }), seen }
    },
    checkers: (count, options) =>
      Array.from({ length: count }, (_, i) => {
        const renderer = simulatedFarm({ id: `renderer-${i}`, msPerWork: 5, pollMs: 5, content: simulatedPicture })
        const signer = privateKeySigner(drawnKey())
        const checker = createChecker({
          id: `checker-${i}`,
          signer,
          secret: drawnKey(),
          renderer,
          ledger: world.ledger(),
          ...options?.(i),
        })
        closing.push(() => checker.close?.())
        return checker
      }),
    pictor: (options) =>
      createPictor({
        inspector: simulatedInspector({ frames: '1-6', width: WIDTH, height: HEIGHT }),
        signer: privateKeySigner(creator.privateKey),
        ledger: world.ledger(creator),
        token: deployment.token,
        disputeWindowS: 0,
        dataDir: world.folder('data'),
        ...options,
      }),
    balanceOf: (account) => contract.getFunction('balanceOf').staticCall(account) as Promise<bigint>,
    blockNumber: () => provider.getBlockNumber(),
    async verified(receipt) {
      if (receipt.anchor.kind !== 'evm') throw new Error('a job on a chain has a receipt that its chain anchors')
      const block = await provider.getBlock(receipt.anchor.blockHash)
      return verifyReceipt(receipt, { trustedBlockHash: block!.hash as Bytes32, trustedEscrow: deployment.escrow })
    },
    folder: (name) => join(path, name),
    async stop() {
      for (const close of closing) await close()
      provider.destroy()
      await chain.stop()
      rmSync(path, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return world
}

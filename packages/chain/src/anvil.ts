import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { PictorError } from '@pictor/core/contract'
import { httpRpc } from './rpc.ts'

/** An account of the development chain. Its key is public knowledge: never send real money to it. */
export interface DevAccount {
  readonly address: `0x${string}`
  readonly privateKey: `0x${string}`
}

// The mnemonic "test test test test test test test test test test test junk", path m/44'/60'/0'/0/i: the accounts of anvil and Hardhat.
const DEV: readonly (readonly [string, string])[] = [
  ['f39fd6e51aad88f6f4ce6ab8827279cfffb92266', 'ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'],
  ['70997970c51812dc3a010c7d01b50e0d17dc79c8', '59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'],
  ['3c44cdddb6a900fa2b585dd299e03d12fa4293bc', '5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a'],
  ['90f79bf6eb2c4f870365e785982e1f101e93b906', '7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6'],
  ['15d34aaf54267db7d7c367839aaf71a00a2c6a65', '47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a'],
  ['9965507d1a55bcc2695c58ba16fb37d819b0a4dc', '8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba'],
  ['976ea74026e726554db657fa54763abd0c3a0aa9', '92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e'],
  ['14dc79964da2c08b23698b3d3cc7ca32193d9955', '4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356'],
  ['23618e81e3f5cdf7f54c3d65f7fbc0abf5b21e8f', 'dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97'],
  ['a0ee7a142d267c1f36714e4a8f75612f20a79720', '2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6'],
]

/** The ten funded accounts of every development chain. */
export const devAccounts: readonly DevAccount[] = DEV.map(([address, key]) => ({
  address: `0x${address}`,
  privateKey: `0x${key}`,
}))

/** A chain that does not answer by then will not. */
const START_MS = 60_000

/** A running development chain. */
export interface DevChain {
  readonly rpcUrl: string
  readonly chainId: number
  /** Ends the chain; with a `statePath` it is written first. */
  stop(): Promise<void>
}

function anvilBinary(): string {
  const platform = process.platform === 'win32' ? 'win32' : process.platform
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const name = `anvil${process.platform === 'win32' ? '.exe' : ''}`
  try {
    const outer = createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json')
    return createRequire(outer).resolve(`@foundry-rs/anvil-${platform}-${arch}/bin/${name}`)
  } catch {
    return 'anvil'
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/**
 * Starts anvil (Foundry's development chain, Osaka rules) as its own process. It ends with this process, even when that is killed: a shell between them
 * waits on a pipe. `statePath` keeps the chain's state between runs. `port` 0 or none: any free one. `blockTimeS` mines on a clock instead of for each transaction.
 * @throws ledger-unreachable when anvil is missing or does not answer
 */
export async function startAnvil(
  options: { readonly statePath?: string; readonly port?: number; readonly blockTimeS?: number; readonly chainId?: number } = {},
): Promise<DevChain> {
  const port = options.port || (await freePort())
  const chainId = options.chainId ?? 31_337
  const args = ['--host', '127.0.0.1', '--port', String(port), '--hardfork', 'osaka', '--silent', '--chain-id', String(chainId)]
  if (options.statePath) args.push('--state', options.statePath, '--preserve-historical-states')
  if (options.blockTimeS) args.push('--block-time', String(options.blockTimeS))
  const watch = '"$@" </dev/null & chain=$!; cat >/dev/null; kill -TERM $chain 2>/dev/null; wait $chain'
  const child = spawn('sh', ['-c', watch, 'anvil', anvilBinary(), ...args], { stdio: ['pipe', 'ignore', 'pipe'], detached: true })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)))
  let dead = false
  const exited = new Promise<void>((resolve) => {
    const end = () => {
      dead = true
      resolve()
    }
    child.once('exit', end)
    child.once('error', end)
  })
  // The chain must not keep a finished program alive.
  child.unref()
  ;(child.stdin as unknown as { unref?(): void }).unref?.()
  ;(child.stderr as unknown as { unref?(): void }).unref?.()
  const rpcUrl = `http://127.0.0.1:${port}`
  const rpc = httpRpc([rpcUrl], { timeoutMs: 2000 })
  const stop = async (): Promise<void> => {
    child.stdin.end()
    child.ref()
    await exited
  }
  for (const giveUpAtMs = Date.now() + START_MS; ;) {
    try {
      if (Number(await rpc.call<string>('eth_chainId', [])) === chainId) break
    } catch {
      // Not up yet.
    }
    if (dead || /not found|cannot execute|Permission denied/.test(complaint) || Date.now() > giveUpAtMs) {
      await stop()
      throw new PictorError('ledger-unreachable', `anvil did not start: ${complaint.trim() || 'no answer'}`, {
        details: { hint: 'install the npm package @foundry-rs/anvil, or Foundry' },
      })
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return { rpcUrl, chainId, stop }
}

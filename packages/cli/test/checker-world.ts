import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { devAccounts } from '@pictor/chain'
import { Contract, encryptKeystoreJsonSync, JsonRpcProvider, Wallet } from 'ethers'
import { makeScene, pictor, startPictor, temporaryFolder, type Finished, type Started } from './cli.ts'

export const PASSWORD = 'a password for tests'
const NAMES = ['ada', 'bo', 'cyd', 'ada-seal', 'bo-seal'] as const

/** A checker in a process of its own. */
export interface Serving {
  readonly process: Started
  readonly url: string
  readonly address: string
}

/** A chain with a creator who has money, a scene, and checkers that are started as services, each with a signer process. */
export interface CheckerWorld {
  readonly path: string
  readonly chain: { readonly rpcUrl: string; readonly escrow: string; readonly token: string }
  /** Options by which `pictor` pays on the chain. */
  readonly money: readonly string[]
  /** Starts `pictor` here; it ends with the world at the latest. */
  start(args: readonly string[], env?: Record<string, string>): Started
  /** Runs `pictor` here to its end. */
  run(args: readonly string[]): Promise<Finished>
  serve(name: string, options?: { readonly port?: string; readonly more?: readonly string[] }): Promise<Serving>
  /** Writes a light keystore: what is tested is not the cost of scrypt. */
  keystore(name: string, privateKey: string): string
  stop(): Promise<void>
}

export const tokenOf = (name: string): string => `the-token-of-checker-${name}`

export async function checkerWorld(): Promise<CheckerWorld> {
  const folder = temporaryFolder()
  const running: Started[] = []
  const env = { PICTOR_KEYSTORE_PASSWORD: PASSWORD }
  const start: CheckerWorld['start'] = (args, more = {}) => {
    const started = startPictor([...args, '--json'], { cwd: folder.path, env: { ...env, ...more } })
    running.push(started)
    return started
  }
  const keystore = (name: string, privateKey: string): string => {
    const account = { address: new Wallet(privateKey).address, privateKey }
    const path = join(folder.path, `${name}.json`)
    writeFileSync(path, encryptKeystoreJsonSync(account, PASSWORD, { scrypt: { N: 1024, r: 8, p: 1 } }), { mode: 0o600 })
    return path
  }

  const up = start(['chain', 'up', '--port', '0'])
  makeScene(join(folder.path, 'cube.blend'), 'bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))')
  const chain = JSON.parse(await up.seen(/"type":"chain"/)) as CheckerWorld['chain']
  const { rpcUrl, escrow, token } = chain
  const creator = keystore('creator', devAccounts[1]!.privateKey)
  for (const [i, name] of NAMES.entries()) keystore(name, devAccounts[2 + i]!.privateKey)
  const provider = new JsonRpcProvider(rpcUrl)
  const owner = new Wallet(devAccounts[0]!.privateKey, provider)
  const dollar = new Contract(token, ['function mint(address, uint256)'], owner)
  const minted = (await dollar.getFunction('mint').send(devAccounts[1]!.address, 50_000_000n)) as { wait(): Promise<unknown> }
  await minted.wait()
  provider.destroy()

  return {
    path: folder.path,
    chain,
    money: ['--rpc', rpcUrl, '--escrow', escrow, '--token', token, '--keystore', creator, '--dispute-hours', '0'],
    start,
    run: (args) => pictor([...args, '--json'], { cwd: folder.path, env }),
    async serve(name, { port = '0', more = [] } = {}) {
      const where = ['--state-dir', name, '--keystore', `${name}.json`, '--rpc', rpcUrl, '--escrow', escrow]
      const process = start(['checker', 'serve', ...where, '--port', port, ...more], { PICTOR_CHECKER_TOKEN: tokenOf(name) })
      const { url, address } = JSON.parse(await process.seen(/"type":"serving"/)) as Serving
      return { process, url, address }
    },
    keystore,
    async stop() {
      for (const started of running) started.kill('SIGKILL')
      await Promise.all(running.map((started) => started.finished))
      folder.remove()
    },
  }
}

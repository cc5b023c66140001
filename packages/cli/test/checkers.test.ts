import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { devAccounts } from '@pictor/chain'
import { Contract, encryptKeystoreJsonSync, JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene, pictor, startPictor, temporaryFolder, type Started } from './cli.ts'

if (!blender) console.log(`checkers.test.ts is skipped: ${blenderReason}`)

const FRAMES = 6
const PASSWORD = 'a password for tests'

interface Serving {
  readonly process: Started
  readonly url: string
  readonly address: string
}

/** Three checkers in processes of their own, each with a signer process, on a real chain: one is killed with -9 in the middle, one never answers, and two make a quorum. */
describe.skipIf(!blender)('checkers as services', () => {
  const folder = temporaryFolder()
  const running: Started[] = []
  const env = { PICTOR_KEYSTORE_PASSWORD: PASSWORD }
  let chain: { rpcUrl: string; escrow: string; token: string }
  let creator: string

  /** A light keystore: what is tested is not the cost of scrypt. */
  const keystore = (name: string, privateKey: string): string => {
    const account = { address: new Wallet(privateKey).address, privateKey }
    const path = join(folder.path, `${name}.json`)
    writeFileSync(path, encryptKeystoreJsonSync(account, PASSWORD, { scrypt: { N: 1024, r: 8, p: 1 } }), { mode: 0o600 })
    return path
  }
  const start = (args: readonly string[], more: Record<string, string> = {}): Started => {
    const started = startPictor([...args, '--json'], { cwd: folder.path, env: { ...env, ...more } })
    running.push(started)
    return started
  }
  async function serve(name: string, port = '0'): Promise<Serving> {
    const { rpcUrl, escrow } = chain
    const where = ['--state-dir', name, '--keystore', `${name}.json`, '--rpc', rpcUrl, '--escrow', escrow, '--port', port]
    const process = start(['checker', 'serve', ...where], { PICTOR_CHECKER_TOKEN: `the-token-of-checker-${name}` })
    const said = await Promise.race([
      process.seen(/"type":"serving"/),
      process.finished.then(({ stdout, stderr }) => Promise.reject(new Error(`${name} ended: ${stdout}${stderr}`))),
    ])
    const { url, address } = JSON.parse(said) as Serving
    return { process, url, address }
  }

  beforeAll(async () => {
    makeScene(join(folder.path, 'cube.blend'), 'bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))')
    const up = start(['chain', 'up', '--port', '0'])
    chain = JSON.parse(await up.seen(/"type":"chain"/)) as typeof chain
    creator = keystore('creator', devAccounts[1]!.privateKey)
    const owner = new Wallet(devAccounts[0]!.privateKey, new JsonRpcProvider(chain.rpcUrl))
    const token = new Contract(chain.token, ['function mint(address, uint256)'], owner)
    const minted = (await token.getFunction('mint').send(devAccounts[1]!.address, 10_000_000n)) as { wait(): Promise<unknown> }
    await minted.wait()
    for (const [i, name] of ['ada', 'bo', 'cyd'].entries()) keystore(name, devAccounts[2 + i]!.privateKey)
  }, 120_000)
  afterAll(async () => {
    for (const started of running) started.kill('SIGKILL')
    await Promise.all(running.map((started) => started.finished))
    folder.remove()
  })

  it('reach a quorum of two of three while one is killed with -9 and another never answers', async () => {
    const [ada, bo, cyd] = await Promise.all([serve('ada'), serve('bo'), serve('cyd')])
    cyd.process.kill('SIGSTOP')
    const checkers = [ada, bo, cyd].map(({ url, address }, i) => ({
      url,
      address,
      token: `the-token-of-checker-${['ada', 'bo', 'cyd'][i]}`,
    }))
    writeFileSync(join(folder.path, 'pictor.config.json'), JSON.stringify({ checkers }))
    const { rpcUrl, escrow, token } = chain
    const money = ['--rpc', rpcUrl, '--escrow', escrow, '--token', token, '--keystore', creator, '--dispute-hours', '0']
    const order = ['--frames', `1-${FRAMES}`, '--deadline', '15m', '--budget', '5', '--out', 'out']
    const render = start(['render', 'cube.blend', ...order, ...money])
    // Bo holds what the farm committed to and is about to check it.
    await Promise.race([bo.process.seen(/"type":"held"/), render.finished])
    bo.process.kill('SIGKILL')
    await bo.process.finished
    const again = await serve('bo', new URL(bo.url).port)
    expect(again.address).toBe(bo.address)

    const result = await render.finished
    expect(result.code, result.stdout.slice(-3000) + result.stderr).toBe(0)
    expect(readdirSync(join(folder.path, 'out')).filter((name) => /^cube_\d+\.png$/.test(name))).toHaveLength(FRAMES)
    const metrics = await fetch(`${again.url}/v1/metrics`, { headers: { authorization: 'Bearer the-token-of-checker-bo' } })
    const text = await metrics.text()
    expect(text).toMatch(new RegExp(`pictor_checker_frames_total\\{verdict="accept",compared="true"\\} ${FRAMES}`))
    expect(text).toMatch(/pictor_checker_jobs_named 1/)
    expect(await (await fetch(`${again.url}/v1/health`)).json()).toMatchObject({ status: 'ok', signer: 'ok', ledger: 'ok' })
    const verified = await pictor(['verify', join('out', 'receipt.json'), '--rpc', rpcUrl, '--json'], { cwd: folder.path })
    expect(verified.code, verified.stdout).toBe(0)
    const attested = JSON.parse(readFileSync(join(folder.path, 'out', 'receipt.json'), 'utf8')) as object
    const written = JSON.stringify(attested)
    for (const { address } of [ada, bo]) expect(written).toContain(address)
  }, 240_000)

  it('keep their keys out of the process that opens scenes', () => {
    for (const name of ['ada', 'bo']) {
      const key = devAccounts[name === 'ada' ? 2 : 3]!.privateKey.slice(2)
      const dir = join(folder.path, name)
      for (const file of readdirSync(dir, { recursive: true, withFileTypes: true }))
        if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), 'latin1')).not.toContain(key)
      expect(existsSync(join(dir, 'checker', 'signer', 'signed.db'))).toBe(true)
    }
  })
})

describe('pictor checker', () => {
  it('key makes a keystore that it never overwrites, and serve names what it misses', async () => {
    const folder = temporaryFolder()
    mkdirSync(folder.path, { recursive: true })
    const env = { PICTOR_KEYSTORE_PASSWORD: PASSWORD }
    const made = await pictor(['checker', 'key', '--keystore', 'k.json', '--json'], { cwd: folder.path, env })
    expect(made.objects[0]).toMatchObject({ type: 'key', address: expect.stringMatching(/^0x[0-9a-f]{40}$/) as string })
    const again = await pictor(['checker', 'key', '--keystore', 'k.json', '--json'], { cwd: folder.path, env })
    expect(again.objects[0]).toMatchObject({ type: 'error', code: 'invalid-input' })
    const bare = await pictor(['checker', 'serve', '--json'], { cwd: folder.path })
    expect(bare.objects[0]).toMatchObject({ code: 'invalid-input', message: expect.stringContaining('--signer') as string })
    const half = await pictor(['checker', 'serve', '--keystore', 'k.json', '--port', 'x', '--json'], { cwd: folder.path, env })
    expect(half.objects[0]).toMatchObject({ message: expect.stringContaining('--port') as string })
    folder.remove()
  }, 60_000)
})

import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { devAccounts, evmLedger } from '@pictor/chain'
import type { LedgerEvent } from '@pictor/core'
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
  async function serve(name: string, port = '0', more: readonly string[] = [], dir = name): Promise<Serving> {
    const { rpcUrl, escrow } = chain
    const ledger = ['--rpc', rpcUrl, '--escrow', escrow]
    const where = ['--state-dir', dir, '--keystore', `${name}.json`, ...ledger, '--port', port, ...more]
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
    const minted = (await token.getFunction('mint').send(devAccounts[1]!.address, 50_000_000n)) as { wait(): Promise<unknown> }
    await minted.wait()
    for (const [i, name] of ['ada', 'bo', 'cyd', 'ada-seal', 'bo-seal'].entries()) keystore(name, devAccounts[2 + i]!.privateKey)
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

  it('give the frames of a sealing farm to the creator after they are attested, though its runner was killed with -9 before', async () => {
    const [ada, bo] = await Promise.all([serve('ada-seal'), serve('bo-seal')])
    const { rpcUrl, escrow, token } = chain
    const farmToken = 'the-token-of-the-sealing-farm'
    const where = [
      '--rpc',
      rpcUrl,
      '--escrow',
      escrow,
      '--hour-price',
      '0.5',
      '--state-dir',
      'sealing-farm',
      '--unsafe-no-sandbox',
    ]
    const farm = start(['farm', 'serve', '--sealed', ...where], { PICTOR_FARM_TOKEN: farmToken })
    const { url } = JSON.parse(await farm.seen(/"type":"serving"/)) as { url: string }
    const checkers = [ada, bo].map((one, i) => ({
      url: one.url,
      address: one.address,
      token: `the-token-of-checker-${['ada-seal', 'bo-seal'][i]}`,
    }))
    const farms = [{ use: '@pictor/farm-protocol', factory: 'remoteFarm', options: { url, token: farmToken } }]
    writeFileSync(join(folder.path, 'sealed.config.json'), JSON.stringify({ farms, checkers }))
    const money = ['--rpc', rpcUrl, '--escrow', escrow, '--token', token, '--keystore', creator, '--dispute-hours', '0']
    const mine = [...money, '--config', 'sealed.config.json', '--state-dir', 'sealed-state']
    const order = ['--frames', '1-3', '--deadline', '15m', '--budget', '5', '--out', 'sealed-out']
    const render = start(['render', 'cube.blend', ...order, ...mine])
    await Promise.race([render.seen(/"type":"frame-verdict"/), render.finished])
    render.kill('SIGKILL')
    const { objects, stdout, stderr } = await render.finished
    const { run } = objects.find(({ type }) => type === 'run') as { run?: string }
    const hashes = objects.filter(({ type }) => type === 'frame-rendered').map(({ hash }) => (hash as string).slice(2))
    expect(hashes.length, stdout.slice(-2000) + stderr).toBeGreaterThan(0)
    const kept = (): string[] => readdirSync(join(folder.path, 'sealed-state', 'artifacts'), { recursive: true }).map(String)
    for (const hash of hashes) expect(kept().some((path) => path.endsWith(hash))).toBe(false)
    expect(existsSync(join(folder.path, 'sealed-out'))).toBe(false)
    const previews = objects.filter(({ preview }) => preview !== undefined).map(({ preview }) => (preview as string).slice(2))
    expect(previews).toHaveLength(hashes.length)
    for (const preview of previews) expect(kept().some((path) => path.endsWith(preview))).toBe(true)
    const attach = await pictor(['render', '--attach', run!, '--out', 'sealed-out', ...mine, '--json'], { cwd: folder.path, env })
    expect(attach.code, attach.stdout.slice(-3000) + attach.stderr).toBe(0)
    expect(readdirSync(join(folder.path, 'sealed-out')).filter((name) => /^cube_\d+\.png$/.test(name))).toHaveLength(3)
    farm.kill('SIGKILL')
  }, 240_000)

  it('settle a job alone whose runner is killed with -9 once they hold its first lease, and its farm is paid', async () => {
    for (const started of running.splice(1)) started.kill('SIGKILL')
    const names = ['ada', 'bo', 'cyd'] as const
    const ports = await Promise.all(names.map(freePort))
    const token = (of: string, by: string): string => `the-token-by-which-${by}-reads-${of}`
    const services = names.map((name, i) => ({
      url: `http://127.0.0.1:${ports[i]}`,
      address: devAccounts[2 + i]!.address.toLowerCase(),
      token: `the-token-of-checker-${name}`,
    }))
    for (const name of names) {
      const others = names.filter((other) => other !== name)
      const peers = others.map((other) => ({
        ...services[names.indexOf(other)],
        token: token(other, name),
        accept: token(name, other),
      }))
      writeFileSync(join(folder.path, `peers-of-${name}.json`), JSON.stringify(peers))
    }
    // Only bo has an account that pays for gas; cyd is down from the start.
    const relay = ['--relay-keystore', keystore('relay', devAccounts[6]!.privateKey)]
    const [ada, bo] = await Promise.all(
      names.slice(0, 2).map((name, i) => {
        const peers = ['--peers', `peers-of-${name}.json`, '--runner-silent-s', '8', ...(name === 'bo' ? relay : [])]
        return serve(name, String(ports[i]), peers, `alone-${name}`)
      }),
    )
    writeFileSync(join(folder.path, 'pictor.config.json'), JSON.stringify({ checkers: services }))
    const { rpcUrl, escrow, token: usd } = chain
    const money = ['--rpc', rpcUrl, '--escrow', escrow, '--token', usd, '--keystore', creator, '--dispute-hours', '0']
    const order = ['--frames', '1-3', '--deadline', '15m', '--budget', '5', '--out', 'abandoned']
    const render = start(['render', 'cube.blend', ...order, ...money])
    const failed = render.finished.then(({ stdout, stderr }) => Promise.reject(new Error(`it ended first: ${stdout}${stderr}`)))
    const holding = Promise.all([ada!.process.seen(/"type":"held"/), bo!.process.seen(/"type":"held"/)])
    const [held] = await Promise.race([holding, failed])
    render.kill('SIGKILL')
    failed.catch(() => {})
    const { job } = JSON.parse(held) as { job: `0x${string}` }

    const ledger = evmLedger({ rpcUrl, escrow: escrow as `0x${string}` })
    let events: readonly LedgerEvent[] = []
    for (let i = 0; i < 240 && !events.some(({ type }) => type === 'released'); i++) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      events = (await ledger.poll({ job }, { key: 'test' })).events
    }
    const released = events.find((event) => event.type === 'released')
    const paid = released?.type === 'released' ? released.paid.filter(({ role, amount }) => role === 'farm' && amount > 0n) : []
    expect(paid, JSON.stringify(events.map(({ type }) => type))).toHaveLength(1)
    const { signal, objects } = await render.finished
    expect(signal).toBe('SIGKILL')

    // The runner comes back: what was settled without it is settled, and earns once.
    const { run } = objects.find(({ type }) => type === 'run') as { run?: string }
    const attach = await pictor(['render', '--attach', run!, '--out', 'abandoned', ...money, '--json'], { cwd: folder.path, env })
    expect(attach.code, attach.stdout.slice(-3000) + attach.stderr).toBe(0)
    events = (await ledger.poll({ job }, { key: 'test' })).events
    await ledger.close?.()
    const leases = events.flatMap((event) => (event.type === 'attested' ? event.leases : []))
    expect(new Set(leases).size).toBe(leases.length)
    const farm = events
      .flatMap((event) => (event.type === 'released' ? event.paid : []))
      .filter(({ role }) => role === 'farm')
      .reduce((sum, { amount }) => sum + amount, 0n)
    expect(events.at(-1)?.type).toBe('finalized')
    const verified = await pictor(['verify', join('abandoned', 'receipt.json'), '--rpc', rpcUrl, '--json'], { cwd: folder.path })
    expect(verified.code, verified.stdout).toBe(0)
    expect(readdirSync(join(folder.path, 'abandoned')).filter((name) => /^cube_\d+\.png$/.test(name))).toHaveLength(3)
    expect(farm).toBeGreaterThan(0n)
  }, 400_000)

  it('refuse to start twice on one folder, and name the process that has it', async () => {
    const again = await pictor(['checker', 'serve', '--state-dir', 'alone-ada', '--keystore', 'ada.json', '--json'], {
      cwd: folder.path,
      env,
    })
    expect(again.objects[0]).toMatchObject({
      type: 'error',
      code: 'conflict',
      message: expect.stringContaining('process ') as string,
    })
  }, 60_000)

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

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

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

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { devAccounts } from '@pictor/chain'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkerWorld, PASSWORD, tokenOf, type CheckerWorld } from './checker-world.ts'
import { blender, blenderReason, pictor, temporaryFolder } from './cli.ts'

if (!blender) console.log(`checkers.test.ts is skipped: ${blenderReason}`)

const FRAMES = 6

/** `2` or `1-3`. */
const framesOf = (text: string): number[] => {
  const [from, to = from] = text.split('-').map(Number) as [number, number?]
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Checkers in processes of their own, each with a signer process, on a real chain: one is killed with -9 in the middle, one never answers, and two make a quorum. */
describe.skipIf(!blender)('checkers as services', () => {
  let world: CheckerWorld
  beforeAll(async () => {
    world = await checkerWorld()
  })
  afterAll(() => world.stop())

  const pictures = (folder: string): readonly string[] =>
    readdirSync(join(world.path, folder)).filter((name) => /^cube_\d+\.png$/.test(name))

  it('reach a quorum of two of three while one is killed with -9 and another never answers', async () => {
    const names = ['ada', 'bo', 'cyd'] as const
    const [ada, bo, cyd] = await Promise.all([world.serve('ada'), world.serve('bo'), world.serve('cyd')])
    cyd.process.kill('SIGSTOP')
    const checkers = [ada, bo, cyd].map(({ url, address }, i) => ({ url, address, token: tokenOf(names[i]!) }))
    writeFileSync(join(world.path, 'pictor.config.json'), JSON.stringify({ checkers }))
    const order = ['--frames', `1-${FRAMES}`, '--deadline', '15m', '--budget', '5', '--out', 'out']
    const render = world.start(['render', 'cube.blend', ...order, ...world.money])
    // Bo holds what the farm committed to and is about to check it.
    await Promise.race([bo.process.seen(/"type":"held"/), render.finished])
    bo.process.kill('SIGKILL')
    await bo.process.finished
    const again = await world.serve('bo', { port: new URL(bo.url).port })
    expect(again.address).toBe(bo.address)

    const result = await render.finished
    expect(result.code, result.stdout.slice(-3000) + result.stderr).toBe(0)
    expect(pictures('out')).toHaveLength(FRAMES)
    const metrics = await fetch(`${again.url}/v1/metrics`, { headers: { authorization: `Bearer ${tokenOf('bo')}` } })
    const text = await metrics.text()
    expect(text).toMatch(new RegExp(`pictor_checker_frames_total\\{verdict="accept",compared="true"\\} ${FRAMES}`))
    expect(text).toMatch(/pictor_checker_jobs_named 1/)
    expect(await (await fetch(`${again.url}/v1/health`)).json()).toMatchObject({ status: 'ok', signer: 'ok', ledger: 'ok' })
    const verified = await world.run(['verify', join('out', 'receipt.json'), '--rpc', world.chain.rpcUrl])
    expect(verified.code, verified.stdout).toBe(0)
    const receipt = readFileSync(join(world.path, 'out', 'receipt.json'), 'utf8')
    for (const { address } of [ada, bo]) expect(receipt).toContain(address)
  })

  it('refuse to start twice on one folder, and name the process that has it', async () => {
    const again = await world.run(['checker', 'serve', '--state-dir', 'ada', '--keystore', 'ada.json'])
    expect(again.objects[0]).toMatchObject({
      type: 'error',
      code: 'conflict',
      message: expect.stringContaining('process ') as string,
    })
  })

  it('keep their keys out of the process that opens scenes', () => {
    for (const name of ['ada', 'bo']) {
      const key = devAccounts[name === 'ada' ? 2 : 3]!.privateKey.slice(2)
      const dir = join(world.path, name)
      for (const file of readdirSync(dir, { recursive: true, withFileTypes: true }))
        if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), 'latin1')).not.toContain(key)
      expect(existsSync(join(dir, 'checker', 'signer', 'signed.db'))).toBe(true)
    }
  })

  it('give the frames of a sealing farm to the creator after they are attested, each paid once, though farm and runner were killed with -9 before', async () => {
    const names = ['ada-seal', 'bo-seal'] as const
    const farmToken = 'the-token-of-the-sealing-farm'
    const { rpcUrl, escrow } = world.chain
    const place = ['--rpc', rpcUrl, '--escrow', escrow, '--state-dir', 'sealing-farm', '--unsafe-no-sandbox']
    const serving = async (port: string) => {
      const serve = ['farm', 'serve', '--sealed', '--hour-price', '0.5', '--port', port, ...place]
      const process = world.start(serve, { PICTOR_FARM_TOKEN: farmToken })
      return { process, url: (JSON.parse(await process.seen(/"type":"serving"/)) as { url: string }).url }
    }
    const [first, ada, bo] = await Promise.all([serving('0'), world.serve('ada-seal'), world.serve('bo-seal')])
    const { url } = first
    let farm = first.process
    const killFarm = async (): Promise<void> => {
      farm.kill('SIGKILL')
      await farm.finished
      farm = (await serving(new URL(url).port)).process
    }
    const checkers = [ada, bo].map(({ url, address }, i) => ({ url, address, token: tokenOf(names[i]!) }))
    const farms = [{ use: '@pictor/farm-protocol', factory: 'remoteFarm', options: { url, token: farmToken } }]
    writeFileSync(join(world.path, 'sealed.config.json'), JSON.stringify({ farms, checkers }))
    const mine = [...world.money, '--config', 'sealed.config.json', '--state-dir', 'sealed-state']
    const order = ['--frames', '1-3', '--deadline', '15m', '--budget', '5', '--out', 'sealed-out']
    const render = world.start(['render', 'cube.blend', ...order, ...mine])
    await render.seen(/"type":"task-start"/)
    const back = killFarm() // while it renders
    await render.seen(/"type":"frame-verdict"/)
    render.kill('SIGKILL')
    const { objects, stdout, stderr } = await render.finished
    await back
    await killFarm() // and while nobody watches it
    const { run } = objects.find(({ type }) => type === 'run') as { run?: string }
    const hashes = objects.filter(({ type }) => type === 'frame-rendered').map(({ hash }) => (hash as string).slice(2))
    expect(hashes.length, stdout.slice(-2000) + stderr).toBeGreaterThan(0)
    const kept = (): string[] => readdirSync(join(world.path, 'sealed-state', 'artifacts'), { recursive: true }).map(String)
    for (const hash of hashes) expect(kept().some((path) => path.endsWith(hash))).toBe(false)
    expect(existsSync(join(world.path, 'sealed-out'))).toBe(false)
    const previews = objects.filter(({ preview }) => preview !== undefined).map(({ preview }) => (preview as string).slice(2))
    expect(previews).toHaveLength(hashes.length)
    for (const preview of previews) expect(kept().some((path) => path.endsWith(preview))).toBe(true)
    const attach = await world.run(['render', '--attach', run!, '--out', 'sealed-out', ...mine])
    expect(attach.code, attach.stdout.slice(-3000) + attach.stderr).toBe(0)
    expect(pictures('sealed-out')).toHaveLength(3)
    const delivered = pictures('sealed-out').map((name) => sha256(readFileSync(join(world.path, 'sealed-out', name))))
    expect(new Set(delivered).size).toBe(3)
    expect(delivered).toEqual(expect.arrayContaining(hashes))
    const verified = await world.run(['verify', join('sealed-out', 'receipt.json'), '--rpc', rpcUrl])
    expect(verified.code, verified.stdout).toBe(0)
    // The attach tells the whole job again: the leases that were paid for hold each frame once.
    const told = (kind: string) => attach.objects.filter(({ type }) => type === kind)
    const leased = new Map(told('task-start').map(({ task, frames }) => [task, framesOf(String(frames))]))
    const paid = told('batch-attested').flatMap(({ leases }) => leases as number[])
    expect(paid.flatMap((lease) => leased.get(lease)).sort()).toEqual([1, 2, 3])
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
  })
})

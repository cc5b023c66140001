import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { devAccounts } from '@pictor/chain'
import { parseReceipt } from '@pictor/core/proof'
import { Contract, encryptKeystoreJsonSync, JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandContext } from '../src/commands/context.ts'
import { render } from '../src/commands/render.ts'
import { blender, blenderReason, makeScene, pictor, startPictor, temporaryFolder, type Started } from './cli.ts'

if (!blender) console.log(`pictor-budget.test.ts is skipped: ${blenderReason}`)

const PASSWORD = 'a password for tests'
const UNIT = 10n ** 18n

/** From the command line alone: a chain, a staked checker, a signed rate, a job in PICTOR whose checker the registry draws. */
describe.skipIf(!blender)('a job in PICTOR, checked by whom the registry draws, as a user types it', () => {
  const folder = temporaryFolder()
  const running: Started[] = []
  const options = { cwd: folder.path, env: { PICTOR_KEYSTORE_PASSWORD: PASSWORD } }
  let chain: { rpcUrl: string; escrow: string; token: string; registry: string }
  let quoter: string
  const run = (...args: string[]) => pictor([...args, '--json'], options)
  const money = (): string[] => {
    const { rpcUrl, escrow, token } = chain
    return ['--rpc', rpcUrl, '--escrow', escrow, '--token', token, '--keystore', 'creator.json', '--dispute-hours', '0']
  }
  const order = (budget: string): string[] => ['cube.blend', '--frames', '1-2', '--deadline', '30m', '--budget', budget]
  const rated = (): string[] => ['--rate', 'rate.json', '--quoter', quoter]

  beforeAll(async () => {
    makeScene(join(folder.path, 'cube.blend'), 'bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))')
    for (const [i, name] of ['owner', 'creator', 'ada', 'quoter'].entries()) {
      const { privateKey } = devAccounts[i]!
      const account = { address: new Wallet(privateKey).address, privateKey }
      const json = encryptKeystoreJsonSync(account, PASSWORD, { scrypt: { N: 1024, r: 8, p: 1 } })
      writeFileSync(join(folder.path, `${name}.json`), json, { mode: 0o600 })
    }
    quoter = devAccounts[3]!.address.toLowerCase()
    const up = startPictor(['chain', 'up', '--port', '0', '--token', 'pictor', '--block-time', '1', '--json'], options)
    running.push(up)
    chain = JSON.parse(await up.seen(/"type":"chain"/)) as typeof chain
    const provider = new JsonRpcProvider(chain.rpcUrl, undefined, { cacheTimeout: -1 })
    const owner = new Wallet(devAccounts[0]!.privateKey, provider)
    const token = new Contract(chain.token, ['function transfer(address, uint256)'], owner)
    let nonce = await provider.getTransactionCount(owner.address)
    for (const account of [devAccounts[1]!, devAccounts[2]!]) {
      const sent = await token.getFunction('transfer').send(account.address, 100n * UNIT, { nonce: nonce++ })
      await sent.wait(1, 30_000)
    }
    provider.destroy()
  })
  afterAll(async () => {
    for (const started of running) started.kill('SIGKILL')
    await Promise.all(running.map((started) => started.finished))
    folder.remove()
  })

  it('says what is missing or wrong before anything is rendered or locked', async () => {
    const file = (name: string): string => join(folder.path, name)
    const { rpcUrl: rpc, escrow, token } = chain
    const paid = { rpc, escrow, token, keystore: file('creator.json'), disputeHours: '0' }
    const refused = async (fields: object, path: string, text: string): Promise<void> => {
      const order = { scene: file('cube.blend'), deadline: '30m', out: file('none'), stateDir: file('refused'), env: options.env }
      await expect(render({ ...order, ...fields } as never, commandContext(true))).rejects.toMatchObject({
        code: expect.stringMatching(/invalid-input|signature-invalid/) as string,
        details: { path },
        message: expect.stringContaining(text) as string,
      })
    }
    const pictor20 = { budget: '20 PICTOR', ...paid }
    await refused({ budget: '20 PICTOR' }, 'budget', 'needs a chain')
    await refused({ budget: '20 DOGE' }, 'budget', 'USD or PICTOR')
    await refused({ budget: '1.2.3' }, 'budget', 'expected an amount')
    await refused({ budget: '5', ...paid }, 'token', 'USD is counted in 6 decimals, this token has 18')
    await refused(pictor20, 'rate', 'there is no rate to PICTOR')
    await refused({ ...pictor20, rate: file('rate.json') }, 'quoter', 'go together')
    await refused({ ...pictor20, rate: file('rate.json'), quoter }, 'rate', 'cannot be read')
    writeFileSync(file('rate.json'), '[{"from":"USD","to":"PICTOR"}]')
    await refused({ ...pictor20, rate: file('rate.json'), quoter }, 'rate', 'source: expected a text')
    await refused({ budget: '5', draw: '3' }, 'draw', 'an escrow has the registry')
    await refused({ budget: '5', draw: '0' }, 'draw', '1 to 32')
    expect((await run('rate', '0.25', '--valid', '2s', '--keystore', 'quoter.json', '--out', 'rate.json')).code).toBe(0)
    await refused({ ...pictor20, rate: file('rate.json'), quoter: `0x${'12'.repeat(20)}` }, 'rate.quoter', '0x1212')
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const late = await run('render', ...order('20 PICTOR'), ...money(), ...rated())
    expect(late.objects.at(-1)).toMatchObject({
      type: 'error',
      message: expect.stringContaining('the rate expired at') as string,
      hint: expect.stringContaining('nothing was locked') as string,
    })
  })

  it('is planned, locked, drawn, rendered, paid and proven', async () => {
    const stake = ['checker', 'stake', '--keystore', 'ada.json', '--rpc', chain.rpcUrl, '--registry', chain.registry]
    expect((await run(...stake)).objects).toMatchObject([{ type: 'staked' }])
    expect((await run(...stake)).objects).toMatchObject([{ type: 'staked', already: true }])
    const where = ['--keystore', 'ada.json', '--rpc', chain.rpcUrl, '--escrow', chain.escrow, '--state-dir', 'ada']
    const serving = startPictor(['checker', 'serve', ...where, '--json'], {
      ...options,
      env: { ...options.env, PICTOR_CHECKER_TOKEN: 'the-token-of-checker-ada' },
    })
    running.push(serving)
    const { url, address } = JSON.parse(await serving.seen(/"type":"serving"/)) as { url: string; address: string }
    const made = await run(
      'rate',
      '0.25',
      '--valid',
      '30m',
      '--keystore',
      'quoter.json',
      '--source',
      'a table',
      '--out',
      'rate.json',
    )
    expect(made.objects).toMatchObject([{ type: 'rate', quoter }])
    const config = { checkers: [{ url, address, token: 'the-token-of-checker-ada' }], rates: { from: 'rate.json', quoter } }
    writeFileSync(join(folder.path, 'pictor.config.json'), JSON.stringify(config))

    const shown = await pictor(['plan', ...order('20 PICTOR'), ...money()], options)
    expect(shown.stdout + shown.stderr).toMatch(/1 PICTOR = 0\.25 USD, by a table \(0x[0-9a-f]{40}\); submit until .+, in \d+ s/)
    const done = await run('render', ...order('20 PICTOR'), ...money(), '--draw', '1', '--out', 'out')
    expect(done.code, done.stdout.slice(-3000) + done.stderr).toBe(0)
    expect(readdirSync(join(folder.path, 'out')).filter((name) => /^cube_\d+\.png$/.test(name))).toHaveLength(2)
    const locked = done.objects.find(({ type }) => type === 'money-locked') as { amount: string; currency: string }
    expect([BigInt(locked.amount), locked.currency]).toEqual([20n * UNIT, 'PICTOR'])
    const receipt = parseReceipt(readFileSync(join(folder.path, 'out', 'receipt.json'), 'utf8'))
    expect([receipt.terms.registryDraw, receipt.terms.checkers, receipt.committee]).toEqual([1, [], [address]])
    const verified = await run('verify', join('out', 'receipt.json'), '--rpc', chain.rpcUrl)
    expect(verified.code, verified.stdout).toBe(0)
  })
})

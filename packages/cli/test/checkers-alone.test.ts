import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { devAccounts, evmLedger } from '@pictor/chain'
import type { LedgerEvent } from '@pictor/core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePort } from '../../../scripts/free-port.ts'
import { checkerWorld, tokenOf, type CheckerWorld } from './checker-world.ts'
import { blender, blenderReason } from './cli.ts'

if (!blender) console.log(`checkers-alone.test.ts is skipped: ${blenderReason}`)

const NAMES = ['ada', 'bo', 'cyd'] as const

describe.skipIf(!blender)('checkers as services', () => {
  let world: CheckerWorld
  beforeAll(async () => {
    world = await checkerWorld()
  })
  afterAll(() => world.stop())

  it('settle a job alone whose runner is killed with -9 once they hold its first lease, and its farm is paid', async () => {
    const ports = await Promise.all(NAMES.map(freePort))
    const services = NAMES.map((name, i) => ({
      url: `http://127.0.0.1:${ports[i]}`,
      address: devAccounts[2 + i]!.address.toLowerCase(),
      token: tokenOf(name),
    }))
    writePeers(world.path, services)
    // Only bo has an account that pays for gas; cyd is down from the start.
    const relay = ['--relay-keystore', world.keystore('relay', devAccounts[6]!.privateKey)]
    const [ada, bo] = await Promise.all(
      (['ada', 'bo'] as const).map((name, i) => {
        const peers = ['--peers', `peers-of-${name}.json`, '--runner-silent-s', '8', ...(name === 'bo' ? relay : [])]
        return world.serve(name, { port: String(ports[i]), more: peers })
      }),
    )
    writeFileSync(join(world.path, 'pictor.config.json'), JSON.stringify({ checkers: services }))
    const order = ['--frames', '1-3', '--deadline', '15m', '--budget', '5', '--out', 'abandoned']
    const render = world.start(['render', 'cube.blend', ...order, ...world.money])
    const failed = render.finished.then(({ stdout, stderr }) => Promise.reject(new Error(`it ended first: ${stdout}${stderr}`)))
    failed.catch(() => {})
    const holding = Promise.all([ada!.process.seen(/"type":"held"/), bo!.process.seen(/"type":"held"/)])
    const [held] = await Promise.race([holding, failed])
    render.kill('SIGKILL')
    const { job } = JSON.parse(held) as { job: `0x${string}` }

    const { rpcUrl, escrow } = world.chain
    const ledger = evmLedger({ rpcUrl, escrow: escrow as `0x${string}` })
    const read = async (): Promise<readonly LedgerEvent[]> => (await ledger.poll({ job }, { key: 'test' })).events
    const released = await vi.waitFor(
      async () => {
        const events = await read()
        const found = events.find((event) => event.type === 'released')
        if (found?.type !== 'released') throw new Error(`nothing was released: ${events.map(({ type }) => type).join()}`)
        return found
      },
      { timeout: 240_000, interval: 250 },
    )
    expect(released.paid.filter(({ role, amount }) => role === 'farm' && amount > 0n)).toHaveLength(1)
    const { signal, objects } = await render.finished
    expect(signal).toBe('SIGKILL')

    // The runner comes back: what was settled without it is settled, and earns once.
    const { run } = objects.find(({ type }) => type === 'run') as { run?: string }
    const attach = await world.run(['render', '--attach', run!, '--out', 'abandoned', ...world.money])
    expect(attach.code, attach.stdout.slice(-3000) + attach.stderr).toBe(0)
    const events = await read()
    await ledger.close?.()
    const leases = events.flatMap((event) => (event.type === 'attested' ? event.leases : []))
    expect(new Set(leases).size).toBe(leases.length)
    const farm = events
      .flatMap((event) => (event.type === 'released' ? event.paid : []))
      .filter(({ role }) => role === 'farm')
      .reduce((sum, { amount }) => sum + amount, 0n)
    expect(farm).toBeGreaterThan(0n)
    expect(events.at(-1)?.type).toBe('finalized')
    const verified = await world.run(['verify', join('abandoned', 'receipt.json'), '--rpc', rpcUrl])
    expect(verified.code, verified.stdout).toBe(0)
    expect(readdirSync(join(world.path, 'abandoned')).filter((name) => /^cube_\d+\.png$/.test(name))).toHaveLength(3)
  }, 400_000)
})

/** Each checker's file of the two others, with the tokens by which they read one another. */
function writePeers(folder: string, services: readonly { readonly url: string; readonly address: string }[]): void {
  const token = (of: string, by: string): string => `the-token-by-which-${by}-reads-${of}`
  for (const name of NAMES) {
    const peers = NAMES.flatMap((other, i) =>
      other === name ? [] : [{ ...services[i], token: token(other, name), accept: token(name, other) }],
    )
    writeFileSync(join(folder, `peers-of-${name}.json`), JSON.stringify(peers))
  }
}

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { devAccounts } from '@pictor/chain'
import {
  folderArtifacts,
  usd,
  type Bytes32,
  type Checker,
  type Farm,
  type JobEvent,
  type JobRun,
  type KeyRequest,
  type Ledger,
  type Pictor,
} from '@pictor/core'
import { privateKeySigner } from '@pictor/core/proof'
import { requestKeys, sealKeys } from '@pictor/core/sealing'
import { remoteFarm, sealedFarm, serveFarm } from '@pictor/farm-protocol'
import { httpChecker, serveChecker, shareFiles } from '@pictor/farm-protocol/checker'
import { decodeImage, markedPreview } from '@pictor/image'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { paidWorld, type PaidWorld } from './paid-world.ts'

const TOKEN = 'a-token-for-tests'
const [, farmAccount] = devAccounts
const FRAMES = 6

let world: PaidWorld
const closing: (() => unknown)[] = []
beforeAll(async () => (world = await paidWorld('usd')))
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => world.stop())

/** A farm behind HTTP that seals; `change` is what a hostile one does to it. */
async function sealingFarm(name: string, change: (farm: Farm) => Farm = (farm) => farm): Promise<Farm> {
  const bare = world.farm(farmAccount!, { id: name, price: { perFrame: 1_000n } })
  const book = world.folder(`${name}.db`)
  const farm = change(sealedFarm(bare, { secret: Buffer.alloc(32, 7), book, preview: markedPreview }))
  const server = await serveFarm(farm, {
    tokens: [{ token: TOKEN }],
    files: folderArtifacts(world.folder(`${name}-files`)),
    uploads: world.folder(`${name}-uploads`),
  })
  closing.push(() => server.close())
  return remoteFarm({ url: server.url, token: TOKEN, id: name })
}

/** Checkers behind HTTP, each with files of its own. `stop` ends its server. */
async function servedCheckers(name: string, count: number) {
  const files = Array.from({ length: count }, (_, i) => folderArtifacts(world.folder(`${name}-kept-${i}`)))
  const locals = world.checkers(count, (i) => ({ artifacts: files[i]! }))
  const share = await shareFiles()
  closing.push(() => share.close())
  return Promise.all(
    locals.map(async (checker, i) => {
      mkdirSync(world.folder(`${name}-${i}`), { recursive: true })
      const server = await serveChecker(checker, {
        tokens: [{ token: TOKEN }],
        files: files[i]!,
        partial: world.folder(`${name}-${i}/partial`),
        inbox: ':memory:',
      })
      const stop = (): Promise<void> => server.close()
      closing.push(stop)
      return { remote: httpChecker({ url: server.url, token: TOKEN, address: checker.address, share }), stop }
    }),
  )
}

/** Hashes of everything in a folder and below. */
function hashesIn(folder: string): Set<string> {
  if (!existsSync(folder)) return new Set()
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Set(
    files.map(
      ({ parentPath, name }) =>
        `0x${createHash('sha256')
          .update(readFileSync(join(parentPath, name)))
          .digest('hex')}`,
    ),
  )
}

type EventOf<T extends JobEvent['type']> = Extract<JobEvent, { type: T }>
async function until<T extends JobEvent['type']>(run: JobRun, type: T, count = 1): Promise<EventOf<T>[]> {
  const found: EventOf<T>[] = []
  for await (const event of run.events()) if (event.type === type && found.push(event as EventOf<T>) === count) return found
  throw new Error(`the job ended with ${found.length} of ${count} ${type}`)
}

async function submit(pictor: Pictor, out: string, batchWaitMs = 100): Promise<JobRun> {
  const { cheapest } = await pictor.plan({ scene: 'scene.blend', deadline: '2h', budget: usd('5') })
  return pictor.submit(cheapest, { outDir: world.folder(out), batchWaitMs })
}

describe('a farm that seals what it renders', () => {
  it('shows marked previews, is held and paid, and the creator opens the frames once they are attested, with one checker of three alive', async () => {
    const farm = await sealingFarm('sealing')
    const checkers = await servedCheckers('honest', 3)
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => (open = resolve))
    const gated = checkers.map(({ remote }): Checker => ({
      ...remote,
      sealing: { ...remote.sealing!, keys: async (request, ctx) => (await gate, remote.sealing!.keys(request, ctx)) },
    }))
    const dataDir = world.folder('sealed-data')
    // Nothing is attested before the test has looked, however slow the machine is.
    let post = (): void => {}
    const looked = new Promise<void>((resolve) => (post = resolve))
    const chain = world.ledger(world.creator)
    const ledger: Ledger = {
      ...chain,
      async send(action, ctx) {
        if (action.kind === 'attest') await looked
        return chain.send(action, ctx)
      },
    }
    const pictor = world.pictor({ farms: [farm], checkers: gated, ledger, dataDir })
    closing.push(() => pictor.close())
    const run = await submit(pictor, 'sealed-out', 3_000)

    // Judged and not yet attested: nothing of the creator's holds a frame, only previews that say so.
    const verdicts = await until(run, 'frame-verdict', FRAMES)
    const hashes = verdicts.map(({ hash }) => hash)
    const rendered = await until(run, 'frame-rendered', FRAMES)
    expect(rendered.map(({ hash }) => hash).sort()).toEqual([...hashes].sort())
    const here = hashesIn(dataDir)
    for (const hash of hashes) expect(here.has(hash)).toBe(false)
    const preview = decodeImage(await pictor.artifacts.read(rendered[0]!.preview!))
    expect([preview.width, preview.height]).toEqual([48, 32])
    const { job } = await pictor.material(run.id)
    const ask = async (checker: Checker, signer = privateKeySigner(world.creator.privateKey), lease = 1): Promise<unknown> => {
      const request = await requestKeys(signer, world.ledger().domain, { job, lease, validUntilS: 2 ** 32 }, Buffer.alloc(32, 1))
      return checker.sealing!.keys(request, { key: 'ask' }).then(
        () => 'served',
        (error: { details?: { reason?: string } }) => error.details?.reason,
      )
    }
    for (const { remote } of checkers) expect(await ask(remote)).toMatch(/^not-(signed|attested)$/)

    post()
    await until(run, 'batch-attested')
    const signers = (await pictor.material(run.id)).batches.flatMap(({ signatures }) => signatures.map(({ checker }) => checker))
    const alive = checkers.find(({ remote }) => signers.includes(remote.address))!
    for (const one of checkers) if (one !== alive) await one.stop()
    expect(await ask(alive.remote, privateKeySigner(drawnKey()))).toBe('not-creator')
    expect(await ask(alive.remote, undefined, 99)).toBe('not-signed')
    expect(hashesIn(world.folder('sealed-out')).size).toBe(0)

    open()
    const result = await run.done()
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    expect(result.money.paid).toBeGreaterThan(0n)
    expect([...hashesIn(world.folder('sealed-out'))].sort()).toEqual([...hashes].sort())
    const receipt = await pictor.receipt(run.id)
    expect((await world.verified(receipt)).answer).toBe('anchored')
  })

  it('is delivered by another checker when one serves wrong keys, which is told, and by a runner that came back', async () => {
    const farm = await sealingFarm('sealing-2')
    const checkers = await servedCheckers('wrong', 2)
    const wrong = (checker: Checker): Checker => ({
      ...checker,
      sealing: {
        ...checker.sealing!,
        keys: async (request: KeyRequest, ctx) => {
          await checker.sealing!.keys(request, ctx)
          const keys = new Map(seen.map((hash) => [hash, Buffer.alloc(32, 9)]))
          return { checker: checker.address, envelope: sealKeys(request, keys) }
        },
      },
    })
    const seen: Bytes32[] = []
    const dead = (checker: Checker): Checker => ({
      ...checker,
      sealing: { ...checker.sealing!, keys: () => Promise.reject(new Error('it is down')) },
    })
    const [first, second] = checkers.map(({ remote }) => remote)
    const parts = { farms: [farm], dataDir: world.folder('wrong-data') }
    const before = world.pictor({ ...parts, checkers: [dead(first!), dead(second!)] })
    const run = await submit(before, 'wrong-out')
    seen.push(...(await until(run, 'frame-verdict', FRAMES)).map(({ hash }) => hash))
    await until(run, 'batch-attested')
    await before.close()
    expect(hashesIn(world.folder('wrong-out')).size).toBe(0)

    const later = world.pictor({ ...parts, checkers: [wrong(first!), second!] })
    closing.push(() => later.close())
    const again = await later.attach(run.id)
    const result = await again.done()
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    expect([...hashesIn(world.folder('wrong-out'))].sort()).toEqual([...seen].sort())
    const told: string[] = []
    for await (const event of again.events()) if (event.type === 'job-blocked') told.push(event.reason)
    expect(told.join('\n')).toContain(first!.address)
    expect(told.join('\n')).toContain('another checker is asked')
  })
})

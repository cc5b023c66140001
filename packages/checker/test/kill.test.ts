import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { folderArtifacts } from '@pictor/core'
import { isPictorError, type Checker, type CheckerAction, type CheckerEvent } from '@pictor/core/contract'
import { privateKeySigner, randomPrivateKey, verifySeed, verifyVote } from '@pictor/core/proof'
import { httpChecker, shareFiles } from '@pictor/farm-protocol/checker'
import { batchOf, makeJob, only } from './job.ts'
import { renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 160, height: 96, samples: 8, seed: 1 }
const folder = mkdtempSync(join(tmpdir(), 'checker-kill-'))
/** One file, so that a start costs a sixth. */
const CHILD = join(folder, 'child.mjs')
let over = false
let child: ChildProcess | undefined
let deaths = 0
afterAll(() => {
  over = true
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** What keeps services running: starts it again whenever it died. */
function keepRunning(port: number, key: string): void {
  const args = ['--disable-warning=ExperimentalWarning', CHILD, folder, String(port), key]
  child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  child.once('exit', (_code, signal) => {
    if (over) return
    if (signal === 'SIGKILL') deaths++
    keepRunning(port, key)
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Asks until it is taken, then waits for its effect; a service that is away comes back. */
async function insist(
  checker: Checker,
  action: CheckerAction,
  wanted: (event: CheckerEvent) => boolean,
): Promise<CheckerEvent[]> {
  const about = 'batch' in action ? action.batch.batchHash : 'lease' in action ? action.lease : ''
  const key = `${action.kind} ${JSON.stringify(about, plain)}`.slice(0, 200)
  const away = (error: unknown): void => {
    if (!isPictorError(error) || !error.retryable) throw error
  }
  let taken = false
  for (let i = 0; i < 6_000; i++) {
    if (!taken) await checker.send(action, { key }).then(() => (taken = true), away)
    const page = await checker.poll({ job: action.job.job }, { key: 'poll' }).catch(away)
    if (page?.events.some(wanted)) return [...page.events]
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${action.kind} had no effect`)
}

const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

test('killed with -9 once at every boundary, a service brings a job to its end, votes once and contradicts itself never', async () => {
  buildSync({
    entryPoints: [fileURLToPath(new URL('kill-child.ts', import.meta.url))],
    outfile: CHILD,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
  })
  const key = randomPrivateKey()
  const port = await freePort()
  keepRunning(port, key)
  const share = await shareFiles()
  const { address } = privateKeySigner(key)
  const remote = httpChecker({ url: `http://127.0.0.1:${port}`, token: 'a-token-for-tests', address, share })
  const world = await makeJob([remote], { files: folderArtifacts(join(folder, 'runner')) })
  const { job } = world
  const leases = [world.lease(1, [1]), world.lease(2, [2])]
  const ask = (action: CheckerAction, type: CheckerEvent['type'], lease?: number) =>
    insist(remote, action, (event) => event.type === type && (lease === undefined || leaseIn(event) === lease))
  const { ready } = only(await ask({ kind: 'ready', job, set: await world.set(0, leases), leases }, 'ready'), 'ready')
  for (const lease of leases) {
    // The second frame has a quarter of the samples: an alarm, a full render and the statistics lie on its way.
    const cheat = lease.id === 2 ? { samples: 2, seed: 9 } : {}
    const commit = await world.commit(lease, new Map([[lease.id, renderNoise(lease.id, { ...SCENE, ...cheat })]]))
    await ask({ kind: 'hold', job, lease, commit, farm: lease.farm }, 'held', lease.id)
    await ask({ kind: 'check', job, lease, commits: [commit] }, 'checked', lease.id)
    const events = await ask({ kind: 'reveal', job, lease: lease.id }, 'votes', lease.id)
    const { votes, seed } = events.find((event) => event.type === 'votes' && event.lease === lease.id) as VotesEvent
    expect(verifySeed(ready.seedRoot, seed)).toBe(true)
    for (const vote of votes) verifyVote(job.domain, vote)
    const batch = batchOf(world, lease, [commit], votes)
    await insist(
      remote,
      { kind: 'sign-batch', job, batch, votes, seeds: [seed] },
      (event) => event.type === 'batch-signature' && event.batchHash === batch.batchHash,
    )
  }
  const keep = leases.reduce((sum, { price, frames }) => sum + price + BigInt(frames.length) * job.terms.checkFee, 0n)
  const events = await ask({ kind: 'sign-final', job, keep }, 'final-signature')
  await share.close()

  // However often it was asked, what it said is one thing each.
  const said = new Map<string, Set<string>>()
  for (const event of events) {
    if (event.type === 'lease-progress' || event.type === 'checked') continue
    const { atMs: _atMs, ...rest } = event
    const subject = `${event.type} ${leaseIn(event) ?? ''} ${event.type === 'batch-signature' ? event.batchHash : ''}`
    said.set(subject, (said.get(subject) ?? new Set()).add(JSON.stringify(rest, plain)))
  }
  expect([...said].filter(([, words]) => words.size > 1)).toEqual([])
  expect(events.filter(({ type }) => type === 'alarm')).toEqual([])
  const verdicts = events.flatMap((event) =>
    event.type === 'votes' ? event.votes.map((vote) => [vote.frame, vote.verdict]) : [],
  )
  expect(Object.fromEntries(verdicts)).toEqual({ 1: 'accept', 2: 'refuse' })
  const boundaries = readFileSync(join(folder, 'deaths.txt'), 'utf8').trim().split('\n')
  expect(deaths).toBe(boundaries.length)
  for (const kind of ['ready', 'held', 'vote', 'batch', 'final'])
    for (const when of ['before', 'after'])
      expect(
        boundaries.some((one) => one.startsWith(`${when} signing ${kind}`)),
        `${when} ${kind}`,
      ).toBe(true)
  expect(boundaries.length).toBeGreaterThanOrEqual(30)
}, 300_000)

type VotesEvent = Extract<CheckerEvent, { type: 'votes' }>

function leaseIn(event: CheckerEvent): number | undefined {
  if (event.type === 'held') return event.held.lease
  return 'lease' in event ? event.lease : undefined
}

import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { jobMachine } from '../../src/job/index.ts'
import type { JobFact } from '../../src/job/index.ts'
import { readFact } from '../../src/run/fact-text.ts'
import { systemClock } from '../../src/run/index.ts'
import { sha256, simulatedContent } from '../../src/simulate/farm-model.ts'
import { simulatedWorld, type VirtualClock, type World } from '../../src/simulate/index.ts'
import { sqliteStore } from '../../src/store/index.ts'
import type { ChildStart } from './kill-child.ts'

interface Call {
  readonly id: number
  readonly port: string
  readonly method: string
  readonly args: readonly unknown[]
}

/** What befalls a process at one of its calls, counted from 1. */
export interface Blow {
  readonly atCall: number
  /**
   * `before` and `after`: killed with -9 before the call has its effect, or after it and before the reply arrives. At a call to `commit` both are after a commit.
   * `stop`: stands still between commits. `stop-inside`: stands still inside a transaction. Both go on later, when another process has the job.
   * A number: the clock of the runner's machine is set by so many milliseconds; farms and ledger keep theirs.
   */
  readonly blow: 'before' | 'after' | 'stop' | 'stop-inside' | number
}

export interface KillOptions {
  readonly name: string
  /** A blow for each process in turn. The process after the last one is left alone. */
  readonly blows: readonly Blow[]
  /** The most pages that the first process finds on the disk; it is killed when it can do nothing any more. */
  readonly maxPages?: number
  readonly frames?: number
}

export interface KillReport {
  readonly broken: string[]
  readonly calls: number
  readonly kills: number
  readonly outcome: string
}

const HOUR_MS = 3_600_000

/** How long a process may look for room on a full disk. */
const STARVED_MS = 1_500

/** Runs a short job in child processes that are killed with -9, stopped or starved at chosen calls, and checks what is on disk, at the farms and on the ledger afterwards. */
export async function killedJob(options: KillOptions): Promise<KillReport> {
  const dir = mkdtempSync(join(tmpdir(), 'pictor-kill-'))
  const world = simulatedWorld({
    name: options.name,
    frames: options.frames ?? 8,
    clock: systemClock() as VirtualClock,
    farms: [
      { id: 'one', slots: 1, msPerWork: 10, pollMs: 20 },
      { id: 'two', slots: 2, msPerWork: 15, pollMs: 20 },
    ],
    checkers: [{ id: 'a', workMs: 2, pollMs: 20, faults: {} }],
    quorum: 1,
    ledger: { pollMs: 20 },
    // A clock that is set by an hour must not meet the deadline of leases that a farm holds by the right time.
    deadlineMs: 12 * HOUR_MS,
    order: { leaseMs: 20, graceMs: 4 * HOUR_MS, options: { batchWaitMs: 20, hedge: false } },
  })
  const story = { world, db: join(dir, 'pictor.db'), children: [] as ChildProcess[], calls: 0, offMs: 0 }
  const broken: string[] = []
  let outcome = 'none'
  let kills = 0
  try {
    for (let n = 0; outcome === 'none' && n <= options.blows.length + 1; n++) {
      const starved = n === 0 ? options.maxPages : undefined
      const end = await oneProcess(story, options.blows[n], starved)
      if (end === 'killed') kills++
      else if (end !== 'stopped') outcome = end
    }
    await release(story.children, broken)
    await check(world, story.db, broken)
  } finally {
    for (const child of story.children) child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
  if (outcome !== 'done') broken.push(`the job ended as ${outcome}`)
  return { broken, calls: story.calls, kills, outcome }
}

interface Story {
  readonly world: World
  readonly db: string
  readonly children: ChildProcess[]
  calls: number
  /** How far the clock of the runner's machine is from that of farms and ledger. */
  offMs: number
}

let bundled: Promise<string> | undefined

/** The child as one file: a process of it starts in 80 ms of processor time instead of 340. */
function childProgram(): Promise<string> {
  bundled ??= (async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pictor-kill-child-'))
    process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
    const outfile = join(dir, 'child.mjs')
    const { build } = createRequire(import.meta.url)('esbuild') as typeof import('esbuild')
    await build({
      entryPoints: [new URL('kill-child.ts', import.meta.url).pathname],
      bundle: true,
      platform: 'node',
      format: 'esm',
      conditions: ['source'],
      outfile,
      logLevel: 'error',
    })
    return outfile
  })()
  return bundled
}

/** Runs a process until it ends, is killed or stands still. */
async function oneProcess(story: Story, blow: Blow | undefined, maxPages: number | undefined): Promise<string> {
  const { world, db } = story
  const child = fork(await childProgram(), [], { serialization: 'advanced', execArgv: ['--no-warnings'] })
  story.children.push(child)
  const start: ChildStart = {
    db,
    order: world.order,
    farms: [...world.farms.keys()],
    checkers: world.checkers.map(({ id, address }) => ({ id, address })),
    ledger: { domain: world.ledger.domain, supports: world.ledger.supports, label: world.ledger.label },
    offMs: story.offMs,
    ...(maxPages === undefined ? {} : { maxPages }),
  }
  child.send({ start })
  let calls = 0
  return new Promise((resolve) => {
    // A process that finds no room keeps trying for ever.
    const starved = maxPages === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), STARVED_MS)
    child.on('message', (message: Call & { done?: { outcome: string } }) => {
      if (message.done) return resolve(message.done.outcome)
      story.calls = ++calls
      void answer(message, calls)
    })
    child.on('exit', (code, signal) => {
      clearTimeout(starved)
      resolve(signal === 'SIGKILL' ? 'killed' : `died with ${code ?? signal}`)
    })
    async function answer(message: Call, at: number): Promise<void> {
      const struck = blow?.atCall === at ? blow.blow : undefined
      if (struck === 'stop' || struck === 'stop-inside') {
        // A process that stands still inside a transaction keeps everybody from writing: it goes on while its successor waits.
        if ((await stopChild(child, db, struck === 'stop-inside')) && struck === 'stop-inside')
          setTimeout(() => child.kill('SIGCONT'), 1_500)
        resolve('stopped')
      }
      if (struck === 'before') return void child.kill('SIGKILL')
      const reply = await perform(world, message).then(
        (result) => ({ id: message.id, result }),
        (error: { code?: string; message: string; details?: object }) => ({
          id: message.id,
          error: { code: error.code ?? 'internal', message: error.message, details: error.details ?? {} },
        }),
      )
      if (struck === 'after') return void child.kill('SIGKILL')
      if (typeof struck === 'number') story.offMs += struck
      if (child.connected) child.send({ ...reply, offMs: story.offMs }, () => {})
    }
  })
}

/** Stops a process where it holds the file's lock, or where it does not. False when it ended before it was caught so. */
async function stopChild(child: ChildProcess, path: string, inside: boolean): Promise<boolean> {
  const db = new DatabaseSync(path, { timeout: 0 })
  const locked = (): boolean => {
    try {
      db.exec('BEGIN IMMEDIATE; ROLLBACK')
      return false
    } catch {
      return true
    }
  }
  try {
    for (let tries = 0; child.exitCode === null && child.signalCode === null; tries++) {
      child.kill('SIGSTOP')
      if (locked() === inside || tries > 3_000) return locked() === inside
      child.kill('SIGCONT')
      await new Promise((resolve) => setTimeout(resolve, tries % 7))
    }
    return false
  } finally {
    db.close()
  }
}

/** Lets processes that stand still go on after the job's end, and waits for what they try. */
async function release(children: readonly ChildProcess[], broken: string[]): Promise<void> {
  const still = children.slice(0, -1).filter((child) => child.exitCode === null && child.signalCode === null)
  for (const child of still) child.kill('SIGCONT')
  if (still.length > 0) await new Promise((resolve) => setTimeout(resolve, 700))
  for (const child of still) if (child.exitCode) broken.push(`a process that stood still died with ${child.exitCode}`)
}

async function perform(world: World, { port, method, args }: Call): Promise<unknown> {
  const [kind, id] = port.split(' ')
  if (kind === 'commit') return undefined
  if (kind === 'deliver')
    return world.ports('parent').deliver(args[0] as never, { signal: new AbortController().signal, moved: () => {} })
  const target =
    kind === 'farm'
      ? world.farms.get(id!)!
      : kind === 'checker'
        ? world.checkers.find((one) => one.id === id)!
        : kind === 'ledger'
          ? world.ledger
          : world.artifacts
  const given = kind === 'farm' && method === 'stage' ? [args[0], world.artifacts, args[2]] : args
  const result = await (target as unknown as Record<string, (...all: readonly unknown[]) => Promise<unknown>>)[method]!(...given)
  const body = result as { stream?: AsyncIterable<Uint8Array>; bytes: number } | undefined
  if (!body?.stream) return result
  const parts: Uint8Array[] = []
  for await (const part of body.stream) parts.push(part)
  return { bytes: body.bytes, parts }
}

async function check(world: World, path: string, broken: string[]): Promise<void> {
  broken.push(...world.ledger.violations)
  const db = new DatabaseSync(path, { timeout: 10_000 })
  const { integrity_check: integrity } = db.prepare('PRAGMA integrity_check').get() as { integrity_check: string }
  if (integrity !== 'ok') broken.push(`integrity_check: ${integrity}`)
  db.close()
  const store = sqliteStore(path)
  const state = jobMachine.empty('job:check')
  for (const fact of await store.read(world.order.run, 0, 100_000))
    if (fact.stream.startsWith('job:')) jobMachine.evolve(state, readFact<JobFact>(fact.body, fact.stream))
  await store.close()
  if (state.delivered !== world.order.work.length)
    broken.push(`${state.delivered} of ${world.order.work.length} frames are delivered in the journal`)
  for (const [frame, { hash }] of world.delivered)
    if (hash !== sha256(simulatedContent({ run: world.order.run }, Number(frame), true)))
      broken.push(`frame ${frame} lies there with wrong bytes`)
  if (world.delivered.size !== world.order.work.length) broken.push(`${world.delivered.size} frames lie there`)
  const money = world.ledger.total(state.job!)
  if (money.locked + money.pending !== 0n) broken.push('money is left over')
  if (money.released !== state.money.paid || money.refunded !== state.money.refunded)
    broken.push('the journal and the ledger disagree about money')
  for (const farm of world.farms.values()) {
    for (const [attempt, times] of farm.stats.tasksByAttempt)
      if (times > 1) broken.push(`${farm.id}: ${attempt} was ordered ${times} times`)
    for (const [frame, times] of farm.stats.renders)
      if (times > 1) broken.push(`${farm.id}: ${frame} was rendered ${times} times`)
  }
}

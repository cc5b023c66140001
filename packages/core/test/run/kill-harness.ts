import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
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

export interface KillOptions {
  readonly name: string
  /** Kills for each process in turn: at this call (from 1), before or after its effect. The process after the last one lives. */
  readonly kills: readonly { readonly atCall: number; readonly effect: 'before' | 'after' }[]
  /** The first process stands still at this call and goes on when the job has ended. */
  readonly stopAtCall?: number
}

export interface KillReport {
  readonly broken: string[]
  readonly calls: number
  readonly kills: number
  readonly outcome: string
}

/** Runs a job of 8 frames in child processes that are killed with -9 at chosen calls, and checks what is on disk, at the farms and on the ledger afterwards. */
export async function killedJob(options: KillOptions): Promise<KillReport> {
  const dir = mkdtempSync(join(tmpdir(), 'pictor-kill-'))
  const db = join(dir, 'pictor.db')
  const world = simulatedWorld({
    name: options.name,
    frames: 8,
    clock: systemClock() as VirtualClock,
    farms: [
      { id: 'one', slots: 1, msPerWork: 10, pollMs: 10 },
      { id: 'two', slots: 2, msPerWork: 15, pollMs: 10 },
    ],
    checkers: [{ id: 'a', workMs: 2, pollMs: 10, faults: {} }],
    quorum: 1,
    ledger: { pollMs: 10 },
    order: { leaseMs: 20, options: { batchWaitMs: 20 } },
  })
  const broken: string[] = []
  const children: ChildProcess[] = []
  let outcome = 'none'
  let calls = 0
  let kills = 0
  try {
    for (let n = 0; n <= options.kills.length && outcome === 'none'; n++) {
      const kill = options.kills[n]
      const stopAt = n === 0 ? options.stopAtCall : undefined
      const ended = await oneProcess(world, db, `owner-${n}`, kill, stopAt, children, (count) => (calls = count))
      if (ended === 'killed') kills++
      else if (ended !== 'stopped') outcome = ended
      // A stopped process is followed by one more that does the work.
      if (ended === 'stopped') outcome = await oneProcess(world, db, 'successor', undefined, undefined, children, () => {})
    }
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGCONT')
    if (options.stopAtCall !== undefined) await new Promise((resolve) => setTimeout(resolve, 700))
    await check(world, db, broken)
  } finally {
    for (const child of children) child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
  if (outcome !== 'done') broken.push(`the job ended as ${outcome}`)
  return { broken, calls, kills, outcome }
}

function oneProcess(
  world: World,
  db: string,
  owner: string,
  kill: KillOptions['kills'][number] | undefined,
  stopAt: number | undefined,
  children: ChildProcess[],
  count: (calls: number) => void,
): Promise<string> {
  const child = fork(new URL('kill-child.ts', import.meta.url), [], {
    serialization: 'advanced',
    execArgv: ['--conditions=source', '--no-warnings'],
  })
  children.push(child)
  const start: ChildStart = {
    db,
    owner,
    order: world.order,
    farms: [...world.farms.keys()],
    checkers: world.checkers.map(({ id, address }) => ({ id, address })),
    ledger: { domain: world.ledger.domain, supports: world.ledger.supports, label: world.ledger.label },
  }
  child.send({ start })
  let calls = 0
  return new Promise((resolve) => {
    child.on('message', (message: Call & { done?: { outcome: string } }) => {
      if (message.done) return resolve(message.done.outcome)
      count(++calls)
      void answer(message, calls)
    })
    child.on('exit', (_code, signal) => resolve(signal === 'SIGKILL' ? 'killed' : 'died'))
    async function answer(message: Call, at: number): Promise<void> {
      if (stopAt === at) {
        await stopBetweenCommits(child, db)
        resolve('stopped')
      }
      const doomed = kill?.atCall === at
      if (doomed && kill.effect === 'before') return void child.kill('SIGKILL')
      const reply = await perform(world, message).then(
        (result) => ({ id: message.id, result }),
        (error: { code?: string; message: string; details?: object }) => ({
          id: message.id,
          error: { code: error.code ?? 'internal', message: error.message, details: error.details ?? {} },
        }),
      )
      if (doomed) return void child.kill('SIGKILL')
      if (child.connected) child.send(reply, () => {})
    }
  })
}

/** A process that stands still inside a transaction holds the file's lock, and nobody can go on: it is stopped a moment later then. */
async function stopBetweenCommits(child: ChildProcess, path: string): Promise<void> {
  const db = new DatabaseSync(path, { timeout: 200 })
  for (let locked = true; locked;) {
    child.kill('SIGSTOP')
    try {
      db.exec('BEGIN IMMEDIATE; ROLLBACK')
      locked = false
    } catch {
      child.kill('SIGCONT')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  db.close()
}

async function perform(world: World, { port, method, args }: Call): Promise<unknown> {
  const [kind, id] = port.split(' ')
  if (kind === 'deliver') return world.ports('parent').deliver(args[0] as never)
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
    if (hash !== sha256(simulatedContent({ run: world.order.run }, frame, true)))
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

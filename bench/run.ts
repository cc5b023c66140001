// pnpm bench run [frames...]: the runner over 20 simulated farms with node:sqlite, synchronous=FULL: end to end, memory, journal, resume. 1e6 frames only when asked for.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Artifacts, Bytes32, Ledger } from '../packages/core/src/contract/index.ts'
import { folderArtifacts } from '../packages/core/src/artifacts/index.ts'
import { createRunner } from '../packages/core/src/run/index.ts'
import { simulatedWorld, virtualClock, type World } from '../packages/core/src/simulate/index.ts'
import { sqliteStore, type Store } from '../packages/core/src/store/index.ts'
import type { Bench, BenchRow } from '../scripts/bench.ts'

const FRAMES_A_TASK = 20

export const bench: Bench = async (report, args) => {
  if (args[0] === 'child') return child(args)
  if (args[0] === 'resume') return resume(args)
  const sizes = args.length > 0 ? args.map(Number) : [1e4, 1e5]
  await appends(report)
  await submits(report)
  for (const frames of sizes) {
    const dir = mkdtempSync(join(tmpdir(), 'pictor-bench-'))
    try {
      const script = new URL('../scripts/bench.ts', import.meta.url).pathname
      // The heap that a million frames need, and no more: memory that is never asked back would say nothing about what is kept.
      const flags = ['--conditions=source', '--no-warnings', '--max-old-space-size=260', '--max-semi-space-size=8']
      const run = promisify(execFile)
      for (const part of ['child', 'resume']) {
        const { stdout } = await run(process.execPath, [...flags, script, 'run', '--', part, String(frames), dir], {
          maxBuffer: 1e8,
        })
        for (const line of stdout.split('\n')) if (line.startsWith('{')) report(JSON.parse(line) as BenchRow)
      }
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** Frames' bytes are not kept: a simulated frame says all about itself. What is read back (votes, batches) goes to a folder. */
function leanArtifacts(dir: string): Artifacts {
  const folder = folderArtifacts(dir)
  return {
    ...folder,
    async put(source) {
      if (!(source instanceof Uint8Array) || source[0] !== 's'.charCodeAt(0)) return folder.put(source)
      const hash: Bytes32 = `0x${createHash('sha256').update(source).digest('hex')}`
      return { hash, bytes: source.length }
    },
    has: async () => false,
  }
}

/** Counts operations that are under way, so that simulated time waits for real files. */
function counting<T extends object>(port: T, open: { count: number }): T {
  const methods = Object.entries(port).map(([name, method]) => [
    name,
    (...all: unknown[]) => {
      open.count++
      return Promise.resolve((method as (...args: unknown[]) => unknown)(...all)).finally(() => open.count--)
    },
  ])
  return Object.fromEntries(methods) as T
}

/** Twenty farms of five hosts, a checker and a ledger that keep nothing of what is over. */
function network(frames: number, store: Store, dir: string, open: { count: number; late: number }, startMs?: number): World {
  return simulatedWorld({
    name: `bench ${frames}`,
    frames,
    farms: Array.from({ length: 20 }, (_, i) => ({
      id: `farm-${i}`,
      slots: 5,
      msPerWork: 1000,
      pollMs: 5_000,
      lean: true,
    })),
    checkers: [{ id: 'a', workMs: 1_000, pollMs: 2_000, lean: true }],
    quorum: 1,
    ledger: { lean: true, pollMs: 5_000 },
    store: store,
    artifacts: counting(leanArtifacts(join(dir, 'artifacts')), open),
    // One more turn after the last file operation, for what it has set going.
    clock: virtualClock(startMs, { busy: () => (open.count > 0 ? ((open.late = 2), true) : open.late-- > 0) }),
    deadlineMs: 30 * 24 * 3_600_000,
    order: { leaseMs: FRAMES_A_TASK * 1000, options: { batchLeases: 256, hedge: false } },
    tuning: { reconcileMs: 3_600_000, downloadsAtOnce: 1_000 },
  })
}

async function child(args: readonly string[]): Promise<void> {
  const frames = Number(args[1])
  const dir = args[2]!
  const print = (name: string, value: number, unit: string, note?: string): void =>
    console.log(JSON.stringify({ name: `${frames} frames: ${name}`, value, unit, ...(note ? { note } : {}) }))
  const open = { count: 0, late: 0 }
  const store = sqliteStore(join(dir, 'pictor.db'))
  let facts = 0
  const counted = counting<Store>(
    {
      ...store,
      append: (stream, fence, seq, list, options) => ((facts += list.length), store.append(stream, fence, seq, list, options)),
    },
    open,
  )
  const world = network(frames, counted, dir, open)
  const delivered = { count: 0 }
  const ports = {
    ...world.ports('bench'),
    deliver: async ({ frame }: { frame: number }) => (
      (delivered.count += 1),
      { path: `/out/frame_${String(frame).padStart(7, '0')}.png` }
    ),
  }
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 100)
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const runner = createRunner(ports)
  const run = await runner.submit(world.order)
  const submitMs = performance.now() - startedAt
  // Checked in steps: looking at the state of a million frames after every sleeper would be the benchmark.
  let copied = false
  while (run.state().phase !== 'ended') {
    await world.clock.run(() => false, { maxSteps: Math.min(200, Math.ceil(frames / 1_000)) })
    // What a process that is killed now leaves behind: nothing writes during these two lines.
    if (!copied && run.state().framesDelivered > frames * 0.6) {
      copied = true
      for (const end of ['', '-wal']) copyFileSync(join(dir, `pictor.db${end}`), join(dir, `killed.db${end}`))
    }
  }
  const wallS = (performance.now() - startedAt) / 1000
  const used = process.cpuUsage(cpu)
  clearInterval(watch)
  const state = run.state()
  print('tasks', world.order.leases.length, 'leases')
  print('submit until durable', submitMs, 'ms', 'with all leases of set 0')
  print('end to end', wallS, 's')
  print('cpu', (used.user + used.system) / 1e6, 's')
  print(
    'peak memory',
    Math.max(peak, process.resourceUsage().maxRSS * 1024) / 2 ** 20,
    'MiB',
    'farms, checker, ledger and runner in one process',
  )
  print('journal', statSync(join(dir, 'pictor.db')).size / 2 ** 20, 'MiB')
  print('facts', facts, 'facts')
  print('frame events journaled', frames / wallS, 'frames/s', `${state.outcome}, ${delivered.count} delivered`)
  await runner.close()
  await store.close()
}

/** Another process takes up the job that was killed when six of ten frames lay there. */
async function resume(args: readonly string[]): Promise<void> {
  const frames = Number(args[1])
  const dir = args[2]!
  const open = { count: 0, late: 0 }
  const store = sqliteStore(join(dir, 'killed.db'))
  // A month later: the claim of the dead process is over.
  const world = network(frames, store, dir, open, 1_800_000_000_000 + 30 * 24 * 3_600_000)
  const [cpu, startedAt] = [process.cpuUsage(), performance.now()]
  const runner = createRunner(world.ports('successor'))
  const run = await runner.attach(world.order.run)
  const seconds = (performance.now() - startedAt) / 1000
  const used = process.cpuUsage(cpu)
  const row = (name: string, value: number, unit: string, note: string): void =>
    console.log(JSON.stringify({ name: `${frames} frames: ${name}`, value, unit, note }))
  row('resume after a kill', seconds, 's', `until every open command runs again, ${run.state().framesDelivered} delivered`)
  row('resume after a kill, cpu', (used.user + used.system) / 1e6, 's', 'all threads')
  process.exit(0)
}

/** From the call of submit to the first call to the ledger: the order is checked, journaled and durable in between. */
async function submits(report: (row: BenchRow) => void): Promise<void> {
  for (const frames of [240, 10_000]) {
    const dir = mkdtempSync(join(tmpdir(), 'pictor-bench-'))
    const store = sqliteStore(join(dir, 'pictor.db'))
    const took: number[] = []
    for (let n = 0; n < 9; n++) {
      const world = simulatedWorld({
        name: `submit ${frames} ${n}`,
        frames,
        farms: Array.from({ length: 20 }, (_, i) => ({ id: `farm-${i}`, slots: 5 })),
        checkers: [{ id: 'a' }],
        quorum: 1,
        store,
        order: { leaseMs: FRAMES_A_TASK * 1000 },
      })
      let first: (atMs: number) => void
      const called = new Promise<number>((resolve) => (first = resolve))
      const open: Ledger['open'] = (...all) => (first(performance.now()), world.ledger.open(...all))
      const runner = createRunner({ ...world.ports(`submit ${n}`), ledger: { ...world.ledger, open } })
      const startedAt = performance.now()
      await runner.submit(world.order)
      took.push((await called) - startedAt)
      await runner.close()
    }
    const [cold, ...warm] = took
    report({ name: `submit to first command, ${frames} frames, first job of a process`, value: cold!, unit: 'ms' })
    report({
      name: `submit to first command, ${frames} frames, later jobs (median)`,
      value: warm.sort((a, b) => a - b)[4]!,
      unit: 'ms',
    })
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Durable frame facts a second, synchronous=FULL: batches of 20 frames of many tasks, as the runner writes them. */
async function appends(report: (row: BenchRow) => void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'pictor-bench-'))
  try {
    const store = sqliteStore(join(dir, 'pictor.db'))
    const fence = (await store.claim('0xaa', 'bench', Date.now(), 1e9))!
    const body = JSON.stringify({
      v: 1,
      at: Date.now(),
      t: 'fetched',
      frames: Array.from({ length: 20 }, (_, i) => i),
      hashes: 'a'.repeat(64 * 20),
      ms: Array.from({ length: 20 }, () => 1000),
      ago: Array.from({ length: 20 }, () => 10),
    })
    const tasks = 4_000
    const startedAt = performance.now()
    for (let from = 0; from < tasks; from += 200)
      await Promise.all(Array.from({ length: 200 }, (_, i) => store.append(`task:0xaa:${from + i}`, fence, 0, [body])))
    const frames = (tasks * 20) / ((performance.now() - startedAt) / 1000)
    report({
      name: 'frame facts made durable (batches of 20)',
      value: frames,
      unit: 'frames/s',
      note: 'synchronous=FULL, 200 tasks a transaction',
    })
    await store.close()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { selfHosted } from '@pictor/adapter-selfhosted'
import type { Farm, Task, TaskRef } from '@pictor/core/contract'
import { remoteFarm, serveFarm } from '@pictor/farm-protocol'
import { folderArtifacts } from '../../packages/core/src/artifacts/index.ts'
import type { BenchRow } from '../../scripts/bench.ts'

const TOKEN = 'two-hosts-bench-0001'
/** Frames of one lease: short, so that the slower host does not decide the end. */
const CHUNK = 5

/** What a child does: a render host of one slot, pinned to one core by its parent. Prints its address. */
export async function serveHost(folder: string, name: string): Promise<void> {
  const farm = selfHosted({ id: name, workDir: join(folder, name, 'farm'), threadsPerSlot: 1 })
  const server = await serveFarm(farm, {
    tokens: [{ token: TOKEN }],
    files: folderArtifacts(join(folder, name, 'files')),
    uploads: join(folder, name, 'uploads'),
    rate: { perSecond: 1000, burst: 1000 },
  })
  console.log(server.url)
}

/** One job on one host and the same job on two, each a farm behind the protocol on a port of its own and pinned to one core: the share of the time that two need. */
export async function twoHosts(report: (row: BenchRow) => void, folder: string, scene: string, frames: number): Promise<void> {
  if (availableParallelism() < 2 || spawnSync('taskset', ['--version']).status !== 0) {
    console.log('two hosts: needs two cores and taskset, not measured here')
    return
  }
  const { spec, bundle } = JSON.parse(readFileSync(join(folder, `${scene}.json`), 'utf8')) as Pick<Task, 'spec' | 'bundle'>
  const files = folderArtifacts(join(folder, 'artifacts'))
  const hosts = await Promise.all([0, 1].map((core) => startHost(folder, `host-${core}`, core)))
  try {
    const farms = hosts.map(({ url }, i) => remoteFarm({ url, token: TOKEN, id: `host-${i}` }))
    const stages = await Promise.all(farms.map((farm) => farm.stage(bundle, files, { key: 'stage' })))
    const chunk = async (farm: number, list: readonly number[], key: string): Promise<void> => {
      const task: Task = {
        contract: 1,
        run: 'bench',
        id: 1,
        attempt: 1,
        purpose: 'render',
        bundle,
        stage: stages[farm]!,
        spec,
        work: { kind: 'frames', frames: list },
      }
      await finished(farms[farm]!, await farms[farm]!.submit(task, { key }))
    }
    // Both warm: what is compared is rendering.
    await Promise.all([0, 1].map((farm) => chunk(farm, [1], `warm-${farm}`)))
    const job = async (
      on: readonly number[],
      name: string,
    ): Promise<{ readonly wallS: number; readonly cpuS: readonly number[] }> => {
      const chunks = Array.from({ length: Math.ceil(frames / CHUNK) }, (_, i) =>
        Array.from({ length: Math.min(CHUNK, frames - i * CHUNK) }, (__, j) => 1 + i * CHUNK + j),
      )
      const before = hosts.map(({ child }) => cpuSecondsOf(child.pid!))
      const start = performance.now()
      await Promise.all(
        on.map(async (farm) => {
          for (let next = chunks.shift(); next; next = chunks.shift()) await chunk(farm, next, `${name}-${next[0]}`)
        }),
      )
      return {
        wallS: (performance.now() - start) / 1000,
        cpuS: hosts.map(({ child }, i) => cpuSecondsOf(child.pid!) - before[i]!),
      }
    }
    const one = await job([0], 'one')
    const two = await job([0, 1], 'two')
    const note = `${frames} frames, leases of ${CHUNK}, two hosts of one core each behind the farm protocol; goal <= 0.56`
    report({ name: 'two hosts: wall time', value: two.wallS, unit: 's', peer: 'one host', peerValue: one.wallS, note })
    report({
      name: 'two hosts: CPU of the busier host',
      value: Math.max(...two.cpuS),
      unit: 'CPU s',
      peer: 'one host',
      peerValue: one.cpuS[0]!,
      note: 'what the wall time is on a quiet machine',
    })
  } finally {
    for (const { child } of hosts) child.kill('SIGKILL')
  }
}

async function startHost(
  folder: string,
  name: string,
  core: number,
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  mkdirSync(join(folder, name), { recursive: true })
  const script = join(folder, name, 'host.ts')
  writeFileSync(
    script,
    `await (await import(${JSON.stringify(import.meta.url)})).serveHost(${JSON.stringify(folder)}, ${JSON.stringify(name)})\n`,
  )
  const child = spawn('taskset', ['-c', String(core), process.execPath, '--conditions=source', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) return { child, url: line }
  throw new Error(`${name} did not start`)
}

async function finished(farm: Farm, ref: TaskRef): Promise<void> {
  for (let cursor: string | undefined; ;) {
    const page = await farm.poll({ scope: [ref], ...(cursor === undefined ? {} : { cursor }) }, { key: 'poll' })
    cursor = page.cursor
    for (const event of page.events) {
      if (event.type !== 'state') continue
      if (event.state === 'succeeded') return
      if (event.state === 'failed') throw new Error(event.failure?.message)
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(page.waitMs, 100)))
  }
}

/** User and system time of a process and all below it. Fields 14 and 15 of /proc/PID/stat, in ticks of 10 ms (proc(5)). */
function cpuSecondsOf(pid: number): number {
  const all = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
  const below = (root: number): number[] => [
    root,
    ...all.filter(([, parent]) => parent === root).flatMap(([child]) => below(child)),
  ]
  return below(pid).reduce((sum, one) => {
    try {
      const stat = readFileSync(`/proc/${one}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return sum + (Number(fields[11]) + Number(fields[12])) / 100
    } catch {
      return sum
    }
  }, 0)
}

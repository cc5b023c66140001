import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import type { Task } from '@pictor/core/contract'
import { folderArtifacts } from '../../packages/core/src/artifacts/index.ts'
import type { BenchRow } from '../../scripts/bench.ts'

interface Cost {
  /** User and system time of the command and all its children, seconds. */
  readonly cpuS: number
  readonly wallS: number
  readonly stdout: string
}

/** Runs a command and measures what it and its children used (bash's `time`). */
async function measured(argv: readonly string[], cwd: string): Promise<Cost> {
  const quoted = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const child = spawn('bash', ['-c', `TIMEFORMAT='TIMES %U %S %R'; time ${quoted}`], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  const times = /TIMES ([\d.]+) ([\d.]+) ([\d.]+)/.exec(stderr)
  if (code !== 0 || !times) throw new Error(`${argv[0]} failed (${String(code)}): ${stderr.slice(-800)}${stdout.slice(-800)}`)
  return { cpuS: Number(times[1]) + Number(times[2]), wallS: Number(times[3]), stdout }
}

/** What the first measured child does: inspects a scene and bundles it for the second. */
export async function prepare(folder: string, scene: string): Promise<void> {
  const inspector = blendInspector()
  const inspection = await inspector.inspect(join(folder, scene), {}, { key: 'inspect' })
  const bundle = await inspector.bundle(inspection, folderArtifacts(join(folder, 'artifacts')), { key: 'bundle' })
  writeFileSync(join(folder, `${scene}.json`), JSON.stringify({ spec: inspection.spec, bundle }))
}

/** What the second measured child does: one job on a farm of one slot. Prints a line of JSON. */
export async function runJob(folder: string, scene: string, frames: number, round: number): Promise<void> {
  const files = folderArtifacts(join(folder, 'artifacts'))
  const { spec, bundle } = JSON.parse(readFileSync(join(folder, `${scene}.json`), 'utf8')) as Pick<Task, 'spec' | 'bundle'>
  const workDir = join(folder, `farm-${scene}-${round}`)
  const farm = selfHosted({ id: 'bench', workDir, threadsPerSlot: 1 })
  await farm.describe({ key: 'look' }) // asks each Blender for its version, once a process
  const stage = await farm.stage(bundle, files, { key: 'stage' })
  const before = process.cpuUsage()
  const hostStartS = (before.user + before.system) / 1e6 + waitedChildrenS()
  const list = Array.from({ length: frames }, (_, i) => i + 1)
  const task: Task = {
    contract: 1,
    run: 'bench',
    id: 1,
    attempt: 1,
    purpose: 'render',
    bundle,
    stage,
    spec,
    work: { kind: 'frames', frames: list },
  }
  const ref = await farm.submit(task, { key: 'job' })
  const late: number[] = []
  const renderMs: number[] = []
  let cursor: string | undefined
  for (let ended = false; !ended;) {
    const page = await farm.poll(cursor === undefined ? {} : { cursor }, { key: 'poll' })
    cursor = page.cursor
    for (const event of page.events) {
      if (event.type === 'output') {
        // Since Blender last wrote to the file: moving, checking, keeping and telling all count.
        late.push(Date.now() - statSync(join(workDir, 'tasks', ref.ref, event.output.name)).mtimeMs)
        renderMs.push(event.output.renderMs ?? 0)
      }
      if (event.type === 'state' && event.task.ref === ref.ref && ['succeeded', 'failed'].includes(event.state)) {
        ended = true
        if (event.state === 'failed') throw new Error(event.failure?.message)
      }
    }
    await new Promise((resolve) => setTimeout(resolve, page.waitMs))
  }
  const after = process.cpuUsage(before)
  await farm.close?.()
  late.sort((a, b) => a - b)
  const hostCpuMs = (after.user + after.system) / 1000 / frames
  const [lateP50Ms, lateP99Ms] = [0.5, 0.99].map((share) => late[Math.floor(late.length * share)])
  console.log(JSON.stringify({ hostCpuMs, hostStartS, firstFrameMs: renderMs[0], lateP50Ms, lateP99Ms }))
}

/** User and system time of children that have ended: fields 16 and 17 of /proc/self/stat, in ticks of 10 ms (proc(5)). */
function waitedChildrenS(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

interface JobFigures {
  readonly hostCpuMs: number
  readonly hostStartS: number
  readonly firstFrameMs: number
  readonly lateP50Ms: number
  readonly lateP99Ms: number
}

const GOALS: Readonly<Record<string, string>> = { hdri: '<= 0.2', plain: '<= 0.5', heavy: '<= 1.02' }

/** Contenders that are near each other run in turn so often, and the median of each counts: the machine may be busy. */
const ROUNDS = 3

/** One scene on one slot beside Blender from the command line, in CPU seconds a frame. */
export async function oneSlot(report: (row: BenchRow) => void, folder: string, scene: string, frames: number): Promise<void> {
  const blender = async (name: string, frameArgs: readonly string[], before: readonly string[] = []): Promise<number> => {
    const out = join(folder, `${scene}-${name}`)
    mkdirSync(out)
    const flags = '-b --factory-startup -Y -t 1'.split(' ')
    const argv = ['blender', ...flags, join(folder, `${scene}.blend`), ...before, '-o', join(out, '####'), ...frameArgs]
    const { cpuS } = await measured(argv, folder)
    if (readdirSync(out).length === 0) throw new Error(`blender ${frameArgs.join(' ')} left no frame`)
    return cpuS
  }
  const all = (step = 1) => ['-s', '1', '-e', String(frames), '-j', String(step), '-a']
  const module = new URL(import.meta.url).href
  const call = (code: string) =>
    measured(['node', '--conditions=source', '--input-type=module', '-e', `await (await import('${module}')).${code}`], folder)
  const inspection = await call(`prepare('${folder}', '${scene}.blend')`)
  const persist = ['--python-expr', 'import bpy; bpy.context.scene.render.use_persistent_data = True']
  const ours: (JobFigures & { readonly cpuS: number })[] = []
  const kept: number[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const { cpuS, stdout } = await call(`runJob('${folder}', '${scene}.blend', ${frames}, ${round})`)
    const figures = JSON.parse(stdout.trim().split('\n').at(-1)!) as JobFigures
    // The host process serves many jobs: its start stands in a row of its own. Blender's start is part of the job.
    ours.push({ ...figures, cpuS: cpuS - figures.hostStartS })
    kept.push(await blender(`persistent-${round}`, all(), persist))
  }
  const found = median(ours, ({ cpuS }) => cpuS)
  const row = (peer: string, peerCpuS: number, goal: string, note = '') =>
    report({
      name: `${scene}: self-hosted farm`,
      value: found.cpuS / frames,
      unit: 'CPU s/frame',
      peer,
      peerValue: peerCpuS,
      note: `${frames} frames, Blender’s start and the host process included${note}; goal ${goal}`,
    })
  row('-a, persistent data', median(kept, (cpuS) => cpuS) / frames, '<= 1.05')
  report({
    name: `${scene}: the same, round by round`,
    value: median(
      ours.map(({ cpuS }, i) => cpuS / kept[i]!),
      (ratio) => ratio,
    ),
    unit: 'ratio',
    note: ours.map(({ cpuS }, i) => (cpuS / kept[i]!).toFixed(3)).join(', '),
  })
  if (scene === 'heavy') row('blender -a', (await blender('a', all())) / frames, GOALS[scene]!)
  else {
    const singles: number[] = []
    for (const frame of [1, Math.ceil(frames / 2), frames]) singles.push(await blender(`single-${frame}`, ['-f', String(frame)]))
    const single = singles.reduce((sum, cpuS) => sum + cpuS, 0) / singles.length // Blender's start and a frame
    const fewer = Math.ceil(frames / 4)
    const each = ((await blender('a', all(4))) - single) / (fewer - 1)
    row('blender -a', (single + each * (frames - 1)) / frames, GOALS[scene]!, `; -a from 1 and ${fewer} of its frames`)
    row('one process a frame', single, '<= 0.15', `; ${singles.length} such processes`)
  }
  report({ name: `${scene}: inspection`, value: inspection.cpuS, unit: 'CPU s' })
  report({ name: `${scene}: host process`, value: found.hostCpuMs, unit: 'ms/frame', note: 'goal < 15' })
  report({
    name: `${scene}: start of the host process`,
    value: found.hostStartS,
    unit: 'CPU s',
    note: '`blender --version` included',
  })
  report({ name: `${scene}: start to first frame`, value: found.firstFrameMs / 1000, unit: 's' })
  const late = `p50 ${found.lateP50Ms.toFixed(1)} ms`
  report({ name: `${scene}: frame on disk to event, p99`, value: found.lateP99Ms, unit: 'ms', note: `${late}; goal < 50` })
}

/** The middle one by `key`, the lower of two. */
function median<T>(values: readonly T[], key: (value: T) => number): T {
  return [...values].sort((a, b) => key(a) - key(b))[(values.length - 1) >> 1]!
}

// pnpm bench gpu [SCENE.blend] [--frames N] [--samples N]: what the self-hosted farm makes of this machine's GPU: the cards found, time a frame beside
// `blender -a` on the same card and beside this farm's CPU, and whether a checker on the CPU can judge frames of the GPU. Needs a GPU that Cycles can use.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import type { Farm } from '@pictor/core/contract'
import { decodeImage } from '@pictor/image'
import { folderArtifacts } from '../packages/core/src/artifacts/index.ts'
import {
  compareSeedLocked,
  compareWithReferences,
  judgeReferences,
  seedLockedTolerance,
  toPicture,
  withinTolerance,
  type Picture,
} from '../packages/checker/src/index.ts'
import { ownRenderer, type OwnRender } from '../packages/checker/src/render/own-renders.ts'
import type { Bench } from '../scripts/bench.ts'

type Report = Parameters<Bench>[0]

interface Rendered {
  readonly pictures: readonly Picture[]
  /** Seconds a frame, the first left out: it holds the loading of the scene and of the kernels. */
  readonly frameS: number
}

interface Job {
  readonly folder: string
  readonly scene: string
  readonly frames: readonly number[]
  readonly samples: number
  /** Renders all frames. `round` tells repetitions apart, which a farm would otherwise take for the same tasks. */
  render(farm: Farm, seed: number, samples: number, round?: number): Promise<Rendered>
}

async function jobOf(folder: string, scene: string, frameCount: number, samples: number): Promise<Job> {
  const inspector = blendInspector()
  const files = folderArtifacts(join(folder, 'artifacts'))
  const inspection = await inspector.inspect(scene, {}, { key: 'inspect' })
  const bundle = await inspector.bundle(inspection, files, { key: 'bundle' })
  const frames = Array.from({ length: frameCount }, (_, i) => i + 1)
  return {
    folder,
    scene,
    frames,
    samples,
    async render(farm, seed, count, round = 1) {
      const run = `gpu-${farm.id}-${seed}-${count}-${round}`
      const renderer = ownRenderer({ farm, run, bundle, files, spec: inspection.spec, timeoutMs: 600_000 })
      const requests = frames.map((frame): OwnRender => ({ frame, window: { seed, samples: count } }))
      const results = await renderer.render(requests, { key: run })
      const failed = results.find((result) => !result.bytes)
      if (failed) throw new Error(`${farm.id} did not render: ${failed.failure}`)
      const steady = results.slice(1).reduce((sum, result) => sum + result.renderMs, 0)
      return {
        pictures: results.map((result) => toPicture(decodeImage(result.bytes!))!),
        frameS: steady / 1000 / (frames.length - 1),
      }
    },
  }
}

/** `blender -a` on the card, as a farm's script would start it; seconds a frame between the first file and the last. */
function plainBlender(job: Job, device: string): number {
  const out = join(job.folder, 'plain')
  mkdirSync(out)
  const script = join(job.folder, 'plain.py')
  writeFileSync(
    script,
    `import bpy, time
scene = bpy.context.scene
scene.cycles.samples, scene.render.use_persistent_data, times = ${job.samples}, False, []
bpy.app.handlers.render_write.append(lambda *_: times.append(time.monotonic()))
scene.frame_start, scene.frame_end, scene.render.filepath = 1, ${job.frames.length}, ${JSON.stringify(join(out, '####'))}
bpy.ops.render.render(animation=True)
print('STEADY', (times[-1] - times[0]) / (len(times) - 1))
`,
  )
  const argv = ['-b', '--factory-startup', '-Y', job.scene, '-P', script, '--', '--cycles-device', device]
  const done = spawnSync('blender', argv, { encoding: 'utf8', maxBuffer: 2 ** 28 })
  const found = /STEADY ([\d.]+)/.exec(done.stdout)
  if (!found) throw new Error(`blender -a on ${device} failed: ${done.stdout.slice(-600)}${done.stderr.slice(-600)}`)
  return Number(found[1])
}

function judge(report: Report, gpu: Rendered, short: Rendered, again: Rendered, references: readonly [Rendered, Rendered]): void {
  const alarms = (made: Rendered) =>
    made.pictures.filter(
      (picture, i) =>
        judgeReferences(compareWithReferences(picture, references[0].pictures[i]!, references[1].pictures[i]!)).length > 0,
    ).length
  const limit = seedLockedTolerance(8)
  const agree = (a: Rendered, b: Rendered) =>
    a.pictures.filter((picture, i) => withinTolerance(compareSeedLocked(picture, b.pictures[i]!, limit), limit)).length
  const unit = `of ${gpu.pictures.length}`
  report({
    name: 'honest GPU frames refused by the CPU',
    value: alarms(gpu),
    unit,
    note: 'two CPU renders of other seeds; goal 0',
  })
  report({ name: 'a quarter of the samples, found by the CPU', value: alarms(short), unit, note: 'goal: all' })
  report({ name: 'same card, same seed: within tight tolerance', value: agree(gpu, again), unit })
  report({
    name: 'GPU and CPU, same seed: within tight tolerance',
    value: agree(gpu, references[0]),
    unit,
    note: 'tight tolerance is for one device class',
  })
}

/** Rows for the card, for speed and for judging across device classes. */
export const bench: Bench = async (report, args) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { frames: { type: 'string', default: '12' }, samples: { type: 'string', default: '64' } },
  })
  const scene = resolve(positionals[0] ?? new URL('../examples/scenes/orrery.blend', import.meta.url).pathname)
  const folder = mkdtempSync(join(tmpdir(), 'pictor-bench-gpu-'))
  const farmOf = (id: 'gpu' | 'cpu') =>
    selfHosted({ id, workDir: join(folder, id), devices: id, slots: 1, threadsPerSlot: availableParallelism() })
  const gpuFarm = farmOf('gpu')
  const cpuFarm = farmOf('cpu')
  try {
    const info = await gpuFarm.describe({ key: 'describe' })
    const kinds = info.software[0]?.devices ?? []
    console.log(JSON.stringify(info.ext))
    if (info.slots === 0 || !kinds[0]) {
      console.log('no GPU that Cycles can use was found; nothing was measured')
      return
    }
    const job = await jobOf(folder, scene, Number(values.frames), Number(values.samples))
    const gpu = await job.render(gpuFarm, 1, job.samples)
    const again = await job.render(gpuFarm, 1, job.samples, 2)
    const short = await job.render(gpuFarm, 3, Math.round(job.samples / 4))
    const plainS = plainBlender(job, kinds[0])
    report({
      name: `${kinds[0]}: farm`,
      value: gpu.frameS,
      unit: 's/frame',
      peer: 'blender -a',
      peerValue: plainS,
      note: 'same card; files written, start left out',
    })
    const cpu = await job.render(cpuFarm, 1, job.samples)
    report({
      name: `${kinds[0]}: farm`,
      value: gpu.frameS,
      unit: 's/frame',
      peer: `CPU, ${availableParallelism()} threads`,
      peerValue: cpu.frameS,
    })
    const other = await job.render(cpuFarm, 2, job.samples)
    judge(report, gpu, short, again, [cpu, other])
  } finally {
    await gpuFarm.close?.()
    await cpuFarm.close?.()
    rmSync(folder, { recursive: true, force: true })
  }
}

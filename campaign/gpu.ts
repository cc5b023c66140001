// pnpm campaign gpu [--blender PATH] [--scene PATH] [--env NAME=VALUE]... [--frames N]: what the GPUs of this machine do under the self-hosted farm, on real renders:
// devices and memory found, live metrics, speed against the CPU, noise against the CPU's, repeatability, crops, and Eevee without a display.
// Fails when a device is found but its frames are wrong; a machine without GPUs says so and fails too.
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { blendInspector, computeDevices, gpuMetrics, installedBlenders, selfHosted } from '@pictor/adapter-selfhosted'
import type { Farm, RenderSpec, Task } from '@pictor/core/contract'
import { decodeImage } from '@pictor/image'
import type { Campaign } from '../scripts/campaign.ts'
import { folderArtifacts } from '../packages/core/src/artifacts/index.ts'
import type { GpuMetrics, SelfHostedOptions } from '@pictor/adapter-selfhosted'
import { workingSandbox } from '../packages/adapters/selfhosted/src/sandbox/bubblewrap.ts'

interface Frame {
  readonly frame: number
  readonly renderMs: number
  /** All channels of all pixels, linear light. */
  readonly values: Float32Array
}

const option = (args: readonly string[], name: string): string | undefined =>
  args.includes(name) ? args[args.indexOf(name) + 1] : undefined

export const campaign: Campaign = async (args) => {
  const blender = option(args, '--blender') ?? 'blender'
  const scene = option(args, '--scene') ?? new URL('../examples/scenes/orrery.blend', import.meta.url).pathname
  const environment = Object.fromEntries(
    args.flatMap((arg, i) =>
      args[i - 1] === '--env' ? [[arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)]] : [],
    ),
  )
  const frames = Number(option(args, '--frames') ?? 24)
  const folder = mkdtempSync(join(tmpdir(), 'pictor-gpu-'))
  const say = (what: string, value: unknown): void =>
    console.log(`${what}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const farms: Farm[] = []
  const farm = (devices: 'cpu' | 'gpu', name: string, more: Partial<SelfHostedOptions> = {}): Farm => {
    const made = selfHosted({
      id: name,
      workDir: join(folder, name),
      devices,
      blender,
      environment,
      frameTimeoutMs: 300_000,
      ...more,
    })
    farms.push(made)
    return made
  }
  try {
    say('metrics', await gpuMetrics())
    const installed = await installedBlenders(blender)
    say('blender', installed)
    if (installed.length === 0) return false
    const devices = await computeDevices(installed[0]!, environment)
    say('devices', devices)
    if (!devices.some((device) => device.kind !== 'CPU')) {
      say('result', 'Cycles finds no GPU on this machine')
      return false
    }
    const files = folderArtifacts(join(folder, 'artifacts'))
    const inspector = blendInspector({ blender })
    const inspection = await inspector.inspect(scene, {}, { key: 'inspect' })
    const bundle = await inspector.bundle(inspection, files, { key: 'bundle' })
    const output = { ...inspection.spec.output, format: 'OPEN_EXR', bitDepth: 32, colorMode: 'RGB' } as const
    const spec: RenderSpec = { ...inspection.spec, output }
    const task = async (on: Farm, change: Partial<Task>, list: readonly number[]): Promise<Task> => ({
      contract: 1,
      run: 'gpu',
      id: 1,
      attempt: 1,
      purpose: 'render',
      bundle,
      stage: await on.stage(bundle, files, { key: 'stage' }),
      spec,
      work: { kind: 'frames', frames: list },
      ...change,
    })
    const range = Array.from({ length: frames }, (_, i) => i + 1)
    const gpu = farm('gpu', 'gpu')
    say('farm', await gpu.describe({ key: 'look' }))

    const live: GpuMetrics[] = []
    const cold = performance.now()
    const first = await render(gpu, await task(gpu, {}, [1]), 'first')
    say('first frame on a cold GPU slot, s', seconds(performance.now() - cold))
    const whole = await render(gpu, await task(gpu, {}, range), 'whole', live)
    const few = range.slice(0, 4)
    const cpu = farm('cpu', 'cpu', { threadsPerSlot: availableParallelism() })
    const onCpu = await render(cpu, await task(cpu, {}, few), 'cpu')
    say('ms a frame as the file orders, GPU', mean(whole.slice(1)))
    say(`ms a frame as the file orders, CPU with ${availableParallelism()} threads`, mean(onCpu.slice(1)))
    say('live metrics, most', {
      utilizationPct: Math.max(...live.map((one) => one.utilizationPct ?? -1)),
      memoryUsedMiB: Math.max(...live.map((one) => one.memoryUsedMiB ?? -1)),
      temperatureC: Math.max(...live.map((one) => one.temperatureC ?? -1)),
    })

    const again = await render(gpu, await task(gpu, {}, few), 'again')
    const other = farm('gpu', 'gpu-2')
    const elsewhere = await render(other, await task(other, {}, few), 'elsewhere')
    say('same process again', differences(whole, again))
    say('another process', differences(whole, elsewhere))
    say('GPU against CPU, same seed', differences(onCpu, whole))
    const foreign = farm('gpu', 'foreign', { trust: 'foreign' })
    const boxed = (await workingSandbox())
      ? await render(foreign, await task(foreign, {}, few), 'boxed').then((frames) => differences(whole, frames), failureOf)
      : 'no sandbox works here'
    say('in the sandbox', boxed)
    const seed = await render(gpu, await task(gpu, { window: { seed: spec.seed + 1 } }, few), 'seed')
    say('GPU against GPU with another seed', differences(seed, whole))
    const { width, height } = output
    const region = {
      x: Math.floor(width / 3),
      y: Math.floor(height / 3),
      width: Math.floor(width / 4),
      height: Math.floor(height / 4),
    }
    const crops = await render(gpu, await task(gpu, { purpose: 'check', window: { region } }, few), 'crops')
    say(
      'crop against the same pixels of the frame',
      differences(
        crops,
        whole.map((one) => ({ ...one, values: cut(one.values, width, region) })),
      ),
    )

    const large = { ...spec, samples: 256, output: { ...output, width: 1920, height: 1080 } }
    const heavy = await render(gpu, await task(gpu, { spec: large }, [1, 2, 3]), 'heavy')
    const heavyCpu = await render(cpu, await task(cpu, { spec: large, window: { samples: 16 } }, [1, 2]), 'heavy cpu')
    say('1920x1080, 256 samples, ms a frame on the GPU', mean(heavy.slice(1)))
    say('1920x1080, 16 samples, ms a frame on the CPU', mean(heavyCpu.slice(1)))

    const eevee = { ...spec, engine: 'BLENDER_EEVEE', checkClass: 'replica' } as const
    const drawn = await render(gpu, await task(gpu, { spec: eevee }, few), 'eevee').catch(failureOf)
    if (typeof drawn === 'string') say('Eevee without a display', drawn)
    else {
      say('Eevee without a display, first frame and then, ms', [drawn[0]!.renderMs, mean(drawn.slice(1))])
      const drawnAgain = await render(gpu, await task(gpu, { spec: eevee }, few), 'eevee again')
      say('Eevee again', differences(drawn, drawnAgain))
    }
    const sound = first[0]!.values.length === width * height * 3 && differences(onCpu, whole).rms < 0.1
    say('result', sound ? 'good' : 'the frames of the GPU are not those of the CPU')
    return sound
  } finally {
    for (const one of farms) await one.close?.()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function render(farm: Farm, task: Task, key: string, live?: GpuMetrics[]): Promise<Frame[]> {
  const ref = await farm.submit(task, { key })
  const frames: Frame[] = []
  for (let cursor: string | undefined; ;) {
    const page = await farm.poll({ scope: [ref], ...(cursor === undefined ? {} : { cursor }) }, { key: 'poll' })
    cursor = page.cursor
    for (const event of page.events) {
      if (event.type === 'output') {
        const { output } = event
        const body = await farm.open(output, { offset: 0 }, { key: 'open' })
        if (!('stream' in body)) throw new Error(`${output.name} is ${body.unavailable}`)
        const chunks: Uint8Array[] = []
        for await (const chunk of body.stream) chunks.push(chunk)
        frames.push({ frame: output.frame, renderMs: output.renderMs ?? 0, values: valuesOf(Buffer.concat(chunks)) })
      }
      if (event.type !== 'state') continue
      if (event.state === 'succeeded') return frames.sort((a, b) => a.frame - b.frame)
      if (event.state === 'failed') throw new Error(event.failure?.message ?? 'failed')
    }
    if (live) live.push(...(await gpuMetrics()))
    await new Promise((resolve) => setTimeout(resolve, page.waitMs))
  }
}

function valuesOf(bytes: Uint8Array): Float32Array {
  const planes = decodeImage(bytes).parts.flatMap((part) => part.planes)
  const values = new Float32Array(planes.length * planes[0]!.data.length)
  for (const [c, plane] of planes.entries()) for (const [i, value] of plane.data.entries()) values[i * planes.length + c] = value
  return values
}

function cut(values: Float32Array, width: number, region: { x: number; y: number; width: number; height: number }): Float32Array {
  const rows = Array.from({ length: region.height }, (_, y) => ((y + region.y) * width + region.x) * 3)
  return Float32Array.from(rows.flatMap((at) => [...values.subarray(at, at + region.width * 3)]))
}

/** Over the frames that both have: root mean square and largest difference in linear light, share of values beyond 1/255. */
function differences(
  a: readonly Frame[],
  b: readonly Frame[],
): { frames: number; rms: number; most: number; beyondShare: number } {
  let [squares, most, beyond, count, frames] = [0, 0, 0, 0, 0]
  for (const one of a) {
    const other = b.find(({ frame }) => frame === one.frame)
    if (!other || other.values.length !== one.values.length) continue
    frames++
    for (const [i, value] of one.values.entries()) {
      const difference = Math.abs(value - other.values[i]!)
      squares += difference ** 2
      most = Math.max(most, difference)
      if (difference > 1 / 255) beyond++
      count++
    }
  }
  return { frames, rms: Math.sqrt(squares / count), most, beyondShare: beyond / count }
}

const failureOf = (error: unknown): string => (error as Error).message
const mean = (frames: readonly Frame[]): number =>
  Math.round((frames.reduce((sum, one) => sum + one.renderMs, 0) / Math.max(1, frames.length)) * 10) / 10
const seconds = (ms: number): number => Math.round(ms / 10) / 100

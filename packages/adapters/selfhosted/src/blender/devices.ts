import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PictorError } from '@pictor/core/contract'
import type { InstalledBlender } from './installed.ts'
import { startWorker } from './worker.ts'

const run = promisify(execFile)

/** A compute device as Cycles names it. */
export interface ComputeDevice {
  readonly kind: 'OPTIX' | 'CUDA' | 'HIP' | 'ONEAPI' | 'METAL' | 'CPU'
  readonly id: string
  readonly name: string
}

/** What nvidia-smi says of one GPU now. Megabytes are MiB, temperatures Celsius. */
export interface GpuMetrics {
  readonly name: string
  readonly driver: string
  readonly memoryMiB: number
  readonly memoryUsedMiB: number
  /** 0..100. */
  readonly utilizationPct: number
  readonly temperatureC: number
  /** `0000:65:00.0`: the tail of Cycles' device id. */
  readonly bus: string
}

/** Device files that a GPU renderer opens, for the sandbox. */
export const GPU_DEVICE_FILES: readonly string[] = [
  '/dev/nvidiactl',
  '/dev/nvidia-uvm',
  '/dev/nvidia-uvm-tools',
  ...Array.from({ length: 16 }, (_, i) => `/dev/nvidia${i}`),
  '/dev/dri',
  '/dev/kfd',
]

/** Asks Cycles which devices it can use. OptiX and CUDA name the same card twice: the faster kind is kept, in the order of `kind` above. */
export async function computeDevices(
  blender: InstalledBlender,
  environment: Readonly<Record<string, string>> = {},
): Promise<ComputeDevice[]> {
  const folder = await mkdtemp(join(tmpdir(), 'pictor-devices-'))
  const started = await startWorker({
    blender: blender.path,
    threads: 1,
    cwd: folder,
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', ...environment, HOME: folder, TMPDIR: folder },
  })
  try {
    if (!started.ok) throw new PictorError('software-missing', `Blender does not start: ${started.fault.message}`)
    const reply = await started.value.request('devices', {}, 120_000)
    started.value.kill('devices are known')
    await started.value.gone
    if (!reply.ok) throw new PictorError('internal', `Blender cannot list its devices: ${reply.fault.message}`)
    return oncePerCard(reply.value['devices'] as ComputeDevice[])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Keeps the first kind that a card is listed under. Ids look like `CUDA_NVIDIA RTX A4000_0000:65:00_OptiX`. */
export function oncePerCard(devices: readonly ComputeDevice[]): ComputeDevice[] {
  const card = (device: ComputeDevice) => device.id.replace(/_OptiX$/, '').replace(/^(CUDA|OPTIX)_/, '')
  return devices.filter((device, i) => devices.findIndex((one) => card(one) === card(device)) === i)
}

const QUERY = 'name,driver_version,memory.total,memory.used,utilization.gpu,temperature.gpu,pci.bus_id'

/** Load, memory and temperature of NVIDIA GPUs; empty where nvidia-smi is not installed. */
export async function gpuMetrics(): Promise<GpuMetrics[]> {
  const answer = await run('nvidia-smi', [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits'], { timeout: 10_000 }).catch(
    () => undefined,
  )
  return answer ? parseGpuMetrics(answer.stdout) : []
}

/** Reads nvidia-smi's lines; lines that are something else are left out. */
export function parseGpuMetrics(text: string): GpuMetrics[] {
  return text.split('\n').flatMap((line) => {
    const [name, driver, total, used, load, heat, bus] = line.split(',').map((field) => field.trim())
    const numbers = [total, used, load, heat].map(Number)
    if (!name || !driver || !bus || numbers.some((number) => !Number.isFinite(number))) return []
    const [memoryMiB, memoryUsedMiB, utilizationPct, temperatureC] = numbers as [number, number, number, number]
    return [{ name, driver, memoryMiB, memoryUsedMiB, utilizationPct, temperatureC, bus }]
  })
}

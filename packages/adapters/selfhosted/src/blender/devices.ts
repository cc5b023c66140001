import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { PictorError } from '@pictor/core/contract'
import { busOf, gpuMetrics } from './gpu-metrics.ts'
import type { GpuMetrics } from './gpu-metrics.ts'
import type { InstalledBlender } from './installed.ts'
import { startWorker } from './worker.ts'

/** A compute device as Cycles names it. */
export interface ComputeDevice {
  readonly kind: 'OPTIX' | 'CUDA' | 'HIP' | 'ONEAPI' | 'METAL' | 'CPU'
  readonly id: string
  readonly name: string
  /** Of GPUs whose driver's tool is installed; of the CPU and of Apple's GPUs the machine's memory. */
  readonly memoryMiB?: number
  readonly driver?: string
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

/** Asks Cycles which devices it can use, and their drivers how much memory they have. OptiX and CUDA name the same card twice: the faster kind is kept, in the order of `kind` above. */
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
    return withMemory(oncePerCard(reply.value['devices'] as ComputeDevice[]), await gpuMetrics())
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Keeps the first kind that a card is listed under. Ids look like `CUDA_NVIDIA RTX A4000_0000:65:00_OptiX`. */
export function oncePerCard(devices: readonly ComputeDevice[]): ComputeDevice[] {
  const card = (device: ComputeDevice) => device.id.replace(/_OptiX$/, '').replace(/^(CUDA|OPTIX)_/, '')
  return devices.filter((device, i) => devices.findIndex((one) => card(one) === card(device)) === i)
}

/** Adds what the driver's tool says of a card, found by its PCI address. */
export function withMemory(devices: readonly ComputeDevice[], metrics: readonly GpuMetrics[]): ComputeDevice[] {
  return devices.map((device) => {
    if (device.kind === 'CPU' || device.kind === 'METAL') return { ...device, memoryMiB: Math.floor(totalmem() / 2 ** 20) }
    const { memoryMiB, driver } = metrics.find((one) => one.bus === busOf(device.id)) ?? {}
    return { ...device, ...(memoryMiB === undefined ? {} : { memoryMiB }), ...(driver === undefined ? {} : { driver }) }
  })
}

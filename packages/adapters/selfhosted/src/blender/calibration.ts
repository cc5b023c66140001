import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { PictorError } from '@pictor/core/contract'
import type { ComputeDevice } from './devices.ts'
import type { InstalledBlender } from './installed.ts'
import { startWorker } from './worker.ts'

/** How fast one slot renders the calibration scene of python/calibration.py. */
export interface Calibration {
  readonly pixelSamplesPerS: number
  readonly measuredAtMs: number
}

/** What a calibration holds for: another Blender, device, driver or number of threads is measured anew. */
export interface CalibratedSlot {
  readonly blender: InstalledBlender
  readonly device: ComputeDevice | undefined
  readonly threads: number
  readonly environment: Readonly<Record<string, string>>
}

/** Version of the scene and of how it is timed; part of the key. */
const SCENE = 'ball 1'
const FILE = 'calibration.json'

/**
 * The speed of a slot, measured once and kept in `workDir`. A file that cannot be read is measured again.
 * @throws software-missing, internal when Blender does not render it
 */
export async function calibrationOf(workDir: string, slot: CalibratedSlot, now: () => number): Promise<Calibration> {
  const { blender, device, threads } = slot
  const chip = device
    ? `${device.kind} ${device.name} ${device.driver ?? ''}`
    : `CPU ${cpus()[0]?.model.trim() ?? ''} ${threads} threads`
  const key = `${SCENE}, Blender ${blender.version}, ${chip.trim()}`
  const kept = await keptIn(workDir)
  const found = kept[key]
  if (found) return found
  const id = `${workDir}\n${key}`
  const running = measuring.get(id) ?? measureAndKeep(workDir, key, slot, now).finally(() => measuring.delete(id))
  measuring.set(id, running)
  return await running
}

/** Measurements under way: two callers wait for one. */
const measuring = new Map<string, Promise<Calibration>>()

async function measureAndKeep(workDir: string, key: string, slot: CalibratedSlot, now: () => number): Promise<Calibration> {
  const measured = { pixelSamplesPerS: await measure(workDir, slot), measuredAtMs: now() }
  await mkdir(workDir, { recursive: true })
  const path = join(workDir, FILE)
  await writeFile(`${path}.new`, JSON.stringify({ ...(await keptIn(workDir)), [key]: measured }, undefined, 2))
  await rename(`${path}.new`, path)
  return measured
}

async function keptIn(workDir: string): Promise<Record<string, Calibration>> {
  try {
    const kept = JSON.parse(await readFile(join(workDir, FILE), 'utf8')) as Record<string, Calibration>
    return Object.fromEntries(
      Object.entries(kept).filter(([, { pixelSamplesPerS }]) => pixelSamplesPerS > 0 && pixelSamplesPerS < Infinity),
    )
  } catch {
    return {}
  }
}

/** Renders the scene in a Blender of its own: once to warm up, then timed. */
async function measure(workDir: string, { blender, device, threads, environment }: CalibratedSlot): Promise<number> {
  const folder = join(workDir, 'calibrating')
  await mkdir(folder, { recursive: true })
  const started = await startWorker({
    blender: blender.path,
    threads,
    cwd: folder,
    gpu: device !== undefined,
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', ...environment, HOME: folder, TMPDIR: folder },
  })
  try {
    if (!started.ok) throw new PictorError('software-missing', `Blender does not start: ${started.fault.message}`)
    const worker = started.value
    try {
      if (device) await worker.request('use-device', { kind: device.kind, device: device.id }, 120_000)
      const reply = await worker.request('calibrate', { device: device ? 'GPU' : 'CPU', out: join(folder, 'ball') }, 600_000)
      if (!reply.ok) throw new PictorError('internal', `Blender cannot render the calibration scene: ${reply.fault.message}`)
      return Math.round(Number(reply.value['pixelSamplesPerS']))
    } finally {
      worker.kill('calibrated')
      await worker.gone
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

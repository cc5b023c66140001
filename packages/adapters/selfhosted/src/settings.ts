import { availableParallelism, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { invalid } from '@pictor/core/contract'
import { checkRenderer } from './command/template.ts'
import type { Recycle, SelfHostedOptions, Settings } from './options.ts'

/** Fills in defaults. @throws invalid-input naming the option */
export function settingsOf(options: SelfHostedOptions): Settings {
  const slots = positive('slots', options.slots ?? 1)
  const { blender = 'blender', trust = 'own', recycle, simulateCheat } = options
  if (!/^[A-Za-z0-9][\w.-]{0,63}$/.test(options.id)) throw invalid('id', 'letters, digits, `.`, `_` and `-`', options.id)
  if (simulateCheat && !(simulateCheat.samplesFactor > 0 && simulateCheat.samplesFactor <= 1))
    throw invalid('simulateCheat.samplesFactor', 'a number above 0 and at most 1', simulateCheat.samplesFactor)
  const { renderers = [], keepMs } = options
  if (keepMs !== undefined && !(keepMs >= 0)) throw invalid('keepMs', 'milliseconds, at least 0', keepMs)
  for (const [i, renderer] of renderers.entries()) checkRenderer(renderer, `renderers[${i}]`)
  return {
    ...options,
    renderers,
    name: options.name ?? options.id,
    workDir: resolve(options.workDir),
    slots,
    threadsPerSlot: positive('threadsPerSlot', options.threadsPerSlot ?? Math.max(1, Math.floor(availableParallelism() / slots))),
    blender: typeof blender === 'string' ? [blender] : blender,
    trust,
    unsafeNoSandbox: options.unsafeNoSandbox ?? false,
    confined: trust === 'foreign' && options.unsafeNoSandbox !== true,
    memoryMiB: options.memoryMiB ?? (trust === 'foreign' ? Math.floor(totalmem() / 2 ** 20 / slots) + 8192 : 0),
    msPerWork: options.msPerWork ?? 1000,
    calibrate: options.calibrate ?? false,
    frameTimeoutMs: positive('frameTimeoutMs', options.frameTimeoutMs ?? 3_600_000),
    loadTimeoutMs: positive('loadTimeoutMs', options.loadTimeoutMs ?? 600_000),
    recycle: recycleOf(recycle),
    maxBundleBytes: options.maxBundleBytes ?? 64 * 2 ** 30,
    environment: options.environment ?? {},
    devices: options.devices ?? 'cpu',
    draining: options.draining ?? (() => false),
    now: options.now ?? Date.now,
  }
}

function recycleOf({ frames = 2000, scenes = 50, ageMs = 24 * 3_600_000, rssMiB = Infinity }: Partial<Recycle> = {}): Recycle {
  return {
    frames: positive('recycle.frames', frames),
    scenes: positive('recycle.scenes', scenes),
    ageMs: positive('recycle.ageMs', ageMs),
    rssMiB: rssMiB === Infinity ? rssMiB : positive('recycle.rssMiB', rssMiB),
  }
}

function positive(path: string, value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) throw invalid(path, 'a whole number of at least 1', value)
  return value
}

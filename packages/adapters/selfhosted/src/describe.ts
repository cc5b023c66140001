import { formatMoney, isPictorError, type FarmInfo, type HostRating } from '@pictor/core/contract'
import manifest from '../package.json' with { type: 'json' }
import { calibrationOf, type Calibration } from './blender/calibration.ts'
import { computeDevices } from './blender/devices.ts'
import type { ComputeDevice } from './blender/devices.ts'
import { gpuMetrics } from './blender/gpu-metrics.ts'
import type { InstalledBlender } from './blender/installed.ts'
import { endingOf } from './blender/order.ts'
import type { Settings } from './options.ts'
import { ratingOf } from './rating.ts'
import { workingSandbox } from './sandbox/bubblewrap.ts'

/** One entry a slot: the GPU it is pinned to, or undefined for the CPU. No entry: nothing here may render. */
export async function devicesOf(
  settings: Settings,
  blenders: readonly InstalledBlender[],
): Promise<readonly (ComputeDevice | undefined)[]> {
  const newest = blenders.at(-1)
  const all = settings.devices === 'cpu' || !newest ? [] : await computeDevices(newest, settings.environment)
  const gpus = all.filter((device) => device.kind !== 'CPU')
  if (settings.devices === 'cpu' || (settings.devices === 'auto' && gpus.length === 0))
    return Array.from({ length: settings.slots }, () => undefined)
  return gpus.flatMap((gpu) => Array.from({ length: settings.slots }, () => gpu))
}

/** Rating of a slot, with its measured speed where the owner wants it measured. */
export async function slotRating(
  settings: Settings,
  blenders: readonly InstalledBlender[],
  device: ComputeDevice | undefined,
): Promise<HostRating | undefined> {
  const rating = ratingOf(settings, device)
  const blender = blenders.at(-1)
  if (!settings.calibrate || !blender) return rating
  const { workDir, threadsPerSlot: threads, environment } = settings
  let measuredSpeed: Calibration
  try {
    measuredSpeed = await calibrationOf(workDir, { blender, device, threads, environment }, settings.now)
  } catch (error) {
    if (!isPictorError(error)) throw error
    // A machine that cannot render the scene says so in its declines; what it is can be told all the same.
    return rating && { ...rating, basis: `${rating.basis}; not calibrated: ${error.message}` }
  }
  const { pixelSamplesPerS, measuredAtMs } = measuredSpeed
  const day = new Date(measuredAtMs).toISOString().slice(0, 10)
  const measured = `${(pixelSamplesPerS / 1e6).toFixed(2)} million pixel-samples a second of the calibration scene with Blender ${blender.version}, ${day}`
  return { ...rating, pixelSamplesPerS, basis: rating ? `${rating.basis}; ${measured}` : measured }
}

/** What the farm is and can do. */
export async function describeFarm(
  settings: Settings,
  blenders: readonly InstalledBlender[],
  devices: readonly (ComputeDevice | undefined)[],
): Promise<FarmInfo> {
  const { id, name, signer, price } = settings
  const kinds = [...new Set(devices.map((device) => device?.kind ?? 'CPU'))]
  const rating = await slotRating(settings, blenders, devices[0])
  const payTo = settings.payTo ?? signer?.address
  return {
    contract: 1,
    id,
    name,
    lane: 'partner',
    verification: 'live',
    capabilities: {
      cancelQueued: 'native',
      cancelRunning: 'native',
      hold: 'native',
      priority: 'native',
      tiles: 'native',
      samples: 'native',
      windows: 'native',
      partialOutputs: 'native',
      resumeDownload: 'native',
      bindingQuote: 'native',
    },
    idempotency: 'native',
    software: blenders
      .map((blender) => ({
        name: 'blender',
        version: blender.version,
        engines: ['CYCLES', 'BLENDER_EEVEE', 'BLENDER_WORKBENCH'],
        devices: kinds,
      }))
      .concat(
        settings.renderers.map(({ software, version, engines }) => ({
          name: software,
          version,
          engines: [...engines],
          devices: ['CPU'],
        })),
      ),
    ...(signer ? { key: signer.address } : {}),
    ...(payTo ? { payTo } : {}),
    slots: devices.length,
    adapter: { name: manifest.name, version: manifest.version },
    ...(price ? { priceBook: priceBookOf(price) } : {}),
    ...(rating ? { rating } : {}),
    ext: {
      trust: settings.trust,
      devices: devices.map((device) => ({ kind: 'CPU', name: 'CPU', ...device })),
      ...(devices.some(Boolean) ? { gpus: await gpuMetrics() } : {}),
      sandbox: settings.confined ? ((await workingSandbox()) ?? 'missing') : 'none',
      formats: ['PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER', 'JPEG', 'TIFF', 'WEBP'].map((f) => `${f}:${endingOf(f)}`),
    },
  }
}

function priceBookOf(price: NonNullable<Settings['price']>): NonNullable<FarmInfo['priceBook']> {
  const { source = 'set by the owner', asOf = '', currency = 'USD' } = price
  const rate = formatMoney({ amount: price.perHostHour, currency }).split(' ')[0]!
  return { source, asOf, kind: 'own', prices: [{ tier: 'own', unit: 'host-hour', rate, currency, source, asOf, trust: 'own' }] }
}

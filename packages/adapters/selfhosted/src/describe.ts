import { formatMoney, type FarmInfo } from '@pictor/core/contract'
import manifest from '../package.json' with { type: 'json' }
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

/** What the farm is and can do. */
export async function describeFarm(
  settings: Settings,
  blenders: readonly InstalledBlender[],
  devices: readonly (ComputeDevice | undefined)[],
): Promise<FarmInfo> {
  const { id, name, signer, price } = settings
  const kinds = [...new Set(devices.map((device) => device?.kind ?? 'CPU'))]
  const rating = ratingOf(settings, devices[0])
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

import { createHash } from 'node:crypto'
import { totalmem } from 'node:os'
import { canonicalJson, isPictorError, parseFrames } from '@pictor/core/contract'
import type { Decline, HostRating, Quote, QuoteRequest } from '@pictor/core/contract'
import type { ComputeDevice } from './blender/devices.ts'
import type { InstalledBlender } from './blender/installed.ts'
import { orderFor } from './blender/order.ts'
import type { Settings } from './options.ts'
import { requireProgram } from './program.ts'

/** How long a quote stands. Its figures are the owner's price and measured speed, which do not move by themselves. */
const VALID_MS = 24 * 3_600_000

/** Start of Blender and a small scene's load, measured: 0.9 to 1.4 s (facts: Blender 3.4, 2 cores). Probes replace it. */
const START_MS = 1500

/** What a farm says that takes nothing new. */
export const DRAINING = 'this farm is being emptied for maintenance: it finishes what it has and takes nothing new'

/** An update of a machine takes some minutes. */
const RETRY_MS = 300_000

/** Share of the machine's memory that its slots may plan with; the rest is the system's. */
const USABLE_MEMORY = 0.85

/** Prices any share of a job on this farm, or says why it cannot be rendered here. */
export function quoteFor(
  settings: Settings,
  blenders: readonly InstalledBlender[],
  devices: readonly (ComputeDevice | undefined)[],
  rating: HostRating | undefined,
  { spec, estimate, atMs }: QuoteRequest,
): Quote | Decline {
  const { id, price } = settings
  const slots = devices.length
  const decline = (reason: Decline['reason'], message: string): Decline => ({
    contract: 1,
    kind: 'decline',
    farm: id,
    reason,
    message,
  })
  if (settings.draining()) return { ...decline('capacity', DRAINING), retryAfterMs: RETRY_MS }
  if (slots === 0) return decline('capacity', 'this farm renders on GPUs only, and Cycles finds none')
  const currency = price ? (price.currency ?? 'USD') : spec.budget.currency
  if (currency !== spec.budget.currency)
    return decline('currency', `this farm is paid in ${currency}, the job in ${spec.budget.currency}`)
  try {
    requireProgram(settings, blenders, spec.render)
    const frames = parseFrames(spec.frames)
    for (const frame of [frames[0]!, frames.at(-1)!]) orderFor(spec.render, undefined, frame, 'CPU')
  } catch (error) {
    if (!isPictorError(error)) throw error
    return decline('software', error.message)
  }
  const slotMiB = USABLE_MEMORY * Math.min(totalmem() / 2 ** 20 / slots, gpuMiB(devices, settings.slots))
  const speed = speedOf(settings, rating, estimate.rating)
  const msPerWork = estimate.classes.map((one) => (one.memoryMiB <= slotMiB ? speed.msPerWork : null))
  if (msPerWork.every((ms) => ms === null))
    return decline('memory', `a slot of this farm has ${Math.floor(slotMiB)} MiB, every frame needs more`)
  const offer = {
    id: 'slots',
    tier: 'slots',
    hosts: slots,
    readyMs: 0,
    startMs: START_MS,
    billStart: false,
    perFrameMs: 0,
    deliverMs: 0,
    msPerWork,
    price: { perHostHour: price?.perHostHour ?? 0n, stepMs: 0, minCharge: 0n, fixed: 0n, perFrame: 0n },
  }
  return {
    contract: 1,
    kind: 'quote',
    id: createHash('sha256')
      .update(canonicalJson({ id, offer, currency, job: spec, atMs }))
      .digest('hex')
      .slice(0, 24),
    farm: id,
    currency,
    validUntilAtMs: atMs + VALID_MS,
    firmness: 'locked',
    offers: [offer],
    basis: [
      price ? `price set by the owner${price.asOf ? ` on ${price.asOf}` : ''}` : 'own machine, free of charge',
      `${slots} slot${slots === 1 ? '' : 's'} of ${devices[0] ? [...new Set(devices.map((one) => one?.name))].join(', ') : `${settings.threadsPerSlot} CPU thread${settings.threadsPerSlot === 1 ? '' : 's'}`}`,
      `${speed.basis}, until probes say better`,
    ],
    seenBy: [settings.name],
  }
}

/** Milliseconds a unit of work: by the calibration of both machines where they have one, else what the owner says. */
function speedOf(
  settings: Settings,
  own: HostRating | undefined,
  reference: HostRating | undefined,
): { readonly msPerWork: number; readonly basis: string } {
  const [here, there] = [own?.pixelSamplesPerS, reference?.pixelSamplesPerS]
  if (!here || !there) return { msPerWork: settings.msPerWork, basis: `${settings.msPerWork} ms a unit of work` }
  const msPerWork = Math.round((1000 * there) / here)
  return {
    msPerWork,
    basis: `${msPerWork} ms a unit of work by calibration (here ${own!.basis}; the estimate's machine ${reference!.basis})`,
  }
}

/** Memory of the smallest GPU, shared by the slots on it. Scenes must fit into it: Cycles goes on in the host's memory only on some cards, and slowly. */
function gpuMiB(devices: readonly (ComputeDevice | undefined)[], slotsEach: number): number {
  return Math.min(...devices.map((device) => (device?.memoryMiB ?? Infinity) / slotsEach))
}

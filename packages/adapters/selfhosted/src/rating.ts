import { cpus } from 'node:os'
import type { HostRating } from '@pictor/core/contract'
import type { ComputeDevice } from './blender/devices.ts'
import type { Settings } from './options.ts'

/**
 * One slot in the units of price lists. GHz of a CPU slot: its threads x the clock that the processor's name or the system tells; a thread is a logical core, which
 * some farms count as half a physical one. OctaneBench points of a GPU cannot be measured here and are the owner's word (option `rating`).
 */
export function ratingOf(
  { rating, threadsPerSlot }: Pick<Settings, 'rating' | 'threadsPerSlot'>,
  device: ComputeDevice | undefined,
  processor: { readonly model: string; readonly speed: number } | undefined = cpus()[0],
): HostRating | undefined {
  if (rating) return { basis: 'set by the owner', ...rating }
  if (device || !processor) return undefined
  const named = Number(/@ *([\d.]+) *GHz/.exec(processor.model)?.[1])
  const clock = named > 0 ? named : processor.speed / 1000
  if (!(clock > 0)) return undefined
  const ghz = Math.round(threadsPerSlot * clock * 100) / 100
  const threads = `${threadsPerSlot} thread${threadsPerSlot === 1 ? '' : 's'}`
  return {
    ghz,
    basis: `${threads} (logical cores) of ${processor.model.trim()} at ${clock} GHz by ${named > 0 ? 'its name' : 'the system'}`,
  }
}

import { invalid } from '@pictor/core/contract'

/** Which cores a farm counts in a GHz-hour: twice as many where each core runs two threads. */
export type CoreCount = 'physical' | 'logical'

/** The processor whose seconds the estimate counts. */
export interface ReferenceMachine {
  /** Clock of one core, GHz. */
  readonly ghz: number
  readonly physicalCores: number
  readonly logicalCores: number
}

/** A rating, and what it rests on. */
export interface Rating {
  /** GHz (cores x clock) or OctaneBench. */
  readonly value: number
  readonly remarks: readonly string[]
}

/**
 * Rates the reference machine in the unit of a farm's price. A farm that counts logical cores charges twice the GHz-hours for the same work, so the dearer reading
 * is taken while nobody knows.
 * @throws invalid-input for a processor where an OctaneBench rating is needed
 */
export function ratingOf(reference: number | ReferenceMachine, device: 'cpu' | 'gpu', counted: CoreCount | undefined): Rating {
  if (typeof reference === 'number') return { value: reference, remarks: [] }
  const { ghz, physicalCores, logicalCores } = reference
  if (device === 'gpu') throw invalid('reference', 'an OctaneBench rating for GPU work', reference)
  const value = ghz * (counted === 'physical' ? physicalCores : logicalCores)
  const known = `reference machine: ${value} GHz (${counted ?? 'logical'} cores)`
  const unknown = `${known}; the farm does not publish which cores it counts, so the dearer reading is taken: with physical cores the price is ${((100 * physicalCores) / logicalCores).toFixed(0)} % of it`
  return { value, remarks: [counted === undefined && logicalCores !== physicalCores ? unknown : known] }
}

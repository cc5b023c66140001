import type { Draft, Prepared } from './draft.ts'
import { fewPrices, type FewChoice, type FewPrices } from './few-bound.ts'
import { FrameSearch, type FewState, type Places } from './few-frames.ts'
import type { Fluid } from './fluid.ts'
import { PackState } from './pack-state.ts'
import { draftOfState } from './finish.ts'
import { frameHours } from './tables.ts'

/** What {@link searchFew} found. */
export interface FewFound {
  /** The cheapest plan below the given cost, if there is one and it was found. */
  readonly draft?: Draft
  /** No plan costs less; Infinity proves that there is none. */
  readonly lower: number
}

/** Rounds of the subgradient method for the first bound, and after each decision about a farm. */
const FIRST_ROUNDS = 80
const ROUNDS = 25

/**
 * Branch and bound over all plans of a few frames: first it decides farm by farm which tier is used, if any, then frame by frame where
 * each goes (`few-frames.ts`), with exact charges and frames packed on whole nodes (`few-nodes.ts`). The bound is Lagrangian
 * (`few-bound.ts`).
 *
 * @param below - only plans cheaper than this are looked for.
 * @param work - a limit that counts arithmetic; where it ends the search, `lower` is the least bound of what is left open.
 * @param first - end with the first plan; `lower` is then of no use unless there is none.
 */
export function searchFew(
  prepared: Prepared,
  fluid: Fluid,
  deadlineH: number,
  { below = Infinity, work, first = false }: { readonly below?: number; readonly work: number; readonly first?: boolean },
): FewFound {
  const state: FewState = { open: Infinity, limit: below, work, first }
  const hours = hoursOf(prepared, fluid)
  const all = { allowed: new Uint8Array(fluid.usable.length).fill(1), must: new Uint8Array(prepared.tables.farms) }
  const start = Float64Array.from(fluid.usable, (o) => Math.max(0, fluid.charges.dearestPrice(o, 0)))
  const root = fewPrices(prepared, fluid, hours, all, { target: below, start, rounds: FIRST_ROUNDS })
  new FarmSearch(prepared, fluid, deadlineH, hours, state).decide(all, root)
  const draft = state.best === undefined ? undefined : draftOf(prepared, deadlineH, state.best)
  const lower = Math.min(state.open, state.limit)
  return draft === undefined ? { lower } : { draft, lower }
}

/** Hours of each frame, one row a usable offer; Infinity where it is incompatible or too long. */
function hoursOf({ problem, tables, frames }: Prepared, fluid: Fluid): Float64Array[] {
  return Array.from(fluid.usable, (o) =>
    Float64Array.from({ length: frames }, (_, f) => {
      const cls = problem.classOf[f] as number
      const h = frameHours(tables, o, problem.work[f] as number, cls)
      return (tables.hoursPerWork[o * tables.classes + cls] as number) > 0 && h <= fluid.wholeNodeH(o) ? h : Infinity
    }),
  )
}

function draftOf(prepared: Prepared, deadlineH: number, places: Places): Draft | undefined {
  const state = new PackState(
    prepared,
    places.map(({ offer }) => offer),
    deadlineH,
  )
  places.forEach(({ frames, node }, r) => frames.forEach((f, i) => state.put(f, r, node[i] as number)))
  state.countAll()
  return draftOfState(state, deadlineH)
}

class FarmSearch {
  private readonly prepared: Prepared
  private readonly fluid: Fluid
  private readonly deadlineH: number
  private readonly hours: readonly Float64Array[]
  private readonly state: FewState

  constructor(prepared: Prepared, fluid: Fluid, deadlineH: number, hours: readonly Float64Array[], state: FewState) {
    this.prepared = prepared
    this.fluid = fluid
    this.deadlineH = deadlineH
    this.hours = hours
    this.state = state
  }

  /** Searches all plans within the choice. */
  decide(choice: FewChoice, prices: FewPrices): void {
    const { state } = this
    if (prices.bound >= state.limit) return
    if (state.work <= 0) {
      state.open = Math.min(state.open, prices.bound)
      return
    }
    const farm = this.undecided(choice, prices)
    if (farm === undefined) {
      const { prepared, fluid, deadlineH, hours } = this
      new FrameSearch(prepared, fluid, deadlineH, hours, choice, prices.price, state).branch(0)
      return
    }
    const children = this.options(choice, farm).map((one) => ({ choice: one, prices: this.priced(one, prices) }))
    children.sort((a, b) => a.prices.bound - b.prices.bound)
    for (const child of children) {
      this.decide(child.choice, child.prices)
      if (state.first && state.best !== undefined) return
    }
  }

  private priced(choice: FewChoice, { price: start }: FewPrices): FewPrices {
    const { prepared, fluid, hours, state } = this
    state.work -= ROUNDS * prepared.frames * hours.length
    return fewPrices(prepared, fluid, hours, choice, { target: state.limit, start, rounds: ROUNDS })
  }

  /** The undecided farm whose decision is likely to matter most: the one with the lowest price of an hour. */
  private undecided({ allowed, must }: FewChoice, { price }: FewPrices): number | undefined {
    const { farmOf } = this.prepared.tables
    let best: number | undefined
    let least = Infinity
    this.fluid.usable.forEach((o, r) => {
      const farm = farmOf[o] as number
      if (allowed[r] === 0 || must[farm] === 1 || (price[r] as number) >= least) return
      best = farm
      least = price[r] as number
    })
    return best
  }

  /** The farm with each of its tiers in use, and without it. */
  private options({ allowed, must }: FewChoice, farm: number): FewChoice[] {
    const { tables, maxFarms } = this.prepared
    const { usable } = this.fluid
    const isHere = (r: number) => tables.farmOf[usable[r] as number] === farm
    const without = { allowed: allowed.map((is, r) => (isHere(r) ? 0 : is)), must }
    const used = must.reduce((n, is) => n + is, 0)
    if (maxFarms !== null && used >= maxFarms) return [without]
    const mustHere = must.map((is, f) => (f === farm ? 1 : is))
    const tiers = Array.from(usable, (_, r) => r).filter((r) => isHere(r) && allowed[r] === 1)
    return [
      ...tiers.map((tier) => ({ allowed: allowed.map((is, r) => (isHere(r) && r !== tier ? 0 : is)), must: mustHere })),
      without,
    ]
  }
}

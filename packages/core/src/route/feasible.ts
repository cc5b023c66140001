import { chooseFarms } from './farm-sets.ts'
import type { Prepared } from './draft.ts'
import { searchFew } from './few.ts'
import { fluidAt } from './fluid.ts'
import type { Infeasible } from './plan.ts'

/** Uncovered share of the frames (0 to 1 an item) above which the fluid problem counts as infeasible. */
const UNCOVERED = 1e-6

/** Least share of the items that any fluid plan leaves out at this deadline; above zero is a proof that no plan exists. */
function uncoveredAt(prepared: Prepared, deadlineH: number, maxFarms: number | null, nodes: number): number {
  const fluid = fluidAt(prepared, deadlineH, { free: true })
  if (fluid.usable.length === 0) return 1
  const choice = chooseFarms(fluid, maxFarms, { nodes, work: 20e6, gap: 0, target: UNCOVERED })
  return choice.lower
}

/** The class no offer renders, if any. */
export function impossibleClass(prepared: Prepared): Infeasible | undefined {
  const { problem, tables, units } = prepared
  for (let c = 0; c < tables.classes; c++) {
    let frames = 0
    for (let u = 0; u < units.size; u++) if (units.cls[u] === c) frames += units.count[u] as number
    let renders = false
    for (let o = 0; o < tables.offers; o++) if ((tables.hoursPerWork[o * tables.classes + c] as number) > 0) renders = true
    if (frames > 0 && !renders) {
      const name = problem.classes[c] ?? String(c)
      return {
        kind: 'infeasible',
        id: problem.id ?? 'route',
        constraint: 'class',
        by: frames,
        needed: 0,
        message: `no offer renders class ${name}, which ${frames} frames have`,
      }
    }
  }
  return undefined
}

/** A deadline by which every single offer that renders all it can would be done on one node. */
export function lastDeadline(prepared: Prepared): number {
  const { tables, units } = prepared
  let last = 1
  for (let o = 0; o < tables.offers; o++) {
    let sum = tables.overheadH[o] as number
    for (let u = 0; u < units.size; u++) {
      const rate = tables.hoursPerWork[o * tables.classes + (units.cls[u] as number)] as number
      if (rate > 0) sum += rate * (units.work[u] as number) + (tables.perFrameH[o] as number) * (units.count[u] as number)
    }
    last = Math.max(last, sum)
  }
  return last * 1.001
}

/** The earliest deadline that the fluid relaxation does not rule out, to 0.1 %. */
export function earliestDeadline(prepared: Prepared): number {
  let low = 0
  let high = lastDeadline(prepared)
  for (let i = 0; i < 40 && high - low > 1e-3 * high; i++) {
    const middle = (low + high) / 2
    if (uncoveredAt(prepared, middle, prepared.maxFarms, 1) > UNCOVERED) low = middle
    else high = middle
  }
  return high
}

/** Arithmetic of one search for any plan of few frames. */
const ANY_PLAN_WORK = 4e5

/** Whether a search of all assignments proves that there is no plan by the deadline. */
function noPlan(prepared: Prepared, deadlineH: number): boolean {
  const fluid = fluidAt(prepared, deadlineH, { free: true })
  if (fluid.usable.length === 0) return true
  return searchFew(prepared, fluid, deadlineH, { work: ANY_PLAN_WORK, first: true }).lower === Infinity
}

/** The answer where a search of all assignments has proven that no plan meets the deadline, though divisible frames would. */
function lateByWholeFrames(prepared: Prepared, deadlineH: number): Infeasible {
  const { maxFarms, problem } = prepared
  let low = deadlineH
  let high = lastDeadline(prepared)
  for (let i = 0; i < 40 && high - low > 1e-4 * high; i++) {
    const middle = (low + high) / 2
    if (noPlan(prepared, middle)) low = middle
    else high = middle
  }
  const alone = maxFarms !== null && !noPlan({ ...prepared, maxFarms: null }, deadlineH)
  return late(problem.id ?? 'route', deadlineH, low, alone ? maxFarms : null)
}

function late(id: string, deadlineH: number, needed: number, maxFarms: number | null): Infeasible {
  return {
    kind: 'infeasible',
    id,
    constraint: maxFarms === null ? 'deadline' : 'max-farms',
    by: needed - deadlineH,
    needed,
    message: `no plan can finish before ${needed.toFixed(4)} h${maxFarms === null ? '' : ` with ${maxFarms} farms`}; the deadline is ${deadlineH} h`,
  }
}

/**
 * Proves that no plan meets the deadline, and says how much later it must be at least; undefined when there is no proof.
 *
 * @param proven - whether a search of all assignments has found that there is none.
 */
export function provenLate(prepared: Prepared, deadlineH: number, proven: boolean): Infeasible | undefined {
  const { maxFarms, problem } = prepared
  const id = problem.id ?? 'route'
  if (uncoveredAt(prepared, deadlineH, maxFarms, 200) <= UNCOVERED)
    return proven ? lateByWholeFrames(prepared, deadlineH) : undefined
  let low = deadlineH
  let high = lastDeadline(prepared)
  if (uncoveredAt(prepared, high, maxFarms, 200) > UNCOVERED) {
    return {
      kind: 'infeasible',
      id,
      constraint: 'max-farms',
      by: 1,
      needed: (maxFarms ?? 0) + 1,
      message: `${maxFarms} farms cannot render every class, however late the deadline`,
    }
  }
  // A few farms are ruled out set by set, which takes longer than one look.
  const [nodes, width] = maxFarms === null ? [1, 1e-4] : [200, 1e-3]
  for (let i = 0; i < 40 && high - low > width * high; i++) {
    const middle = (low + high) / 2
    if (uncoveredAt(prepared, middle, maxFarms, nodes) > UNCOVERED) low = middle
    else high = middle
  }
  const alone = maxFarms !== null && uncoveredAt(prepared, deadlineH, null, 200) <= UNCOVERED
  return late(id, deadlineH, low, alone ? maxFarms : null)
}

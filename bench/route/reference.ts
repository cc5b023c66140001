// The exact optimum of a small problem as a mixed-integer program for HiGHS (npm `highs`, development only): every frame on a node of an offer.
import type { RouteProblem } from '../../packages/core/src/route/index.ts'

/** The part of HiGHS that is used. */
export interface Highs {
  solve(problem: string, options: object): { Status: string; ObjectiveValue: number }
}

export async function loadHighs(): Promise<Highs | undefined> {
  try {
    const loaded = (await import('highs')) as unknown as { default: () => Promise<Highs> }
    return await loaded.default()
  } catch {
    return undefined
  }
}

/** Optimal cost, `infeasible`, or undefined when HiGHS did not close within the limit. */
export function exactOptimum(highs: Highs, problem: RouteProblem, limitS: number): number | 'infeasible' | undefined {
  const { Status, ObjectiveValue } = highs.solve(programOf(problem), {
    time_limit: limitS,
    mip_rel_gap: 1e-6,
    output_flag: false,
  })
  if (Status === 'Optimal') return ObjectiveValue
  return Status === 'Infeasible' ? 'infeasible' : undefined
}

function programOf(problem: RouteProblem): string {
  if (problem.goal.kind !== 'cheapest') throw new Error('the exact program is for the cheapest goal')
  const { offers, work, classOf, goal } = problem
  const rows: string[] = []
  const binary: string[] = []
  const integer: string[] = []
  const objective: string[] = []
  const place: string[][] = Array.from(work, () => [])
  const farms = new Map<string, string[]>()
  let n = 0
  const row = (text: string) => rows.push(` c${n++}: ${text}`)
  offers.forEach((offer, o) => {
    const limit = goal.deadlineH - offer.readyH - offer.startH - offer.deliverH
    if (limit <= 0 || offer.quarantined === true) return
    const times = Array.from(work, (w, f) => {
      const rate = offer.hoursPerWork[classOf[f] as number]
      return rate === null || rate === undefined ? Infinity : offer.perFrameH + rate * w
    })
    const nodes = Math.min(offer.nodes, times.filter((t) => t <= limit).length)
    if (nodes === 0) return
    farms.set(offer.farm, [...(farms.get(offer.farm) ?? []), `y${o}`])
    binary.push(`y${o}`)
    const hours: string[] = []
    const count: string[] = []
    for (let k = 0; k < nodes; k++) {
      binary.push(`z${o}_${k}`)
      row(k === 0 ? `z${o}_0 - y${o} <= 0` : `z${o}_${k} - z${o}_${k - 1} <= 0`)
      const load: string[] = []
      times.forEach((t, f) => {
        // Nodes are alike: frame f needs no node beyond the (f+1)-th.
        if (t > limit || k > f) return
        const x = `x${f}_${o}_${k}`
        binary.push(x)
        place[f]?.push(x)
        load.push(`${t} ${x}`)
        hours.push(`${t} ${x}`)
        count.push(`${offer.price.perFrame ?? 0} ${x}`)
      })
      if (load.length > 0) row(`${load.join(' + ')} - ${limit} z${o}_${k} <= 0`)
      if (offer.billStart) hours.push(`${offer.startH} z${o}_${k}`)
    }
    // b = billed hours, split over the volume tiers a0, a1, ...; u = charge for usage.
    const step = offer.price.stepH ?? 0
    if (step > 0) {
      integer.push(`s${o}`)
      row(`${hours.join(' + ')} - ${step} s${o} <= 0`)
      row(`b${o} - ${step} s${o} = 0`)
    } else row(`${hours.join(' + ')} - b${o} <= 0`)
    // Big-M no larger than needed: HiGHS takes a binary of 1e-7 for zero. Tiers beyond the most hours there can be are left out.
    const most = times.reduce((sum, t) => sum + (t > limit ? 0 : t), 0) + nodes * offer.startH + (offer.price.stepH ?? 0)
    const tiers = (offer.price.tiers ?? [{ fromNodeH: 0, factor: 1 }]).filter((tier) => tier.fromNodeH < most)
    row(`b${o}${tiers.map((_, i) => ` - a${o}_${i}`).join('')} = 0`)
    tiers.forEach((tier, i) => {
      const next = tiers[i + 1]
      if (next !== undefined) {
        // The next tier opens only when this one is full.
        binary.push(`q${o}_${i}`)
        const width = next.fromNodeH - tier.fromNodeH
        row(`a${o}_${i} <= ${width}`)
        row(`a${o}_${i} - ${width} q${o}_${i} >= 0`)
        row(`a${o}_${i + 1} - ${most} q${o}_${i} <= 0`)
      }
    })
    row(`u${o}${tiers.map((tier, i) => ` - ${offer.price.perNodeH * tier.factor} a${o}_${i}`).join('')} >= 0`)
    row(`u${o} - ${offer.price.minCharge ?? 0} y${o} >= 0`)
    objective.push(`u${o}`, `${offer.price.fixed ?? 0} y${o}`, ...count)
  })
  for (const list of place) row(list.length > 0 ? `${list.join(' + ')} = 1` : '0 never >= 1')
  for (const list of farms.values()) if (list.length > 1) row(`${list.join(' + ')} <= 1`)
  if (goal.maxFarms) row(`${[...farms.values()].flat().join(' + ')} <= ${goal.maxFarms}`)
  return `Minimize\n obj: ${wrap(objective.join(' + '))}\nSubject To\n${rows.map(wrap).join('\n')}\nGenerals\n ${wrap(integer.join(' '))}\nBinaries\n ${wrap(binary.join(' '))}\nEnd\n`
}

/** The LP format limits the length of a line. */
function wrap(text: string): string {
  const words = text.split(' ')
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line.length + word.length > 200) {
      lines.push(line)
      line = ''
    }
    line += (line === '' ? '' : ' ') + word
  }
  return [...lines, line].join('\n  ')
}

import type { Draft, Prepared } from './draft.ts'

/**
 * The same plan with frames that are alike (one class, one work) handed out in runs along the timeline: scene caches stay warm, and a
 * farm's own variation does not flicker from frame to frame. Costs, times and loads stay exactly as they are.
 */
export function inRuns(prepared: Prepared, draft: Draft): Draft {
  const groups = alike(prepared)
  if (groups.length === 0) return draft
  const assign = draft.assign.slice()
  const sequences = draft.routes.map((route) => route.sequence?.slice())
  const place = new Uint32Array(prepared.frames)
  for (const sequence of sequences) sequence?.forEach((f, at) => (place[f] = at))
  for (const frames of groups) {
    const slots = Array.from(frames, (f) => ({ route: draft.assign[f] as number, at: place[f] as number }))
    slots.sort((a, b) => a.route - b.route || a.at - b.at)
    slots.forEach(({ route, at }, k) => {
      const f = frames[k] as number
      assign[f] = route
      const sequence = sequences[route]
      if (sequence !== undefined) sequence[at] = f
    })
  }
  const routes = draft.routes.map((route, r) => {
    const sequence = sequences[r]
    return sequence === undefined ? route : { ...route, sequence }
  })
  return { ...draft, assign, routes }
}

/** Groups of at least two frames of one class and one work, each rising. */
function alike({ units, frames }: Prepared): number[][] {
  const groupOf = new Int32Array(units.size).fill(-1)
  let groups = 0
  for (let u = 0; u < units.size; u++) {
    if (units.least[u] !== units.greatest[u]) continue
    const joins = u > 0 && units.cls[u] === units.cls[u - 1] && units.least[u] === units.greatest[u - 1] && groupOf[u - 1] !== -1
    groupOf[u] = joins ? (groupOf[u - 1] as number) : groups++
  }
  const lists: number[][] = Array.from({ length: groups }, () => [])
  for (let f = 0; f < frames; f++) {
    const group = groupOf[units.unitOf[f] as number] as number
    if (group >= 0) (lists[group] as number[]).push(f)
  }
  return lists.filter((list) => list.length > 1)
}

/** Hours until all frames are done when the next frame of the list goes to the node that is free first (what a farm's queue does). */
export function listMakespan(hours: ArrayLike<number>, nodes: number): number {
  const size = Math.min(nodes, hours.length)
  if (size === 0) return 0
  if (size === 1) {
    let sum = 0
    for (let i = 0; i < hours.length; i++) sum += hours[i] as number
    return sum
  }
  const free = new Float64Array(size)
  let makespan = 0
  for (let i = 0; i < hours.length; i++) {
    const end = (free[0] as number) + (hours[i] as number)
    if (end > makespan) makespan = end
    // `free` is a binary heap, earliest first.
    let k = 0
    for (;;) {
      let c = 2 * k + 1
      if (c >= size) break
      if (c + 1 < size && (free[c + 1] as number) < (free[c] as number)) c++
      if ((free[c] as number) >= end) break
      free[k] = free[c] as number
      k = c
    }
    free[k] = end
  }
  return makespan
}

/** Timers in order of time, ties in order of entry; adding and taking cost O(log n), canceling O(1). */
export interface TimerHeap<T> {
  add(atMs: number, value: T): () => void
  nextAtMs(): number | undefined
  /** The next value that is due, or undefined. */
  takeDue(nowMs: number): T | undefined
  readonly size: number
}

interface Entry<T> {
  readonly atMs: number
  readonly order: number
  value: T | undefined
}

export function timerHeap<T>(): TimerHeap<T> {
  const heap: Entry<T>[] = []
  let order = 0
  let live = 0
  const before = (a: Entry<T>, b: Entry<T>): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
  const down = (): void => {
    const last = heap.pop()!
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, last)) break
      heap[i] = heap[child]!
      i = child
    }
    heap[i] = last
  }
  const dropCanceled = (): void => {
    while (heap.length > 0 && heap[0]!.value === undefined) down()
  }
  return {
    add(atMs, value) {
      const entry: Entry<T> = { atMs, order: order++, value }
      let i = heap.length
      heap.push(entry)
      for (let parent = (i - 1) >> 1; i > 0 && before(entry, heap[parent]!); i = parent, parent = (i - 1) >> 1) {
        heap[i] = heap[parent]!
      }
      heap[i] = entry
      live++
      return () => {
        if (entry.value === undefined) return
        entry.value = undefined
        live--
      }
    },
    nextAtMs() {
      dropCanceled()
      return heap[0]?.atMs
    },
    takeDue(nowMs) {
      dropCanceled()
      const first = heap[0]
      if (!first || first.atMs > nowMs) return undefined
      const { value } = first
      first.value = undefined
      live--
      down()
      return value
    },
    get size() {
      return live
    },
  }
}

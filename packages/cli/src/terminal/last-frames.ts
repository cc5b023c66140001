import { readFile, stat } from 'node:fs/promises'
import type { JobState } from '@pictor/core'
import { thumbnail } from './thumbnail.ts'

/** Columns of one small picture, and between two. */
const COLUMNS = 24
const GAP = 2
/** Larger files are not opened for a small picture. */
const MOST_BYTES = 64 * 2 ** 20

/** The last frame of every farm as small pictures, made in the background: a picture is there a moment after its frame. */
export interface LastFrames {
  /** Lines that show the pictures side by side, as many as fit into `width` columns, each with its farm and frame. */
  lines(state: JobState, width: number): string[]
}

export function lastFrames(): LastFrames {
  const made = new Map<string, readonly string[]>()
  const shown = new Map<string, string>()
  let busy = false

  async function make(path: string): Promise<void> {
    busy = true
    try {
      const small = (await stat(path)).size <= MOST_BYTES ? thumbnail(await readFile(path), COLUMNS) : undefined
      made.set(path, small ?? [])
    } catch {
      made.set(path, [])
    }
    busy = false
  }

  return {
    lines(state, width) {
      const pictures: { readonly label: string; readonly rows: readonly string[] }[] = []
      for (const [farm, { lastFrame }] of Object.entries(state.farms)) {
        if (!lastFrame) continue
        const { path } = lastFrame
        if (made.has(path)) {
          const before = shown.get(farm)
          if (before !== undefined && before !== path) made.delete(before)
          shown.set(farm, path)
        } else if (!busy) void make(path)
        const rows = made.get(shown.get(farm) ?? path) ?? []
        if (rows.length > 0) pictures.push({ label: `${farm}, frame ${lastFrame.frame}`, rows })
      }
      const fit = pictures.slice(0, Math.max(1, Math.floor((width - GAP) / (COLUMNS + GAP))))
      const high = Math.max(0, ...fit.map(({ rows }) => rows.length))
      const gap = ' '.repeat(GAP)
      const line = (cells: readonly string[]): string => gap + cells.join(gap)
      return high === 0
        ? []
        : [
            ...Array.from({ length: high }, (_, y) => line(fit.map(({ rows }) => rows[y] ?? ' '.repeat(COLUMNS)))),
            line(fit.map(({ label }) => label.slice(0, COLUMNS).padEnd(COLUMNS))),
          ]
    },
  }
}

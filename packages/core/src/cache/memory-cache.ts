import type { Cache } from './memo.ts'

/** Values that a process keeps: each costs a call to have again. */
const MOST = 2_000

/** A cache in memory that forgets what was set first, so that a process which plans for years does not grow. */
export function memoryCache(most: number = MOST): Cache & { clear(): void } {
  const values = new Map<string, string>()
  return {
    get: (key) => values.get(key),
    set(key, value) {
      values.delete(key)
      values.set(key, value)
      if (values.size > most) values.delete(values.keys().next().value!)
    },
    delete: (key) => values.delete(key),
    clear: () => values.clear(),
  }
}

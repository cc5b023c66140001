/** Where a leaf of plain data stands. */
export type Path = readonly (string | number)[]

/** Every leaf of plain data with its path. */
export function* leavesOf(value: unknown, path: Path = []): Generator<{ path: Path; leaf: unknown }> {
  if (typeof value !== 'object' || value === null) yield { path, leaf: value }
  else for (const [key, item] of Object.entries(value)) yield* leavesOf(item, [...path, Array.isArray(value) ? Number(key) : key])
}

const OTHER_WORDS: Readonly<Record<string, string>> = {
  accept: 'unsure',
  refuse: 'accept',
  unsure: 'accept',
  full: 'root',
  crop: 'replica',
  farm: 'checker',
  checker: 'farm',
  platform: 'farm',
  escrow: 'none',
  none: 'escrow',
  '0x': '0x01',
}

/** A value of the same shape that says something else; `at` chooses which digit of a text changes. */
export function otherLeaf(leaf: unknown, at = -1): unknown {
  if (typeof leaf === 'number') return leaf + 1
  if (typeof leaf === 'boolean') return !leaf
  const text = leaf as string
  if (OTHER_WORDS[text] !== undefined) return OTHER_WORDS[text]
  const start = text.startsWith('0x') ? 2 : 0
  const index = at < 0 ? text.length - 1 : start + (at % (text.length - start))
  return text.slice(0, index) + (text[index] === '1' ? '2' : '1') + text.slice(index + 1)
}

/** A copy of `root` with another value at `path`. */
export function changed(root: unknown, path: Path, to: unknown): unknown {
  const copy = structuredClone(root) as Record<string | number, unknown>
  let at = copy
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>
  at[path.at(-1)!] = to
  return copy
}

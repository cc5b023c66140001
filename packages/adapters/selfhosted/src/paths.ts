/** Characters that some system cannot store in a name, besides control characters. */
const RESERVED = ':*?"<>|\\'

function isPlainCharacter(character: string): boolean {
  return character.charCodeAt(0) >= 32 && !RESERVED.includes(character)
}

/** Whether a `/`-separated path is relative, stays below its folder, and can be stored on every system. */
export function isPlainPath(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && [...path].every(isPlainCharacter)
}

/** What stands for the tile in the name of a tiled texture, and the names that tiles have there. */
const TILES = { '<UDIM>': /^\d{4}$/, '<UVTILE>': /^u\d+_v\d+$/ } as const

/** A file name that every system can store; what stands for a tile stays. */
export function plainName(name: string): string {
  const plain = (part: string): string => [...part].map((character) => (isPlainCharacter(character) ? character : '_')).join('')
  const mark = tileMark(name)
  return mark ? name.split(mark).map(plain).join(mark) : plain(name)
}

function tileMark(path: string): keyof typeof TILES | undefined {
  return (Object.keys(TILES) as (keyof typeof TILES)[]).find((mark) => path.includes(mark))
}

/** Whether `path` is a pattern of tiles (`maps/wood.<UDIM>.png`), and the test of names that it stands for. */
export function tilesOf(path: string): ((other: string) => boolean) | undefined {
  const mark = tileMark(path)
  if (!mark) return undefined
  const at = path.indexOf(mark)
  const [head, tail] = [path.slice(0, at), path.slice(at + mark.length)]
  return (other) =>
    other.startsWith(head) && other.endsWith(tail) && TILES[mark].test(other.slice(head.length, other.length - tail.length))
}

/** Characters that some system cannot store in a name, besides control characters. */
const RESERVED = ':*?"<>|\\'

function isPlainCharacter(character: string): boolean {
  return character.charCodeAt(0) >= 32 && !RESERVED.includes(character)
}

/** Whether a `/`-separated path is relative, stays below its folder, and can be stored on every system. */
export function isPlainPath(path: string): boolean {
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && [...path].every(isPlainCharacter)
}

/** A file name that every system can store; `<UDIM>`, which stands for a number, stays. */
export function plainName(name: string): string {
  return name
    .split('<UDIM>')
    .map((part) => [...part].map((character) => (isPlainCharacter(character) ? character : '_')).join(''))
    .join('<UDIM>')
}

import { visible } from './table.ts'

/** Breaks lines that are wider than the terminal between words; what follows hangs below the text, behind the line's label. A word that is wider than the room stays whole, so that paths and hashes can be copied. */
export function wrap(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => (visible(line) <= columns ? line : wrapLine(line, columns)))
    .join('\n')
}

function wrapLine(line: string, columns: number): string {
  // oxlint-disable-next-line no-control-regex
  const plain = line.replace(/\u001B\[[0-9;]*m/g, '')
  // `  label: text`, `label     text` or plain indented text
  const label = /^ *(?:\S+(?:: +| {2,}))?/.exec(plain)![0].length
  const indent = Math.min(label, Math.floor(columns / 3))
  const lines: string[] = []
  let current = ''
  for (const piece of line.match(/ *[^ ]+/g) ?? []) {
    if (current === '' || visible(current) + visible(piece) <= columns) current += piece
    else {
      lines.push(current)
      current = ' '.repeat(indent) + piece.trimStart()
    }
  }
  return [...lines, current].join('\n')
}

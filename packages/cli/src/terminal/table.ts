/** Columns aligned for a terminal: text to the left, numbers (columns whose head starts with `>`) to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const right = head.map((name) => name.startsWith('>'))
  const lines = [head.map((name) => name.replace(/^>/, '')), ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => visible(cells[column] ?? ''))))
  const pad = (cell: string, column: number) => {
    const space = ' '.repeat(Math.max(0, widths[column]! - visible(cell)))
    return right[column] ? space + cell : cell + space
  }
  const print = (cells: readonly string[]) =>
    `  ${head
      .map((_, column) => pad(cells[column] ?? '', column))
      .join('  ')
      .trimEnd()}`
  return [print(lines[0]!), `  ${widths.map((width) => '─'.repeat(width)).join('  ')}`, ...lines.slice(1).map(print)].join('\n')
}

/** Characters a terminal shows of a text with colour codes. */
export function visible(text: string): number {
  // oxlint-disable-next-line no-control-regex
  return [...text.replace(/\u001B\[[0-9;]*m/g, '')].length
}

import { wrap } from './wrap.ts'

/** Where a command writes: lines that stay, and a block at the bottom that is redrawn. Without a terminal the block is printed only now and then. */
export interface Screen {
  /** Columns of the terminal; undefined when it is none. */
  readonly columns: number | undefined
  /** Prints a line that stays. */
  log(line: string): void
  /** Replaces the live block. */
  live(lines: readonly string[]): void
  /** Leaves the last block standing and ends. */
  end(): void
}

const REDRAW_MS = 80
/** Without a terminal (a log file, CI), how often the live block is worth a line. */
const PLAIN_MS = 5_000

export function createScreen(stream: NodeJS.WriteStream): Screen {
  let shown = 0
  let lines: readonly string[] = []
  let lastAt = 0
  const clear = () => {
    if (shown > 0) stream.write(`\u001B[${shown}A\u001B[J`)
    shown = 0
  }
  const draw = () => {
    const width = stream.columns || 100
    for (const line of lines) stream.write(`${fit(line, width)}\n`)
    shown = lines.length
  }
  return {
    get columns() {
      return stream.isTTY ? stream.columns || 100 : undefined
    },
    log(line) {
      if (!stream.isTTY) return void stream.write(`${line}\n`)
      clear()
      stream.write(`${wrap(line, stream.columns || 100)}\n`)
      draw()
    },
    live(next) {
      lines = next
      const now = Date.now()
      if (now - lastAt < (stream.isTTY ? REDRAW_MS : PLAIN_MS)) return
      lastAt = now
      if (stream.isTTY) {
        clear()
        draw()
      } else if (lines.length > 0) stream.write(`${lines.at(-1)}\n`)
    },
    end() {
      if (stream.isTTY && lines.length > 0) {
        clear()
        draw()
      }
      shown = 0
      lines = []
    },
  }
}

/** Cuts a line to the terminal's width, so that redrawing counts rows correctly; colour codes take no room. */
function fit(line: string, width: number): string {
  let room = width - 1
  // oxlint-disable-next-line no-control-regex
  return line.replace(/\u001B\[[0-9;]*m|[^\u001B]/gu, (piece) => (piece.startsWith('\u001B') ? piece : room-- > 0 ? piece : ''))
}

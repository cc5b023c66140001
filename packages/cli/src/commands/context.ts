import { jsonLines } from '../terminal/json-lines.ts'
import { createScreen, type Screen } from '../terminal/screen.ts'
import { styleFor, type Style } from '../terminal/style.ts'

/** What every command gets: where to write, and how. */
export interface CommandContext {
  readonly screen: Screen
  readonly style: Style
  readonly json: boolean
  /** Prints one JSON object a line, when `--json` was given. */
  readonly emit: (value: object) => void
  readonly env: Readonly<Record<string, string | undefined>>
}

/** With --json, people's text goes to stderr, so that stdout holds nothing but objects. */
export function commandContext(json: boolean): CommandContext {
  const stream = json ? process.stderr : process.stdout
  const quiet: Screen = { columns: undefined, log: () => {}, live: () => {}, end: () => {} }
  const lines = jsonLines(process.stdout)
  return {
    screen: json ? quiet : createScreen(stream),
    style: styleFor(stream, process.env),
    json,
    emit: (value) => json && lines(value),
    env: process.env,
  }
}

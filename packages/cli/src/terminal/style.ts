/** Colours when the stream is a terminal that wants them (NO_COLOR is honoured), plain text otherwise. */
export interface Style {
  readonly colours: boolean
  bold(text: string): string
  dim(text: string): string
  green(text: string): string
  red(text: string): string
  yellow(text: string): string
  cyan(text: string): string
}

export function styleFor(stream: { isTTY?: boolean }, env: Readonly<Record<string, string | undefined>>): Style {
  const on = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  const code = (open: number, close: number) => (text: string) => (on ? `\u001B[${open}m${text}\u001B[${close}m` : text)
  return {
    colours: on,
    bold: code(1, 22),
    dim: code(2, 22),
    green: code(32, 39),
    red: code(31, 39),
    yellow: code(33, 39),
    cyan: code(36, 39),
  }
}

/** A duration for people: `850 ms`, `42 s`, `3 min 05 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  if (ms < 950) return `${Math.round(ms)} ms`
  const s = Math.round(ms / 1000)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} min`
}

/** A bar of `width` cells, `done` and `pending` as shares of 1. */
export function bar(done: number, pending: number, width: number): string {
  const full = Math.round(Math.min(1, done) * width)
  const half = Math.min(width - full, Math.round(Math.max(0, pending) * width))
  return '█'.repeat(full) + '▒'.repeat(half) + '░'.repeat(width - full - half)
}

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { checkPath, writeReport, type CheckLine, type CheckPathOptions } from '@pictor/checker'
import { formatFrames, invalid, parseFrames } from '@pictor/core/contract'
import { EXIT } from '../terminal/failure.ts'
import { printable } from '../terminal/printable.ts'
import type { CommandContext } from './context.ts'

/** What `pictor check` was asked. */
export interface CheckArguments {
  /** Folder for a page with thumbnails. */
  readonly report?: string
  /** Frames that must be there, as `1-240`. */
  readonly frames?: string
  /** The ordered resolution, as `1920x1080`. */
  readonly size?: string
  /** Frames that are meant to be black, as `1-12`. */
  readonly black?: string
  /** Whether frames may repeat: a still shot, holds, animation on twos. */
  readonly still?: boolean
}

/** `pictor check`: one line a frame. Exit code 1 when a frame is refused, 7 when one is unsure and none refused. */
export async function check(path: string, asked: CheckArguments, context: CommandContext): Promise<number> {
  const { report, frames } = asked
  const { style, screen } = context
  const lines: CheckLine[] = []
  let run: CheckLine[] = []
  const startedAt = performance.now()
  const options: CheckPathOptions = {
    ...(frames === undefined ? {} : { frames: parseFrames(frames) }),
    spec: orderOf(asked),
    onStart: ({ basis, total }) => screen.log(style.dim(printable(`${total} ${total === 1 ? 'file' : 'files'}; ${basis}`))),
    onProgress: ({ done, total }) => {
      if (performance.now() - startedAt > 1000) screen.live([style.dim(`${done} of ${total} files looked at`)])
    },
  }
  if (existsSync(join(path, 'manifest.json')))
    screen.log(style.yellow(`the folder holds a manifest.json, which says more: pictor check ${join(path, 'manifest.json')}`))
  for await (const line of checkPath(path, options)) {
    lines.push(line)
    context.emit(line)
    if (run[0] && !alike(run[0], line)) {
      screen.log(shown(run, context))
      run = []
    }
    run.push(line)
  }
  if (run.length > 0) screen.log(shown(run, context))
  screen.live([])
  if (report !== undefined) {
    const { page } = await writeReport(resolve(report), path, { ...options, lines })
    screen.log(style.dim(`report: ${page}`))
  }
  const of = (verdict: CheckLine['verdict']): readonly CheckLine[] => lines.filter((line) => line.verdict === verdict)
  const [refused, unsure] = [of('refuse'), of('unsure')]
  screen.log(`${of('accept').length} accepted, ${refused.length} refused, ${unsure.length} unsure`)
  return refused.length > 0 ? EXIT.failed : unsure.length > 0 ? EXIT.partial : EXIT.ok
}

/** What the options say of the order. */
function orderOf({ size, black, still }: CheckArguments): NonNullable<CheckPathOptions['spec']> {
  const [, width, height] = /^([1-9]\d{0,5})x([1-9]\d{0,5})$/.exec(size ?? '') ?? []
  if (size !== undefined && height === undefined) throw invalid('size', 'width and height in pixels such as 1920x1080', size)
  return {
    ...(size === undefined ? {} : { output: { width: Number(width), height: Number(height) } }),
    ...(black === undefined ? {} : { legitBlackFrames: parseFrames(black) }),
    ...(still ? { legitStatic: true } : {}),
  }
}

/** Whether two lines of one sequence say the same but for the frame, so that a long sequence does not scroll what matters away. */
const alike = (a: CheckLine, b: CheckLine): boolean =>
  a.verdict === b.verdict &&
  stemOf(a.file) === stemOf(b.file) &&
  a.findings.length === b.findings.length &&
  a.findings.every(({ message }, i) => message === b.findings[i]!.message)

const stemOf = (file: string): string => file.replace(/-?\d+(?=\D*$)/, '#')

/** Lines that are alike, as people read them. */
function shown(run: readonly CheckLine[], { style }: CommandContext): string {
  const [first, last] = [run[0]!, run.at(-1)!]
  const name = ({ file, frame }: CheckLine): string => printable(file) || `frame ${frame}`
  const frames = [...new Set(run.map(({ frame }) => frame))]
  const many = run.length === 1 ? '' : ` to ${name(last)} ${style.dim(`(${frames.length} frames: ${formatFrames(frames)})`)}`
  const paint = { accept: style.green, refuse: style.red, unsure: style.yellow }[first.verdict]
  const why = first.findings.map(({ message }) => style.dim(`\n          ${printable(message)}`)).join('')
  return `${paint(first.verdict.padEnd(7))} ${name(first)}${many}${why}`
}

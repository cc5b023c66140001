import { resolve } from 'node:path'
import { checkPath, writeReport } from '@pictor/checker'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

/** `pictor check`: one line a frame. Exit code 1 when a frame is refused, 7 when one is unsure and none refused. */
export async function check(path: string, options: { readonly report?: string }, context: CommandContext): Promise<number> {
  const { style, screen } = context
  const counts = { accept: 0, refuse: 0, unsure: 0 }
  const lines = []
  const startedAt = performance.now()
  const onProgress = ({ done, total }: { readonly done: number; readonly total: number }): void => {
    if (performance.now() - startedAt > 1000) screen.live([style.dim(`${done} of ${total} frames looked at`)])
  }
  for await (const line of checkPath(path, { onProgress })) {
    counts[line.verdict]++
    lines.push(line)
    context.emit(line)
    const paint = { accept: style.green, refuse: style.red, unsure: style.yellow }[line.verdict]
    screen.log(
      `${paint(line.verdict.padEnd(7))} ${line.file}${line.findings.map((finding) => style.dim(`\n          ${finding.message}`)).join('')}`,
    )
  }
  if (options.report) await writeReport(resolve(options.report), path, { lines })
  screen.live([])
  screen.log(`${counts.accept} accepted, ${counts.refuse} refused, ${counts.unsure} unsure`)
  return counts.refuse > 0 ? EXIT.failed : counts.unsure > 0 ? EXIT.partial : EXIT.ok
}

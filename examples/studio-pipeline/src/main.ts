// node examples/studio-pipeline/src/main.ts show.json renders/ : renders what changed in a show. Ctrl-C stops waiting; the next call goes on.
import { join } from 'node:path'
import { formatMoney, isPictorError } from '@pictor/core'
import { readShow, renderShow } from './pipeline.ts'
import { openStudio } from './studio.ts'

const [showFile = 'show.json', renders = 'renders'] = process.argv.slice(2)
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
const show = await readShow(showFile)
const studio = await openStudio(join(renders, '.pictor'))
try {
  for await (const { shot, outcome, ...rest } of renderShow(show, { pictor: studio.pictor, renders, signal: stop.signal })) {
    const version = 'version' in rest ? rest.version : undefined
    const paid = version ? formatMoney({ amount: BigInt(version.paid), currency: show.budget.currency }) : ''
    console.log(
      `${shot}: ${outcome}${version ? ` v${String(version.number).padStart(3, '0')}, ${version.frames.length} frames, ${paid}` : ''}`,
    )
  }
} catch (error) {
  if (!stop.signal.aborted && !isPictorError(error)) throw error
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await studio.close()
}

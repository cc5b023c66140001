import type { FarmInfo } from '@pictor/core'
import { compose, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import { table } from '../terminal/table.ts'
import type { CommandContext } from './context.ts'

/** `pictor farms`: asks every configured farm who it is. Exit code 1 when one does not answer. */
export async function farms(options: StateOptions, context: CommandContext): Promise<number> {
  const composition = await compose(options)
  try {
    let silent = 0
    const rows = await Promise.all(
      composition.farms.map(async (farm) => {
        try {
          const info = await farm.describe({ key: `describe/${farm.id}`, signal: AbortSignal.timeout(20_000) })
          context.emit({ type: 'farm', reach: 'ok', ...info })
          return row(info)
        } catch (error) {
          silent++
          const message = error instanceof Error ? error.message : String(error)
          context.emit({ type: 'farm', reach: 'failed', id: farm.id, message })
          return [farm.id, context.style.red('no answer'), '', '', '', message.slice(0, 60)]
        }
      }),
    )
    context.screen.log(table(['farm', 'lane', '>slots', 'software', 'verified', 'prices'], rows))
    return silent === 0 ? EXIT.ok : EXIT.failed
  } finally {
    await composition.close()
  }
}

function row(info: FarmInfo): string[] {
  const software = info.software.map(({ name, version }) => `${name} ${version}`).join(', ') || 'unknown'
  const prices = info.priceBook ? `${info.priceBook.source} (${info.priceBook.kind}, ${info.priceBook.asOf})` : 'by quote'
  return [info.id, info.lane, String(info.slots ?? '?'), software, info.verification, prices]
}

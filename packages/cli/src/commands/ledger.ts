import { formatMoney, type Bytes32 } from '@pictor/core'
import { compose, type StateOptions } from '../compose.ts'
import { findRun } from '../find-run.ts'
import { EXIT } from '../terminal/failure.ts'
import { entryLine } from '../terminal/ledger-view.ts'
import { table } from '../terminal/table.ts'
import type { CommandContext } from './context.ts'

/** `pictor ledger [RUN]`: where the money of this folder's jobs stands, and with a run every entry of its record. */
export async function ledger(run: string | undefined, options: StateOptions, context: CommandContext): Promise<number> {
  const { pictor, close } = await compose(options)
  try {
    const wanted = run === undefined ? undefined : await findRun(pictor, run)
    context.screen.log(context.style.dim(`  ${pictor.ledger.label}`))
    const rows: string[][] = []
    for await (const job of pictor.jobs()) {
      if (wanted !== undefined && job.run !== wanted) continue
      const { job: id, terms, spec } = await pictor.material(job.run)
      const money = await pictor.ledger.money(id, { key: `money/${id}` })
      const show = (amount: bigint) => formatMoney({ amount, currency: spec.budget.currency })
      context.emit({ type: 'money', run: job.run, job: id, creator: terms.creator, ...money })
      rows.push([
        job.name,
        id.slice(0, 10),
        money.status,
        show(money.deposited),
        show(money.locked),
        show(money.pending),
        show(money.released),
        show(money.refunded),
      ])
      if (wanted !== undefined) await entries(pictor, id, spec.budget.currency, context)
    }
    context.screen.log(
      rows.length === 0
        ? '  no jobs here'
        : table(['name', 'job', 'state', '>deposited', '>locked', '>pending', '>released', '>refunded'], rows),
    )
    return EXIT.ok
  } finally {
    await close()
  }
}

async function entries(
  pictor: Awaited<ReturnType<typeof compose>>['pictor'],
  job: Bytes32,
  currency: string,
  context: CommandContext,
): Promise<void> {
  let cursor: string | undefined
  for (;;) {
    const page = await pictor.ledger.poll({ job, ...(cursor === undefined ? {} : { cursor }) }, { key: `entries/${job}` })
    for (const event of page.events) {
      context.emit({ ...event })
      context.screen.log(entryLine(event, currency, context.style))
    }
    if (page.events.length === 0 || page.cursor === cursor) return
    cursor = page.cursor
  }
}

import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createPictor, formatMoney, usd } from '@pictor/core'
import { castOf } from '../demo/cast.ts'
import { openChain } from '../demo/chain.ts'
import { planForAll } from '../demo/deadline.ts'
import { checkTime, gasOf, summaryLines } from '../demo/summary.ts'
import { keyFile } from '../keys.ts'
import { writeResults } from '../results.ts'
import { EXIT } from '../terminal/failure.ts'
import { followRun, jobView } from '../terminal/job-view.ts'
import { inspectionLines, planLines, planProgress } from '../terminal/plan-view.ts'
import type { CommandContext } from './context.ts'

export interface DemoOptions {
  readonly out: string
  /** Another scene than the demo's own. */
  readonly scene?: string
  readonly frames?: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const SCENE = fileURLToPath(new URL('../../../../examples/scenes/orrery.blend', import.meta.url))
const BUDGET = usd('1')

/** `pictor demo`: the main job, on real parts only: three farms of real Blender, one of which cheats, three checkers, an escrow contract on a local chain. */
export async function demo(options: DemoOptions, context: CommandContext): Promise<number> {
  const out = resolve(options.out)
  const { screen, style } = context
  rmSync(join(out, 'state'), { recursive: true, force: true })
  const startedAtMs = Date.now()
  const keys = keyFile(
    join(out, 'keys.json'),
    'DEVELOPMENT KEYS of the Pictor demo. Worthless outside the local chain; never send money to them.',
  )
  const cast = castOf(join(out, 'state'), keys, options.env.PICTOR_BLENDER)
  const chain = await openChain(join(out, 'chain.json'), keys, BUDGET.amount)
  screen.log(`${style.bold('chain')}     ${chain.ledger.label}; ${formatMoney(BUDGET)} in the creator's wallet`)
  const pictor = createPictor({
    inspector: cast.inspector,
    farms: cast.farms,
    checkers: cast.checkers,
    quorum: 2,
    signer: cast.creator,
    leaseSigner: cast.lease,
    ledger: chain.ledger,
    token: chain.token,
    platform: { address: cast.platform.address, feeBps: 500 },
    disputeWindowS: 0,
    dataDir: join(out, 'state'),
    onPlanProgress: planProgress(context),
  })
  try {
    const plans = await pictor.plan({
      scene: options.scene ?? SCENE,
      deadline: '30m',
      budget: BUDGET,
      ...(options.frames === undefined ? {} : { frames: options.frames }),
    })
    const plan = planForAll(plans, cast.farms.length, Date.now())
    for (const line of [...inspectionLines(plans.inspection, context), '', ...planLines(plan, context), '']) screen.log(line)
    const run = await pictor.submit(plan, { outDir: out, leaseMs: 20_000, batchWaitMs: 8_000 })
    const submittedAtMs = Date.now()
    context.emit({ type: 'run', run: run.id })
    if (context.json) for await (const event of run.events()) context.emit(event)
    else await followRun(run, jobView(screen, style, plan.cost.currency, cast.names))
    const result = await run.done()
    const elapsedMs = Date.now() - submittedAtMs
    const { material, events } = await writeResults(pictor, run, result, out, context)
    const balances = await chain.balances(cast.names)
    const checkMs = await checkTime(cast.checkers, material.job)
    for (const line of summaryLines(
      { plan, material, events, result, balances, supply: BUDGET.amount, elapsedMs, checkMs },
      context,
    ))
      screen.log(line)
    screen.log(`\n  the whole demo took ${Math.round((Date.now() - startedAtMs) / 1000)} s. Verify the receipt offline:`)
    const blockHash = await chain.blockHash(material)
    screen.log(
      `  pnpm pictor verify ${options.out}/receipt.json --block-hash ${blockHash} --escrow ${material.domain.verifyingContract}`,
    )
    context.emit({
      type: 'summary',
      outcome: result.outcome,
      balances,
      supply: BUDGET.amount,
      elapsedMs,
      checkMs,
      probeMs: plan.estimate.probeMs,
      gas: gasOf(material),
      transactions: new Set(material.ledgerEvents.map((event) => event.tx)).size,
      blockHash,
      escrow: material.domain.verifyingContract,
      plan: plan.routes.map(({ farm, frames }) => ({ farm, frames })),
    })
    const whole = balances.reduce((sum, { amount }) => sum + amount, 0n) === BUDGET.amount
    return result.outcome === 'done' && whole ? EXIT.ok : EXIT.failed
  } finally {
    await pictor.close()
    await cast.close()
    await chain.close()
  }
}

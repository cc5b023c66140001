import { createInterface } from 'node:readline/promises'
import { formatMoney, parseDeadline, PictorError, type Bytes32, type JobState, type Pictor } from '@pictor/core'
import { compose, type StateOptions } from '../compose.ts'
import { findRun } from '../find-run.ts'
import { EXIT } from '../terminal/failure.ts'
import { table } from '../terminal/table.ts'
import type { CommandContext } from './context.ts'
import { firstInterrupt } from './interrupted.ts'
import { exitOf, follow } from './render.ts'

/** `pictor jobs`: every job of the state folder, newest first. */
export async function jobs(options: StateOptions, context: CommandContext): Promise<number> {
  const { pictor, close } = await compose(options)
  try {
    const rows: string[][] = []
    for await (const job of pictor.jobs()) {
      context.emit({ type: 'job', ...job })
      rows.push([
        job.run,
        job.name,
        job.outcome ?? job.phase,
        `${job.framesDelivered}/${job.framesTotal}`,
        new Date(job.createdAtMs).toISOString().slice(0, 16).replace('T', ' '),
      ])
    }
    context.screen.log(
      rows.length === 0 ? '  no jobs here yet' : table(['run', 'name', 'state', '>frames', 'since (UTC)'], rows.reverse()),
    )
    return EXIT.ok
  } finally {
    await close()
  }
}

/** `pictor watch`: follows a run to its end, or until Ctrl-C. */
export async function watch(run: string, options: StateOptions, context: CommandContext): Promise<number> {
  const composition = await compose(options)
  const detach = firstInterrupt('detaching', context)
  try {
    const { pictor } = composition
    const outcome = await follow(await pictor.attach(await findRun(pictor, run)), composition, context, detach.signal)
    return outcome === undefined ? EXIT.detached : exitOf(outcome)
  } finally {
    detach.end()
    await composition.close()
  }
}

/** `pictor cancel|pause|resume`: an input to a run, whichever process drives it. Cancel says what is lost and asks first. */
export async function change(
  verb: 'cancel' | 'pause' | 'resume',
  text: string,
  options: StateOptions & { readonly yes?: boolean },
  context: CommandContext,
): Promise<number> {
  const { pictor, close } = await compose(options)
  try {
    const run = await findRun(pictor, text)
    const state = await openRun(pictor, run)
    if (verb === 'cancel') {
      for (const line of cancelLines(state)) context.screen.log(line)
      context.emit({
        type: 'cancel-preview',
        ...state.money,
        framesAccepted: state.framesAccepted,
        framesTotal: state.framesTotal,
      })
      if (!options.yes && !(await confirmed(context))) return EXIT.failed
    }
    await pictor.post(run, verb === 'pause' ? 'hold' : verb)
    context.screen.log(
      `${verb} was recorded for ${run}; the process that runs the job acts on it (\`pictor watch ${run}\` takes it up when none does)`,
    )
    context.emit({ type: 'posted', run, input: verb })
    return EXIT.ok
  } finally {
    await close()
  }
}

/** `pictor set`: another priority or deadline for a run, whichever process drives it. */
export async function set(
  text: string,
  options: StateOptions & { readonly priority?: string; readonly deadline?: string },
  context: CommandContext,
): Promise<number> {
  const inputs = changesOf(options)
  const { pictor, close } = await compose(options)
  try {
    const run = await findRun(pictor, text)
    const { deadlineAtMs } = await openRun(pictor, run)
    for (const input of inputs) {
      await pictor.post(run, input)
      context.emit({ type: 'posted', run, input })
    }
    context.screen.log(`recorded for ${run}; the process that runs the job acts on it`)
    const later = inputs.some((input) => 'deadlineAtMs' in input && input.deadlineAtMs > deadlineAtMs)
    if (later) context.screen.log('  a deadline later than the one in the terms of the money stays at that one')
    return EXIT.ok
  } finally {
    await close()
  }
}

/** The state of a run that can still be changed. @throws invalid-input, not-found */
async function openRun(pictor: Pictor, run: Bytes32): Promise<JobState> {
  const state = await pictor.state(run)
  if (state.phase !== 'ended') return state
  throw new PictorError('invalid-input', `run ${run} has ended (${state.outcome})`, {
    details: { path: 'run', hint: 'pictor jobs lists those that run' },
  })
}

function changesOf({ priority, deadline }: { readonly priority?: string; readonly deadline?: string }) {
  if (priority === undefined && deadline === undefined)
    throw new PictorError('invalid-input', 'nothing to set', {
      details: { path: 'priority', hint: '--priority 5 or --deadline 2h' },
    })
  if (priority !== undefined && !/^-?\d{1,6}$/.test(priority))
    throw new PictorError('invalid-input', `priority: expected a whole number, found ${priority}`, {
      details: { path: 'priority' },
    })
  return [
    ...(priority === undefined ? [] : [{ priority: Number(priority) }]),
    ...(deadline === undefined ? [] : [{ deadlineAtMs: parseDeadline(deadline, Date.now()) }]),
  ]
}

function cancelLines(state: JobState): string[] {
  const money = (amount: bigint) => formatMoney({ amount, currency: state.money.currency })
  const free = state.money.locked - state.money.pending - state.money.paid - state.money.refunded
  return [
    `  ${state.name}: ${state.framesAccepted} of ${state.framesTotal} frames are accepted and stay yours`,
    `  paid so far ${money(state.money.paid)}; up to ${money(state.money.pending)} more for leases that farms have accepted and may still commit`,
    `  back to you at once: ${money(free > 0n ? free : 0n)}, and what those leases do not earn`,
  ]
}

async function confirmed({ json }: CommandContext): Promise<boolean> {
  if (json || !process.stdin.isTTY)
    throw new PictorError('invalid-input', 'nobody can be asked here, so nothing was canceled', {
      details: { path: 'yes', hint: '--yes cancels without asking' },
    })
  const prompt = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test(await prompt.question('  cancel this job? [y/N] '))
  } finally {
    prompt.close()
  }
}

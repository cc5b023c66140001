import type { Command } from 'commander'
import { addJobOptions, perform, withEnv, type Arguments } from './perform.ts'

/** Jobs under way, their farms and their money. */
export function addRunCommands(program: Command): void {
  program.commandsGroup('Jobs of this folder:')
  addJobOptions(
    program
      .command('jobs')
      .description('jobs of this folder')
      .action((options: Arguments) =>
        perform(options, async (context) => (await import('../commands/jobs.ts')).jobs(withEnv(options) as never, context)),
      ),
  )

  for (const verb of ['cancel', 'pause', 'resume'] as const)
    addJobOptions(
      program
        .command(`${verb} <run>`)
        .description(
          {
            cancel: 'end a run; says first what is lost and what is refunded',
            pause: 'give out no new frames',
            resume: 'go on after pause',
          }[verb],
        )
        .option('--yes', 'do not ask')
        .action((run: string, options: Arguments) =>
          perform(options, async (context) =>
            (await import('../commands/jobs.ts')).change(verb, run, withEnv(options) as never, context),
          ),
        ),
    )

  addJobOptions(
    program
      .command('set <run>')
      .description('change priority or deadline of a run while it runs')
      .option('--priority <n>', 'whole number; farms that know priorities take higher ones first')
      .option('--deadline <when>', 'such as 2h or an ISO date; not later than the one the money was locked for')
      .action((run: string, options: Arguments) =>
        perform(options, async (context) => (await import('../commands/jobs.ts')).set(run, withEnv(options) as never, context)),
      ),
  )

  addJobOptions(
    program
      .command('rotate-lease-key')
      .description('put a new lease key in place of one that was lost or stolen, in every open job of this folder')
      .action((options: Arguments) =>
        perform(options, async (context) =>
          (await import('../commands/rotate-lease-key.ts')).rotateLeaseKey(withEnv(options) as never, context),
        ),
      ),
  )

  addJobOptions(
    program
      .command('watch <run>')
      .description('follow a run, whichever process drives it; takes it up when none does')
      .action((run: string, options: Arguments) =>
        perform(options, async (context) => (await import('../commands/jobs.ts')).watch(run, withEnv(options) as never, context)),
      ),
  )

  addJobOptions(
    program
      .command('tickets')
      .description('what farms ask of people; answer one with --answer')
      .option('--answer <ticket>', 'the ticket to answer')
      .option('--field <name=value...>', 'its fields')
      .action((options: Arguments) =>
        perform(options, async (context) => (await import('../commands/tickets.ts')).tickets(withEnv(options) as never, context)),
      ),
  )

  addJobOptions(
    program
      .command('farms')
      .description('configured farms: reach, lane, software, prices, standing over all jobs')
      .option('--trust <farm>', 'end the quarantine and the probation of a farm')
      .option('--quarantine <farm>', 'keep leases from a farm')
      .option('--hours <n>', 'how long (24)')
      .option('--reason <text>', 'why, for everybody who looks later')
      .action((options: Arguments) =>
        perform(options, async (context) => (await import('../commands/farms.ts')).farms(withEnv(options) as never, context)),
      ),
  )

  addJobOptions(
    program
      .command('ledger [run]')
      .description("where the money of this folder's jobs stands; with a run, every entry")
      .action((run: string | undefined, options: Arguments) =>
        perform(options, async (context) =>
          (await import('../commands/ledger.ts')).ledger(run, withEnv(options) as never, context),
        ),
      ),
  )
}

import type { Command } from 'commander'
import { commandContext, type CommandContext } from '../commands/context.ts'
import { failureOf } from '../terminal/failure.ts'

/** What commander parsed; every command checks its own fields. */
export interface Arguments {
  readonly json?: boolean
  readonly [name: string]: unknown
}

/** Runs a command: prints an error as what, where and what to do (or as one JSON object), and sets the exit code. */
export async function perform({ json = false }: Arguments, run: (context: CommandContext) => Promise<number>): Promise<void> {
  const context = commandContext(json)
  try {
    process.exitCode = await run(context)
  } catch (error) {
    const { exit, ...failure } = failureOf(error)
    context.screen.end()
    context.emit({ type: 'error', ...failure })
    if (!json) {
      process.stderr.write(`${context.style.red('error')} [${failure.code}] ${failure.message}\n`)
      if (failure.hint) process.stderr.write(`      ${failure.hint}\n`)
      if (failure.code === 'internal' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    }
    process.exitCode = exit
  }
}

/** The options of a command that opens jobs, with the environment that keys and tokens come from. */
export const withEnv = <T extends object>(options: T): T & { readonly env: NodeJS.ProcessEnv } => ({
  ...options,
  env: process.env,
})

/** Options of every command that opens jobs. Added last, so that help shows a command's own options first. */
export function addJobOptions(command: Command): Command {
  return command
    .optionsGroup('Jobs, farms and money:')
    .option('--state-dir <dir>', 'where jobs, keys and files live', '.pictor')
    .option('--config <file>', 'farms and checkers (default: pictor.config.ts|js|json, else this machine)')
    .option('--rpc <url>', 'chain to lock the money on (with --escrow and --keystore)')
    .option('--escrow <address>', 'escrow contract')
    .option('--token <address>', 'ERC-20 of the job on the chain')
    .option('--keystore <file>', 'encrypted key of the creator; password in PICTOR_KEYSTORE_PASSWORD')
    .option('--dispute-hours <n>', 'how long a batch waits for disputes on a chain, 0 for development (default: 24)')
    .option('--rate <file|url>', 'signed rate, for a budget in PICTOR (with --quoter; `pictor rate` makes one)')
    .option('--quoter <address>', 'whose rates you trust')
    .option('--draw <n>', "let the escrow's registry draw so many checkers for each job")
    .option('--hour-price <usd>', "price of this machine's own hosts, USD an hour")
    .option('--json', 'one JSON object a line on stdout')
}

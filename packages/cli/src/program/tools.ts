import type { Command } from 'commander'
import { perform, withEnv, type Arguments } from './perform.ts'

/** What shows, tests and develops. */
export function addToolCommands(program: Command): void {
  program.commandsGroup('Tools:')
  program
    .command('doctor')
    .description('what this machine has and what is missing')
    .option('--state-dir <dir>', 'where jobs, keys and files live', '.pictor')
    .option('--json', 'one JSON object a line')
    .action((options: Arguments) =>
      perform(options, async (context) => (await import('../commands/doctor.ts')).doctor(withEnv(options) as never, context)),
    )
  program
    .command('demo')
    .description('the main job on three local farms with an escrow contract, into out/')
    .option('--out <dir>', 'folder for everything the demo writes', 'out')
    .option('--scene <file>', "another scene than the demo's own")
    .option('--frames <range>', "frame range (default: the file's)")
    .option('--json', 'one JSON object a line on stdout')
    .action((options: Arguments) =>
      perform(options, async (context) => (await import('../commands/demo.ts')).demo(withEnv(options) as never, context)),
    )

  program
    .command('adapter')
    .description('for authors of adapters')
    .command('test <module>')
    .description('run the conformance kit over a module that exports `conformance`')
    .option('--json', 'one JSON object a line')
    .action((path: string, options: Arguments) =>
      perform(options, async (context) => (await import('../commands/adapter-test.ts')).adapterTest(path, context)),
    )

  program
    .command('chain')
    .description('for development')
    .command('up')
    .description('a local chain with the escrow and a development dollar')
    .option('--port <n>', 'port', '8545')
    .option('--state <file>', 'keep the chain in this file')
    .option('--token <usd|pictor>', 'the development token', 'usd')
    .option('--block-time <s>', 'a block every so many seconds, which draws of a registry need (default: one a transaction)')
    .option('--json', 'one JSON object')
    .action((options: Arguments) =>
      perform(options, async (context) => (await import('../commands/chain-up.ts')).chainUp(options as never, context)),
    )
}

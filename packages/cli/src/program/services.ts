import { Option, type Command } from 'commander'
import { addMachineOptions } from './machine-flags.ts'
import { perform, withEnv, type Arguments } from './perform.ts'

/** This machine in the service of others: as a farm, as a checker, as a quoter of rates. */
export function addServiceCommands(program: Command): void {
  program.commandsGroup('For others:')
  const farmCommand = program.command('farm').description('this machine as a farm for others')
  addMachineOptions(farmCommand.command('serve'), 'auto')
    .description(
      'serve this machine over the farm protocol; scenes render in a sandbox. Ctrl-C ends it, and tasks go on at the next start; SIGUSR2 ends it when all its tasks are done, and it takes no new ones',
    )
    .option('--id <name>', 'name of the farm', 'this-machine')
    .option('--host <address>', 'put a TLS proxy in front before you name a public one', '127.0.0.1')
    .option('--port <n>', 'port, 0 for any free one', '0')
    .option('--hour-price <usd>', 'price of a slot, USD an hour (default: free)')
    .option('--min-frame-price <usd>', 'take no lease that pays less for a frame, fees inside (default: what its terms offer)')
    .option(
      '--max-platform-fee <percent>',
      'take no lease of which the platform keeps more (default: what its terms say, at most 30)',
    )
    .option(
      '--unleased-frames <n>',
      'most that is rendered without a lease in an hour, in whole frames: probes and checks (with --rpc, --escrow)',
      '60',
    )
    .option('--state-dir <dir>', 'where its key, books and files live', '.pictor')
    .option('--rpc <url>', 'node of the chain to follow (with --escrow): no lease before its money is locked there')
    .option('--escrow <address>', 'escrow contract that the farm is paid from; leases of others are refused')
    .option('--from-block <n>', 'first block that is looked at', '0')
    .option(
      '--sealed',
      'encrypt outputs until they are accepted: creators see marked previews before (with --rpc, --escrow)',
      false,
    )
    .option(
      '--keep-days <n>',
      'days that scenes and outputs are kept after they were last used; leased ones until refundAfter',
      '30',
    )
    .option('--json', 'one JSON object a line on stdout')
    .action((options: Arguments) =>
      perform(options, async (context) =>
        (await import('../commands/farm-serve.ts')).farmServe(withEnv(options) as never, context),
      ),
    )

  const checkerCommand = program.command('checker').description('this machine as a checker for others')
  addMachineOptions(checkerCommand.command('serve'), 'cpu')
    .description('serve a checker over the checker protocol; scenes render in a sandbox, keys stay in a signer process')
    .option('--id <name>', 'name of the checker (default: its address)')
    .option('--state-dir <dir>', 'where its memory and files live', '.pictor')
    .option('--signer <socket>', 'socket of a running `pictor checker signer`')
    .option(
      '--keystore <file>',
      'or: its encrypted key; a signer process is started for it (password in PICTOR_KEYSTORE_PASSWORD)',
    )
    .option('--rpc <url>', 'node of the chain to follow (with --escrow): no Ready before money is locked')
    .option('--escrow <address>', 'escrow contract')
    .option('--from-block <n>', 'first block that is looked at', '0')
    .option('--peers <file>', 'the other checkers of its jobs (JSON): together they settle jobs whose runner vanished')
    .option(
      '--relay-keystore <file>',
      'account that pays for gas where it posts what the checkers signed, and draws the checkers of registry jobs (password in PICTOR_RELAY_PASSWORD)',
    )
    .option('--runner-silent-s <n>', 'a runner that asked nothing for this many seconds is gone', '600')
    .option('--keep-days <n>', 'days that files of a job are kept after nobody can dispute it any more', '7')
    .option('--host <address>', 'put a TLS proxy in front before you name a public one', '127.0.0.1')
    .option('--port <n>', 'port, 0 for any free one', '0')
    .option('--allow-insecure', 'fetch files over http:// from other machines (a trusted network)')
    .option('--json', 'one JSON object a line on stdout: every event')
    .action((options: Arguments) =>
      perform(options, async (context) =>
        (await import('../commands/checker-serve.ts')).checkerServe(withEnv(options) as never, context),
      ),
    )
  checkerCommand
    .command('signer')
    .description('hold a checker’s key and sign over a Unix socket, never two votes that contradict each other')
    .requiredOption('--keystore <file>', 'encrypted key; password in PICTOR_KEYSTORE_PASSWORD')
    .option('--state-dir <dir>', 'where the log of what was signed lives', '.pictor')
    .option('--socket <path>', 'where to listen (default: signer/signer.sock in the state folder)')
    .option('--domain <chain:escrow...>', 'sign for these ledgers only, such as 1:0x1234…')
    .addOption(new Option('--with-parent', 'end when standard input does').hideHelp())
    .option('--json', 'one JSON object a line on stdout')
    .action((options: Arguments) =>
      perform(options, async (context) =>
        (await import('../commands/checker-signer.ts')).checkerSigner(withEnv(options) as never, context),
      ),
    )
  checkerCommand
    .command('stake')
    .description('put the stake of a checker at risk in a registry, so that jobs with --draw may draw it')
    .requiredOption('--keystore <file>', 'its encrypted key; password in PICTOR_KEYSTORE_PASSWORD')
    .requiredOption('--rpc <url>', 'node of the chain')
    .requiredOption('--registry <address>', 'the registry of the escrow')
    .option('--json', 'one JSON object on stdout')
    .action((options: Arguments) =>
      perform(options, async (context) =>
        (await import('../commands/checker-stake.ts')).checkerStake(withEnv(options) as never, context),
      ),
    )
  checkerCommand
    .command('key')
    .description('make a key and keep it encrypted')
    .requiredOption('--keystore <file>', 'file to write; password in PICTOR_KEYSTORE_PASSWORD')
    .option('--json', 'one JSON object on stdout')
    .action((options: Arguments) =>
      perform(options, async (context) =>
        (await import('../commands/checker-key.ts')).checkerKey(withEnv(options) as never, context),
      ),
    )
  program
    .command('rate <price>')
    .description('sign what one PICTOR costs in USD, for plans with --rate and --quoter')
    .requiredOption('--keystore <file>', 'encrypted key of the quoter; password in PICTOR_KEYSTORE_PASSWORD')
    .option('--to <currency>', 'the currency', 'PICTOR')
    .option('--valid <time>', 'how long the rate holds, such as 10m', '10m')
    .option('--source <text>', 'where the price comes from, for people', 'the quoter')
    .option('--out <file>', 'write it there instead of stdout')
    .option('--json', 'one JSON object on stdout')
    .action((price: string, options: Arguments) =>
      perform(options, async (context) =>
        (await import('../commands/rate.ts')).rate({ ...withEnv(options), price } as never, context),
      ),
    )
}

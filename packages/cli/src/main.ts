#!/usr/bin/env node
import { createRequire, enableCompileCache } from 'node:module'
import { Command, CommanderError, Option } from 'commander'
import { commandContext, type CommandContext } from './commands/context.ts'
import { EXIT, failureOf } from './terminal/failure.ts'

// Commands are loaded when they run; their compiled code is kept in the user's temporary folder, which halves the time to start one.
enableCompileCache()

type Run = (context: CommandContext) => Promise<number>

/** Runs a command: prints an error as what, where and what to do (or as one JSON object), and sets the exit code. */
async function perform(json: boolean, run: Run): Promise<void> {
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

/** What commander parsed; every command checks its own fields. */
interface StateArguments {
  readonly json: boolean
  readonly [name: string]: unknown
}

const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string }

const program = new Command('pictor')
  .description('One render network out of many render farms.')
  .version(version)
  .exitOverride()
  .showHelpAfterError()

/** Options of every command that opens jobs. */
const stateful: Command[] = []
const withState = (command: Command): Command => {
  stateful.push(command)
  return command
}

/** Added last, so that help shows a command's own options first. */
function addStateOptions(command: Command): void {
  command
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
    .option('--json', 'one JSON object a line on stdout', false)
}

const state = (options: StateArguments) => ({ ...options, env: process.env })

withState(program.command('render [scene]'))
  .description('plan, lock, render, check, pay and deliver; or take a run up again with --attach')
  .option('--frames <range>', "frame range such as 1-240 or 1-10:2 (default: the file's)")
  .option('--deadline <when>', 'such as 2h, 45m, "friday 18:00" or an ISO date')
  .option('--budget <amount>', 'the most to spend, such as 40 (USD) or "20 PICTOR"')
  .option('--out <dir>', 'folder for the frames', 'out')
  .option('--goal <goal>', 'cheapest or fastest', 'cheapest')
  .option('--samples <n>', "samples a pixel instead of the file's")
  .option('--name <name>', 'name of the job and its files')
  .option('--probe-again', 'measure the farms again instead of using probes of the last seven days', false)
  .option('--tiles <auto|n>', 'split each frame over hosts: into n tiles, or auto when there are fewer frames than hosts')
  .option('--scouts', 'first, middle and last frame first; the rest when they pass', false)
  .option('--attach <run>', 'take this run up again')
  .action((scene: string | undefined, options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/render.ts')).render({ ...state(options), scene } as never, context),
    ),
  )

withState(program.command('plan [scene]'))
  .description('show the choice between cheap and fast; or solve a routing instance with --instance')
  .option('--frames <range>', "frame range (default: the file's)")
  .option('--deadline <when>', 'such as 2h or "friday 18:00"', '24h')
  .option('--budget <amount>', 'the most to spend, in USD or such as "20 PICTOR"', '1000')
  .option('--probe-again', 'measure the farms again instead of using probes of the last seven days', false)
  .option('--tiles <auto|n>', 'split each frame over hosts: into n tiles, or auto when there are fewer frames than hosts')
  .option('--svg <file>', 'write the chart as SVG')
  .option('--png <file>', 'write the chart as PNG')
  .option('--instance <file>', 'a pictor-route-instance/1 file')
  .action((scene: string | undefined, options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/plan.ts')).plan({ ...state(options), scene } as never, context),
    ),
  )

program
  .command('inspect <scene>')
  .description('what a scene orders, what is missing, what a wrangler should know')
  .option('--foreign', "somebody else's scene: opened in a sandbox that sees only its folder", false)
  .option('--json', 'one JSON object', false)
  .action((scene: string, options: { json: boolean; foreign: boolean }) =>
    perform(options.json, async (context) => (await import('./commands/inspect.ts')).inspect(scene, options, context)),
  )

program
  .command('check <path>')
  .description('validate rendered frames: a folder, or a manifest with reference renders')
  .option('--json', 'one line a frame', false)
  .option('--report <dir>', 'write a page with thumbnails and difference pictures')
  .option('--frames <range>', 'frames that must be there, such as 1-240 (default: gaps in the numbers are doubts)')
  .option('--size <WxH>', 'the ordered resolution, such as 1920x1080 (default: what most frames have)')
  .option('--black <range>', 'frames that are meant to be black')
  .option('--still', 'frames may repeat: a still shot, holds, animation on twos', false)
  .action((path: string, options: { json: boolean } & import('./commands/check.ts').CheckArguments) =>
    perform(options.json, async (context) => (await import('./commands/check.ts')).check(path, options, context)),
  )

program
  .command('verify <receipt>')
  .description('verify a receipt; names the first thing that does not hold')
  .option('--block-hash <hash>', 'a block hash you trust; with --escrow it anchors the receipt, offline')
  .option('--escrow <address>', 'the escrow you know')
  .option('--code-hash <hash>', "the hash of the escrow's code, instead of its address")
  .option('--chain-id <number>', 'the chain you expect')
  .option('--ledger <address>', 'the app whose word counts, for receipts of a local book')
  .option('--rpc <url>', 'a node you trust: asked for the block and its chain')
  .option('--json', 'one JSON object', false)
  .action((receipt: string, options: { json: boolean } & import('./commands/verify.ts').VerifyOptions) =>
    perform(options.json, async (context) => (await import('./commands/verify.ts')).verify(receipt, options, context)),
  )

withState(program.command('jobs'))
  .description('jobs of this folder')
  .action((options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/jobs.ts')).jobs(state(options) as never, context)),
  )

for (const verb of ['cancel', 'pause', 'resume'] as const)
  withState(program.command(`${verb} <run>`))
    .description(
      {
        cancel: 'end a run; says first what is lost and what is refunded',
        pause: 'give out no new frames',
        resume: 'go on after pause',
      }[verb],
    )
    .option('--yes', 'do not ask', false)
    .action((run: string, options: StateArguments) =>
      perform(options.json, async (context) =>
        (await import('./commands/jobs.ts')).change(verb, run, state(options) as never, context),
      ),
    )

withState(program.command('set <run>'))
  .description('change priority or deadline of a run while it runs')
  .option('--priority <n>', 'whole number; farms that know priorities take higher ones first')
  .option('--deadline <when>', 'such as 2h or an ISO date; not later than the one the money was locked for')
  .action((run: string, options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/jobs.ts')).set(run, state(options) as never, context)),
  )

withState(program.command('rotate-lease-key'))
  .description('put a new lease key in place of one that was lost or stolen, in every open job of this folder')
  .action((options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/rotate-lease-key.ts')).rotateLeaseKey(state(options) as never, context),
    ),
  )

withState(program.command('watch <run>'))
  .description('follow a run, whichever process drives it; takes it up when none does')
  .action((run: string, options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/jobs.ts')).watch(run, state(options) as never, context)),
  )

withState(program.command('tickets'))
  .description('what farms ask of people; answer one with --answer')
  .option('--answer <ticket>', 'the ticket to answer')
  .option('--field <name=value...>', 'its fields')
  .action((options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/tickets.ts')).tickets(state(options) as never, context)),
  )

withState(program.command('farms'))
  .description('configured farms: reach, lane, software, prices, standing over all jobs')
  .option('--trust <farm>', 'end the quarantine and the probation of a farm')
  .option('--quarantine <farm>', 'keep leases from a farm')
  .option('--hours <n>', 'how long (24)')
  .option('--reason <text>', 'why, for everybody who looks later')
  .action((options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/farms.ts')).farms(state(options) as never, context)),
  )

withState(program.command('ledger [run]'))
  .description("where the money of this folder's jobs stands; with a run, every entry")
  .action((run: string | undefined, options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/ledger.ts')).ledger(run, state(options) as never, context),
    ),
  )

program
  .command('doctor')
  .description('what this machine has and what is missing')
  .option('--state-dir <dir>', 'where jobs, keys and files live', '.pictor')
  .option('--json', 'one JSON object a line', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/doctor.ts')).doctor(state(options) as never, context)),
  )

program
  .command('farm')
  .description('this machine as a farm for others')
  .command('serve')
  .description('serve this machine over the farm protocol; scenes render in a sandbox')
  .option('--id <name>', 'name of the farm', 'this-machine')
  .option('--host <address>', 'put a TLS proxy in front before you name a public one', '127.0.0.1')
  .option('--port <n>', 'port, 0 for any free one', '0')
  .option('--devices <kind>', 'auto: every GPU that Cycles finds, else the CPU; or gpu, or cpu', 'auto')
  .option('--slots <n>', 'tasks at once, of each GPU', '1')
  .option('--threads <n>', 'CPU threads of a slot (default: the cores divided by the slots)')
  .option('--blender <path...>', 'Blenders of several versions side by side: the scene decides')
  .option('--memory-mib <n>', 'most memory of one Blender (default: its share of the machine)')
  .option('--recycle-frames <n>', 'frames after which a warm Blender is replaced by a fresh one', '2000')
  .option('--recycle-hours <n>', 'or its age', '24')
  .option('--recycle-mib <n>', 'or its memory after a frame (default: no limit)')
  .option('--hour-price <usd>', 'price of a slot, USD an hour (default: free)')
  .option('--state-dir <dir>', 'where its key, books and files live', '.pictor')
  .option('--rpc <url>', 'node of the chain to follow (with --escrow): no lease before its money is locked there')
  .option('--escrow <address>', 'escrow contract that the farm is paid from; leases of others are refused')
  .option('--from-block <n>', 'first block that is looked at', '0')
  .option(
    '--sealed',
    'encrypt outputs until they are accepted: creators see marked previews before (with --rpc, --escrow)',
    false,
  )
  .option('--unsafe-no-sandbox', 'open scenes of strangers without a sandbox; recorded in verdicts', false)
  .option('--json', 'one JSON object a line on stdout', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/farm-serve.ts')).farmServe(state(options) as never, context),
    ),
  )

const checkerCommand = program.command('checker').description('this machine as a checker for others')
checkerCommand
  .command('serve')
  .description('serve a checker over the checker protocol; scenes render in a sandbox, keys stay in a signer process')
  .option('--id <name>', 'name of the checker (default: its address)')
  .option('--state-dir <dir>', 'where its memory and files live', '.pictor')
  .option('--signer <socket>', 'socket of a running `pictor checker signer`')
  .option('--keystore <file>', 'or: its encrypted key; a signer process is started for it (password in PICTOR_KEYSTORE_PASSWORD)')
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
  .option('--slots <n>', 'renders at once', '1')
  .option('--allow-insecure', 'fetch files over http:// from other machines (a trusted network)', false)
  .option('--unsafe-no-sandbox', 'open scenes of strangers without a sandbox', false)
  .option('--json', 'one JSON object a line on stdout: every event', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/checker-serve.ts')).checkerServe(state(options) as never, context),
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
  .option('--json', 'one JSON object a line on stdout', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/checker-signer.ts')).checkerSigner(state(options) as never, context),
    ),
  )
checkerCommand
  .command('stake')
  .description('put the stake of a checker at risk in a registry, so that jobs with --draw may draw it')
  .requiredOption('--keystore <file>', 'its encrypted key; password in PICTOR_KEYSTORE_PASSWORD')
  .requiredOption('--rpc <url>', 'node of the chain')
  .requiredOption('--registry <address>', 'the registry of the escrow')
  .option('--json', 'one JSON object on stdout', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/checker-stake.ts')).checkerStake(state(options) as never, context),
    ),
  )
checkerCommand
  .command('key')
  .description('make a key and keep it encrypted')
  .requiredOption('--keystore <file>', 'file to write; password in PICTOR_KEYSTORE_PASSWORD')
  .option('--json', 'one JSON object on stdout', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/checker-key.ts')).checkerKey(state(options) as never, context),
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
  .option('--json', 'one JSON object on stdout', false)
  .action((price: string, options: StateArguments) =>
    perform(options.json, async (context) =>
      (await import('./commands/rate.ts')).rate({ ...state(options), price } as never, context),
    ),
  )

program
  .command('adapter')
  .description('for authors of adapters')
  .command('test <module>')
  .description('run the conformance kit over a module that exports `conformance`')
  .option('--json', 'one JSON object a line', false)
  .action((path: string, options: { json: boolean }) =>
    perform(options.json, async (context) => (await import('./commands/adapter-test.ts')).adapterTest(path, context)),
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
  .option('--json', 'one JSON object', false)
  .action((options: StateArguments) =>
    perform(options.json, async (context) => (await import('./commands/chain-up.ts')).chainUp(options as never, context)),
  )

program
  .command('demo')
  .description('the main job on three local farms with an escrow contract, into out/')
  .option('--out <dir>', 'folder for everything the demo writes', 'out')
  .option('--scene <file>', "another scene than the demo's own")
  .option('--frames <range>', "frame range (default: the file's)")
  .option('--json', 'one JSON object a line on stdout', false)
  .action((options: { out: string; scene?: string; frames?: string; json: boolean }) =>
    perform(options.json, async (context) =>
      (await import('./commands/demo.ts')).demo({ ...options, env: process.env }, context),
    ),
  )

for (const command of stateful) addStateOptions(command)
try {
  await program.parseAsync()
} catch (error) {
  const code = error instanceof CommanderError ? error.exitCode : EXIT.failed
  if (!(error instanceof CommanderError)) console.error(error)
  process.exitCode = code === 1 && error instanceof CommanderError ? EXIT.usage : code
}

#!/usr/bin/env node
import { createRequire, enableCompileCache } from 'node:module'
import { Command, CommanderError } from 'commander'
import { addOrderCommands } from './program/orders.ts'
import { addRunCommands } from './program/runs.ts'
import { addServiceCommands } from './program/services.ts'
import { addToolCommands } from './program/tools.ts'
import { EXIT } from './terminal/failure.ts'

// Commands are loaded when they run; their compiled code is kept in the user's temporary folder, which halves the time to start one.
enableCompileCache()

// Whoever read our output (`| head`) has seen enough: end as other programs do, by the number of SIGPIPE, and not with a stack trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(128 + 13)
  throw error
})

const { version } = createRequire(import.meta.url)('../package.json') as { readonly version: string }

const program = new Command('pictor')
  .description('One render network out of many render farms.')
  .version(version)
  .exitOverride()
  .showHelpAfterError('`pictor --help` lists the commands, `pictor COMMAND --help` the options of one.')
for (const add of [addOrderCommands, addRunCommands, addServiceCommands, addToolCommands]) add(program)

try {
  await program.parseAsync()
} catch (error) {
  const code = error instanceof CommanderError ? error.exitCode : EXIT.failed
  if (!(error instanceof CommanderError)) console.error(error)
  process.exitCode = code === 1 && error instanceof CommanderError ? EXIT.usage : code
}

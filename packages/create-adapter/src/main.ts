#!/usr/bin/env node
import { relative } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { createAdapter, CreateAdapterError, wordsOf } from './create-adapter.ts'

const USAGE = `npm create pictor-adapter NAME [-- --title "Acme Render" --folder DIR]

Writes a package that makes a render farm with an HTTP API a farm of Pictor. Asks for what is not given when a person is at the terminal.`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { title: { type: 'string' }, folder: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [given] = positionals
  const asked = given === undefined && process.stdin.isTTY ? await ask() : undefined
  const name = given ?? asked?.name
  if (name === undefined || name === '') throw new CreateAdapterError(`name: expected a package name\n\n${USAGE}`)
  const title = values.title ?? asked?.title
  const { folder, files } = await createAdapter({
    name,
    ...(title !== undefined && { title }),
    ...(values.folder !== undefined && { folder: values.folder }),
  })
  const shown = relative(process.cwd(), folder) || '.'
  console.log(
    `${files.length} files in ${shown}\n\n  cd ${shown}\n  npm install\n  npm test\n\nThen change src/farm.ts and test/fake-farm.ts to your API.`,
  )
  return 0
}

/** Asks until the answers can be used. */
async function ask(): Promise<{ name: string; title: string }> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    for (;;) {
      const name = (await terminal.question('Package name, such as pictor-adapter-acme: ')).trim()
      try {
        const { __TITLE__: spoken } = wordsOf({ name })
        const title = (await terminal.question(`Name of the farm for people (${spoken}): `)).trim() || spoken
        wordsOf({ name, title })
        return { name, title }
      } catch (error) {
        console.error((error as Error).message)
      }
    }
  } finally {
    terminal.close()
  }
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: Error & { code?: string }) => {
    console.error(error instanceof CreateAdapterError || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error)
    process.exitCode = 1
  },
)

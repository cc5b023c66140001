// pnpm campaign NAME [args]: long fuzzing, mutation and soak runs. Their last figures are committed in docs/.
import { readdirSync } from 'node:fs'

/** What every file in campaign/ exports as `campaign`; resolves to false when the campaign found a failure. */
export type Campaign = (args: readonly string[]) => Promise<boolean>

const dir = new URL('../campaign/', import.meta.url)
const args = process.argv.slice(2).filter((arg) => arg !== '--')
const name = args.shift()
const names = readdirSync(dir)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
if (!name || !names.includes(name)) {
  console.error(`usage: pnpm campaign NAME [args]\nNAME is one of: ${names.join(', ')}`)
  process.exit(2)
}
const { campaign } = (await import(new URL(`${name}.ts`, dir).href)) as { campaign: Campaign }
process.exit((await campaign(args)) ? 0 : 1)

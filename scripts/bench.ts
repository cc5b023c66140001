// pnpm bench NAME [--json FILE] [-- args]: runs bench/NAME.ts and prints its rows, each beside its peer measured in the same run.
import { readdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** One measured figure. `ratio` = value / peerValue where a peer ran in the same process run. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly peer?: string
  readonly peerValue?: number
  readonly ratio?: number
  readonly note?: string
}

/** What every file in bench/ exports as `bench`. */
export type Bench = (report: (row: BenchRow) => void, args: readonly string[]) => Promise<void>

const dir = new URL('../bench/', import.meta.url)
const args = process.argv.slice(2).filter((arg) => arg !== '--')
const jsonAt = args.indexOf('--json')
const jsonFile = jsonAt >= 0 ? args.splice(jsonAt, 2)[1] : undefined
const name = args.shift()
const names = readdirSync(dir)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
if (!name || !names.includes(name)) {
  console.error(`usage: pnpm bench NAME [--json FILE]\nNAME is one of: ${names.join(', ')}`)
  process.exit(2)
}
const { bench } = (await import(new URL(`${name}.ts`, dir).href)) as { bench: Bench }
const rows: BenchRow[] = []
const digits = (n: number) => (Number.isInteger(n) ? String(n) : n.toPrecision(4))
console.log(
  `# bench ${name} · node ${process.version} · ${availableParallelism()} cores · ${new Date().toISOString().slice(0, 10)}`,
)
await bench((row) => {
  const ratio = row.ratio ?? (row.peerValue ? row.value / row.peerValue : undefined)
  rows.push({ ...row, ...(ratio === undefined ? {} : { ratio }) })
  const peer = row.peer ? `  ${row.peer}: ${digits(row.peerValue ?? NaN)} ${row.unit}  ratio ${digits(ratio ?? NaN)}` : ''
  console.log(
    `${row.name.padEnd(44)} ${digits(row.value).padStart(10)} ${row.unit.padEnd(10)}${peer}${row.note ? `  (${row.note})` : ''}`,
  )
}, args)
if (jsonFile) writeFileSync(jsonFile, `${JSON.stringify({ bench: name, node: process.version, rows }, null, 2)}\n`)
process.exit(0)

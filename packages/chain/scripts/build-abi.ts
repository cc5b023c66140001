// node scripts/build-abi.ts [--check]: compiles the contracts and writes abi/NAME.json (ABI and creation code), which the client ships with. `--check` only
// compares and fails when a file is stale. Contracts compile without metadata, so the same sources give the same bytes on every machine.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { forgeBinary } from './forge-binary.ts'

const root = new URL('../', import.meta.url)
const NAMES = [
  'PictorEscrow',
  'EscrowCourt',
  'CheckerRegistry',
  'FarmRegistry',
  'FrameVerifier',
  'OwnerArbiter',
  'PictorToken',
  'DevUsd',
]

interface Artifact {
  readonly abi: readonly {
    readonly type: string
    readonly name?: string
    readonly inputs?: readonly { readonly type: string }[]
  }[]
  readonly bytecode: { readonly object: string }
  readonly storageLayout?: { readonly storage: readonly { readonly label: string; readonly slot: string }[] }
}

const read = (name: string): Artifact =>
  JSON.parse(readFileSync(new URL(`forge-out/ship/${name}.sol/${name}.json`, root), 'utf8')) as Artifact

/** The escrow answers the court's calls too, so one ABI describes both. */
function merged(a: Artifact['abi'], b: Artifact['abi']): Artifact['abi'] {
  const key = (item: Artifact['abi'][number]) => `${item.type} ${item.name}(${item.inputs?.map((input) => input.type).join()})`
  const known = new Set(a.map(key))
  return [...a, ...b.filter((item) => item.type !== 'constructor' && !known.has(key(item)))]
}

export function buildAbi(): Map<string, string> {
  const forge = forgeBinary()
  if (!forge) throw new Error('forge is not installed (npm package @foundry-rs/forge)')
  execFileSync(forge, ['build', '--skip', 'test'], {
    cwd: root,
    env: { ...process.env, FOUNDRY_PROFILE: 'ship' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const files = new Map<string, string>()
  for (const name of NAMES) {
    const { abi: raw, bytecode } = read(name)
    const abi = raw.filter((item) => item.type !== 'fallback')
    const all = name === 'PictorEscrow' ? merged(abi, read('EscrowCourt').abi) : abi
    files.set(`${name}.json`, `${JSON.stringify({ abi: all, bytecode: bytecode.object }, null, 1)}\n`)
  }
  const slots = Object.fromEntries(read('PictorEscrow').storageLayout!.storage.map(({ label, slot }) => [label, Number(slot)]))
  const courtSlots = Object.fromEntries(
    read('EscrowCourt').storageLayout!.storage.map(({ label, slot }) => [label, Number(slot)]),
  )
  for (const [label, slot] of Object.entries(courtSlots)) {
    if (slots[label] !== slot) throw new Error(`${label} lies in slot ${slots[label]} of the escrow but ${slot} of its court`)
  }
  files.set('layout.json', `${JSON.stringify(slots, null, 1)}\n`)
  return files
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = [...buildAbi()].filter(([name, text]) => {
    const file = new URL(`abi/${name}`, root)
    try {
      if (readFileSync(file, 'utf8') === text) return false
    } catch {
      // A missing file is a stale one.
    }
    if (!process.argv.includes('--check')) writeFileSync(file, text)
    return true
  })
  console.log(
    stale.length === 0
      ? 'abi is fresh'
      : `${process.argv.includes('--check') ? 'stale' : 'written'}: ${stale.map(([name]) => name).join(', ')}`,
  )
  process.exitCode = process.argv.includes('--check') && stale.length > 0 ? 1 : 0
}

// Builds and packs every package as it would be published, once for each state of the sources: node release/pack.ts prints where the tarballs lie.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const REPOSITORY: string = fileURLToPath(new URL('..', import.meta.url))
const CACHE = join(REPOSITORY, 'node_modules/.cache/packed')
/** A build that takes longer has died: another process takes its place. */
const LOCK_MS = 300_000

/** The part of package.json that the checks of a release read. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
}

/** One package as it would be published. */
export interface PackedPackage {
  readonly name: string
  /** Its folder in this repository. */
  readonly folder: string
  readonly tarball: string
}

/** Folders of the packages that are published. */
export function packageFolders(): string[] {
  return ['packages', 'packages/adapters']
    .flatMap((parent) => readdirSync(join(REPOSITORY, parent)).map((name) => join(REPOSITORY, parent, name)))
    .filter((folder) => existsSync(join(folder, 'package.json')))
}

export function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** Tarballs of all packages. The build is kept until a source changes; processes that ask at the same time wait for one build. */
export async function packAll(): Promise<readonly PackedPackage[]> {
  const folders = packageFolders()
  const target = join(CACHE, stateOf(folders))
  while (!existsSync(target)) {
    const lock = `${CACHE}.lock`
    await mkdir(CACHE, { recursive: true })
    const mine = await mkdir(lock).then(
      () => true,
      () => false,
    )
    if (!mine) {
      const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }))
      if (Date.now() - mtimeMs > LOCK_MS) await rm(lock, { recursive: true, force: true })
      await sleep(200)
      continue
    }
    try {
      if (!existsSync(target)) await build(target)
    } finally {
      await rm(lock, { recursive: true, force: true })
    }
  }
  return folders.map((folder) => {
    const { name, version } = manifestOf(folder)
    return { name, folder, tarball: join(target, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`) }
  })
}

async function build(target: string): Promise<void> {
  const fresh = `${target}.new`
  for (const old of readdirSync(CACHE)) await rm(join(CACHE, old), { recursive: true, force: true })
  await mkdir(fresh, { recursive: true })
  const each = ['-r', '--filter', './packages/**']
  // The settings that a test runner hands to its children would make the build read sources of our packages.
  const { NODE_OPTIONS: _options, NODE_ENV: _env, ...env } = process.env
  await run('pnpm', [...each, 'run', 'build'], { cwd: REPOSITORY, env })
  await run('pnpm', [...each, 'pack', '--pack-destination', fresh], { cwd: REPOSITORY, env, maxBuffer: 2 ** 24 })
  await rename(fresh, target)
}

/** A name for everything that tarballs are made of. */
function stateOf(folders: readonly string[]): string {
  const hash = createHash('sha256')
  const add = (path: string) => hash.update(path.slice(REPOSITORY.length)).update('\0').update(readFileSync(path)).update('\0')
  for (const name of ['.pnpmfile.mjs', 'LICENSE', 'pnpm-workspace.yaml', 'release/declarations.ts', 'tsup.base.ts'])
    add(join(REPOSITORY, name))
  for (const folder of folders)
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isFile() && !/^\/(node_modules|dist|test|cache|forge-out|out)\//.test(path.slice(folder.length))) add(path)
    }
  return hash.digest('hex').slice(0, 16)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const { tarball } of await packAll()) console.log(tarball)

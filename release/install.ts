import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, realpath, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { manifestOf, packAll, type PackedPackage } from './pack.ts'

const run = promisify(execFile)

/**
 * Installs packed packages into `folder/node_modules` without a network, as npm would: our packages from their tarballs, theirs linked from this repository.
 * Each package sees the dependencies that it declares and nothing else, so that an undeclared one fails to load.
 * @param names - what to install, such as `@pictor/core`; their Pictor dependencies come along
 */
export async function installPacked(folder: string, names: readonly string[]): Promise<void> {
  const all = new Map((await packAll()).map((one) => [one.name, one]))
  const wanted = [...names]
  const done = new Set<string>()
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (done.has(name)) continue
    done.add(name)
    const packed = all.get(name)
    if (!packed) throw new Error(`${name} is no package of this repository`)
    wanted.push(...(await install(join(folder, 'node_modules'), packed)))
  }
}

/** @returns the Pictor packages that it depends on */
async function install(nodeModules: string, packed: PackedPackage): Promise<string[]> {
  const target = join(nodeModules, packed.name)
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', packed.tarball, '-C', target, '--strip-components=1'])
  const { dependencies = {}, bin = {} } = manifestOf(target)
  for (const [name, path] of Object.entries(bin)) await link(join(target, path), join(nodeModules, '.bin', name))
  const own: string[] = []
  for (const name of Object.keys(dependencies))
    if (existsSync(join(packed.folder, 'node_modules', name, 'tsup.config.ts'))) own.push(name)
    else await link(await realpath(join(packed.folder, 'node_modules', name)), join(target, 'node_modules', name))
  return own
}

/** Makes a link; one that is there already stays. */
export async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await symlink(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** The environment of a person's shell: without the settings that a test runner hands to its children. */
export function plainEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_ENV: _env, VITEST: _vitest, ...env } = process.env
  return { ...env, ...extra }
}

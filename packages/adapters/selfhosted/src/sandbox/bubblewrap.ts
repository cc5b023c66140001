import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, isAbsolute } from 'node:path'
import { promisify } from 'node:util'
import { PictorError } from '@pictor/core/contract'
import { programFolder } from '../python.ts'
import { seccompFilter } from './seccomp.ts'

const run = promisify(execFile)

/** What one sandboxed process may touch besides the system's own libraries. */
export interface Confinement {
  /** What is run; its folder is readable when it lies outside /usr. */
  readonly program: string
  /** Folders that are readable. */
  readonly read: readonly string[]
  /** The one folder that is writable; home and temporary folder lie in it. */
  readonly write: string
  readonly environment: Readonly<Record<string, string>>
  /** Device files of GPUs. */
  readonly devices?: readonly string[]
  /** May start threads but no process: what it may use is then what one process may use. */
  readonly alone?: boolean
}

/** A command line that runs another one confined. `filter` must be readable on descriptor {@link FILTER_FD} of the child. */
export interface Confined {
  readonly argv: readonly string[]
  readonly filter: Buffer | undefined
}

/** Descriptor on which bubblewrap reads the seccomp filter; 3 carries the worker's replies. */
export const FILTER_FD = 4

/** Parts of /etc that the dynamic linker, fonts and Debian's library alternatives need. Nothing about users, hosts or keys. */
const SYSTEM_FILES = [
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/fonts',
  '/etc/localtime',
]

/** Most that a process may keep in its own /tmp. */
const TMP_BYTES = 1 << 30

function filesystem(confinement: Confinement): string[] {
  const { program, read, write, devices = [] } = confinement
  const args = ['--ro-bind', '/usr', '/usr']
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) args.push('--symlink', `usr/${name}`, `/${name}`)
  for (const path of SYSTEM_FILES) args.push('--ro-bind-try', path, path)
  args.push('--proc', '/proc', '--dev', '/dev', '--size', String(TMP_BYTES), '--tmpfs', '/tmp')
  const home = isAbsolute(program) && !program.startsWith('/usr/') ? [dirname(program)] : []
  const readable = [...read, programFolder(), ...home]
  for (const path of readable) args.push('--ro-bind', path, path)
  args.push('--bind', write, write)
  for (const path of devices) args.push('--dev-bind-try', path, path)
  return args
}

/** Wraps a command line in bubblewrap: all namespaces of its own, no network, no capabilities, an empty environment, and only the named folders. */
export function confine(argv: readonly string[], confinement: Confinement): Confined {
  const filter = seccompFilter(confinement.alone ?? false)
  const environment = Object.entries(confinement.environment).flatMap(([name, value]) => ['--setenv', name, value])
  return {
    argv: [
      'bwrap',
      '--unshare-all',
      '--unshare-user',
      '--disable-userns',
      '--die-with-parent',
      '--cap-drop',
      'ALL',
      '--hostname',
      'farm',
      '--clearenv',
      ...environment,
      ...filesystem(confinement),
      '--chdir',
      confinement.write,
      ...(filter ? ['--seccomp', String(FILTER_FD)] : []),
      '--',
      ...argv,
    ],
    filter,
  }
}

let tried: Promise<string | undefined> | undefined

/** Version of a sandbox that works here, undefined when there is none. Tried once a process, by running something in it. */
export function workingSandbox(): Promise<string | undefined> {
  tried ??= (async () => {
    if (process.platform !== 'linux' || !existsSync('/usr/bin')) return undefined
    try {
      const { stdout } = await run('bwrap', ['--version'], { timeout: 10_000 })
      const flags = ['--unshare-all', '--unshare-user', '--disable-userns', '--cap-drop', 'ALL', '--die-with-parent']
      await run('bwrap', [...flags, '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '/usr/bin/true'], {
        timeout: 10_000,
      })
      return stdout.trim()
    } catch {
      return undefined
    }
  })()
  return tried
}

/** @throws sandbox-missing when scenes of others cannot be opened safely here */
export async function requireSandbox(): Promise<string> {
  const sandbox = await workingSandbox()
  if (sandbox) return sandbox
  throw new PictorError('sandbox-missing', 'scenes of others are opened only in a sandbox, and bubblewrap does not work here', {
    details: {
      path: 'trust',
      hint: 'install bubblewrap (Debian: apt-get install bubblewrap) and allow user namespaces; or set unsafeNoSandbox, which everybody can see',
    },
  })
}

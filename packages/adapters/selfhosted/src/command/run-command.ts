import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import type { Duplex } from 'node:stream'
import { identityOf, killGroup } from '../blender/process.ts'
import type { ProcessIdentity } from '../blender/process.ts'
import type { Fault, Reply, Worker } from '../blender/worker.ts'
import { FILTER_FD, confine } from '../sandbox/bubblewrap.ts'
import { commandLine } from './template.ts'
import type { CommandRenderer } from './template.ts'

export interface CommandOptions {
  readonly renderer: CommandRenderer
  readonly threads: number
  /** Working folder, the only one that a sandboxed program may write to. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** Runs in a sandbox that may read these folders. */
  readonly confined?: { readonly read: readonly string[] }
  /** Address space, MiB; 0 is no limit. */
  readonly memoryMiB: number
  readonly started: (process: ProcessIdentity) => void
  readonly ended: (process: ProcessIdentity) => void
}

/** Sets limits, then becomes the program. `setpriv` has the kernel kill it when the farm dies; a sandbox does that by itself. */
const LAUNCH = 'ulimit -c 0; [ "$1" = 0 ] || ulimit -v "$1"; shift; exec "$@"'
const SETPRIV = '/usr/bin/setpriv'

/** A worker that keeps nothing warm: each picture is one run of a command-line program, held to the same rules as a warm Blender. */
export function commandWorker(options: CommandOptions): Worker {
  const { renderer, threads, cwd } = options
  let scene = ''
  let running: { readonly child: ChildProcess; cause?: Fault } | undefined
  let killed: string | undefined
  let frames = 0
  let end: () => void = () => {}
  const gone = new Promise<void>((resolve) => (end = resolve))
  const stopped = (): Reply<never> => ({ ok: false, fault: { kind: 'stopped', message: killed ?? 'the worker has ended' } })

  async function run(argv: readonly string[], timeoutMs: number): Promise<Reply<object>> {
    const { child, filter } = launch(argv, options)
    const current: NonNullable<typeof running> = (running = { child })
    if (filter) (child.stdio as (Duplex | null)[])[FILTER_FD]?.on('error', () => {}).end(filter)
    const words: string[] = []
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => {
        words.push(chunk.toString('latin1').slice(-600))
        if (words.length > 4) words.shift()
      })
    const identity = child.pid === undefined ? undefined : (identityOf(child.pid) ?? { pid: child.pid, start: '', boot: '' })
    if (identity) options.started(identity)
    const timer = setTimeout(() => {
      current.cause ??= { kind: 'hang', message: `${renderer.software} took longer than ${Math.round(timeoutMs / 1000)} s` }
      if (child.pid !== undefined) killGroup(child.pid)
    }, timeoutMs)
    const result = await new Promise<{ code: number | null; signal: string | null; error?: Error }>((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error }))
      child.once('close', (code, signal) => resolve({ code, signal }))
    })
    clearTimeout(timer)
    if (identity) options.ended(identity)
    running = undefined
    const fault = current.cause ?? faultOf(renderer, result, words.join('').trim())
    return fault ? { ok: false, fault } : { ok: true, value: {} }
  }

  return {
    version: renderer.version,
    startedAtMs: Date.now(),
    rssMiB: 0,
    get alive() {
      return killed === undefined
    },
    get frames() {
      return frames
    },
    async load({ file }) {
      scene = file
      return { ok: true, value: { rssMiB: 0, peakMiB: 0 } }
    },
    async render(order, out, { timeoutMs }) {
      if (killed !== undefined) return stopped()
      await mkdir(cwd, { recursive: true })
      const start = performance.now()
      const done = await run(commandLine(renderer, { order, scene, output: out, threads }), timeoutMs)
      frames++
      if (!done.ok) return done
      return { ok: true, value: { rssMiB: 0, peakMiB: 0, wallMs: performance.now() - start, cpuMs: 0 } }
    },
    async request(op) {
      return { ok: false, fault: { kind: 'refused', code: 'setting', message: `${renderer.software} knows no ${op}` } }
    },
    kill(reason) {
      killed ??= reason
      if (running) {
        running.cause ??= { kind: 'stopped', message: reason }
        if (running.child.pid !== undefined) killGroup(running.child.pid)
        running.child.once('close', () => end())
      } else end()
    },
    gone,
  }
}

function launch(argv: readonly string[], { renderer, cwd, environment, confined, memoryMiB }: CommandOptions) {
  const limited = ['/bin/sh', '-c', LAUNCH, 'sh', String(memoryMiB * 1024), ...argv]
  const box =
    confined &&
    confine(limited, { program: argv[0]!, write: cwd, environment, read: [...confined.read, ...(renderer.read ?? [])] })
  const plain = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--', ...limited] : limited
  const [command, ...rest] = box?.argv ?? plain
  const child = spawn(command!, rest, {
    cwd,
    env: box ? { PATH: environment['PATH'] ?? '/usr/bin:/bin' } : environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ignore', ...(box?.filter ? (['pipe'] as const) : [])],
  })
  return { child, filter: box?.filter }
}

/** What an end means: nothing, the scene's fault, or a crash that is worth a second try. 126 and 127 are the shell's words for a program that is not there. */
function faultOf(
  { software, sceneFaultCodes = [1] }: CommandRenderer,
  { code, signal, error }: { readonly code: number | null; readonly signal: string | null; readonly error?: Error },
  words: string,
): Fault | undefined {
  if (error) return { kind: 'start', message: `cannot start ${software}: ${error.message}` }
  if (code === 0) return undefined
  const tail = words === '' ? '' : `; its last words: ${words.slice(-300)}`
  const message = `${software} ended with ${signal ? `signal ${signal}` : `exit code ${code}`}${tail}`
  if (code === 126 || code === 127) return { kind: 'start', message }
  if (code !== null && sceneFaultCodes.includes(code)) return { kind: 'refused', code: 'render', message }
  return { kind: signal === 'SIGKILL' || code === 137 ? 'out-of-memory' : 'crash', message }
}

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { workerProgram } from '../python.ts'
import { FILTER_FD, confine } from '../sandbox/bubblewrap.ts'
import { eachLine } from './lines.ts'
import type { RenderOrder } from './order.ts'
import { identityOf, killGroup } from './process.ts'
import type { ProcessIdentity } from './process.ts'

/** Why a request brought no result. `refused` is the scene's fault and is not tried again; the rest end the worker. */
export type Fault =
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  /** Ended by itself; `signal` as the system names it. SIGKILL that was not ours usually is the out-of-memory killer. */
  | { readonly kind: 'crash' | 'out-of-memory'; readonly message: string }
  /** Never came up: the host's fault, not the scene's. */
  | { readonly kind: 'start'; readonly message: string }
  | { readonly kind: 'hang'; readonly message: string }
  | { readonly kind: 'stopped'; readonly message: string }

export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault }

export interface Usage {
  readonly rssMiB: number
  readonly peakMiB: number
}

export interface Rendered extends Usage {
  readonly wallMs: number
  readonly cpuMs: number
}

export interface SceneFile {
  readonly file: string
  /** sha256 of a path as the scene stores it -> path inside the scene's folder. */
  readonly links?: Readonly<Record<string, string>>
}

/** How one picture is rendered, besides the order. */
export interface RenderCall {
  readonly timeoutMs: number
  readonly onFraction?: (fraction: number) => void
  /** Also writes the layers before denoising and compositing to this file. */
  readonly layersOut?: string
  /** Composites the layers of this file instead of rendering. */
  readonly layersIn?: string
}

/** A warm Blender process. One request at a time. */
export interface Worker {
  readonly version: string
  readonly startedAtMs: number
  readonly alive: boolean
  /** Frames rendered so far. */
  readonly frames: number
  /** Resident memory after the last request. */
  readonly rssMiB: number
  load(scene: SceneFile, timeoutMs: number): Promise<Reply<Usage>>
  render(order: RenderOrder, out: string, options: RenderCall): Promise<Reply<Rendered>>
  request(op: string, fields: Readonly<Record<string, unknown>>, timeoutMs: number): Promise<Reply<Record<string, unknown>>>
  /** Ends process and group at once; pending requests get the fault `stopped`. */
  kill(reason: string): void
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>
}

export interface WorkerOptions {
  readonly blender: string
  readonly threads: number
  /** Working folder; a sandbox has its own. */
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** Runs in a sandbox that may read these folders and write only to `cwd`. */
  readonly confined?: { readonly read: readonly string[]; readonly devices?: readonly string[] }
  /** Memory, MiB; 0 is no limit. Address space is counted, for a GPU private data, since drivers may reserve addresses without memory behind them. */
  readonly memoryMiB?: number
  readonly gpu?: boolean
  readonly startTimeoutMs?: number
  /** Called with the identity before anything is asked of it, so that a crash of this process leaves a trace. */
  readonly onStart?: (process: ProcessIdentity) => void
  readonly niceness?: number
}

/** `Fra:1 Mem:.. | Time:.. | Scene, Layer | Sample 3/16`: only for the progress bar, since object names can imitate it. */
const SAMPLES = /^Fra:.* \| [^|]*, [^|]* \| Sample (\d+)\/(\d+)\s*$/

/** Longest reply (a scene's report lists its files) and longest line of Blender's log, in characters. */
const MOST_REPLY = 2 ** 26
const MOST_LOG = 4096

/** Blender's allocator (intern/guardedalloc) on stderr. A scene that imitates it only harms itself. */
const OUT_OF_MEMORY = /^[MC]alloc(?: array)? (?:returns null|aborted due to)/

/** Starts a warm Blender. */
export async function startWorker(options: WorkerOptions): Promise<Reply<Worker>> {
  const { blender, cwd, environment, confined } = options
  const flags = `-b --factory-startup -Y -t ${options.threads} --python-exit-code 42`.split(' ')
  // A sandbox ends with this process by itself, and sees other process numbers.
  const own = ['3', String(confined ? 0 : process.pid), String(options.memoryMiB ?? 0), options.gpu ? 'data' : 'address-space']
  const plain = [blender, ...flags, '-P', workerProgram(), '--', ...own]
  // GPU drivers may start compilers of their own.
  const box = confined && confine(plain, { program: blender, write: cwd, environment, alone: !options.gpu, ...confined })
  const [command, ...rest] = box?.argv ?? plain
  const child = spawn(command!, rest, {
    cwd,
    env: box ? { PATH: environment['PATH'] ?? '/usr/bin:/bin' } : environment,
    detached: true, // its own process group, so that all of it can be killed at once
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', ...(box?.filter ? (['pipe'] as const) : [])],
  })
  if (box?.filter) (child.stdio as (Duplex | null)[])[FILTER_FD]?.on('error', () => {}).end(box.filter)
  const state = new WorkerState(child)
  const spawned = await Promise.race([
    once(child, 'spawn').then(() => true),
    once(child, 'error').catch((error: unknown) => error),
  ])
  if (spawned !== true) return { ok: false, fault: { kind: 'start', message: `cannot start ${command}: ${messageOf(spawned)}` } }
  const identity = identityOf(child.pid!) ?? { pid: child.pid!, start: '', boot: '' }
  options.onStart?.(identity)
  const hello = await state.reply(0, options.startTimeoutMs ?? 120_000)
  if (!hello.ok)
    return hello.fault.kind === 'stopped' ? hello : { ok: false, fault: { kind: 'start', message: hello.fault.message } }
  return { ok: true, value: workerOf(state, String(hello.value['blender'])) }
}

function messageOf(error: unknown): string {
  return Array.isArray(error) ? messageOf(error[0]) : ((error as Error | undefined)?.message ?? String(error))
}

function workerOf(state: WorkerState, version: string): Worker {
  const startedAtMs = Date.now()
  let frames = 0
  const ask = async <T extends object>(op: string, fields: object, timeoutMs: number): Promise<Reply<T>> =>
    (await state.ask(op, fields, timeoutMs)) as Reply<T>
  return {
    version,
    startedAtMs,
    get alive() {
      return state.alive
    },
    get frames() {
      return frames
    },
    get rssMiB() {
      return state.rssMiB
    },
    load: (scene, timeoutMs) => ask('load', scene, timeoutMs),
    async render(order, out, { timeoutMs, onFraction, ...layers }) {
      state.onFraction = onFraction
      const reply = await ask<Rendered>('render', { ...order, out, ...layers }, timeoutMs)
      state.onFraction = undefined
      frames++
      // What Blender wrote before its reply is read in this turn of the loop at the latest.
      await new Promise((resolve) => setImmediate(resolve))
      return state.starved && reply.ok ? { ok: false, fault: { kind: 'out-of-memory', message: state.starved } } : reply
    },
    request: ask,
    kill: (reason) => state.stop({ kind: 'stopped', message: reason }),
    gone: state.gone,
  }
}

/** Bookkeeping around one child: pending reply, last words, why it ended. */
class WorkerState {
  readonly child: ChildProcess
  readonly gone: Promise<void>
  onFraction: ((fraction: number) => void) | undefined
  alive = true
  rssMiB = 0
  /** Blender's word that it went on without memory that it asked for: its pictures lack textures from then on, and it calls that success. */
  starved: string | undefined
  private next = 0
  private waiting: { readonly id: number; settle(reply: Reply<Record<string, unknown>>): void } | undefined
  private readonly early = new Map<number, Reply<Record<string, unknown>>>()
  private readonly lastWords: string[] = []
  private cause: Fault | undefined

  constructor(child: ChildProcess) {
    this.child = child
    this.gone = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.alive = false
        this.cause ??= this.endFault(code, signal)
        this.settle({ ok: false, fault: this.cause })
        resolve()
      })
      child.once('error', () => {
        if (child.pid === undefined) {
          this.alive = false
          resolve()
        }
      })
    })
    const replies = child.stdio[3] as Duplex
    const tooLong = (): void =>
      this.stop({ kind: 'crash', message: `the worker sent a reply of more than ${MOST_REPLY} characters` })
    eachLine(replies, MOST_REPLY, (line) => this.onReply(line), tooLong)
    for (const stream of [child.stdout!, child.stderr!]) eachLine(stream, MOST_LOG, (line) => this.onLog(line))
    // A dead child breaks its pipes; `close` tells the story.
    for (const stream of [child.stdin!, replies]) stream.on('error', () => {})
  }

  async ask(op: string, fields: object, timeoutMs: number): Promise<Reply<Record<string, unknown>>> {
    if (!this.alive) return { ok: false, fault: this.cause ?? { kind: 'stopped', message: 'the worker has ended' } }
    const id = ++this.next
    const reply = this.reply(id, timeoutMs)
    this.child.stdin!.write(`${JSON.stringify({ ...fields, id, op })}\n`)
    return await reply
  }

  reply(id: number, timeoutMs: number): Promise<Reply<Record<string, unknown>>> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const message = `Blender did not answer within ${Math.round(timeoutMs / 1000)} s${this.words()}`
        this.stop({ kind: 'hang', message })
      }, timeoutMs)
      this.waiting = {
        id,
        settle: (result) => {
          clearTimeout(timer)
          this.waiting = undefined
          resolve(result)
        },
      }
      const early = this.early.get(id)
      if (early) this.waiting.settle(early)
      else if (!this.alive) this.settle({ ok: false, fault: this.cause ?? { kind: 'stopped', message: 'the worker has ended' } })
    })
  }

  stop(fault: Fault): void {
    this.cause ??= fault
    if (this.alive && this.child.pid !== undefined) killGroup(this.child.pid)
  }

  private settle(reply: Reply<Record<string, unknown>>): void {
    this.waiting?.settle(reply)
  }

  private onReply(line: string): void {
    let message: { id?: unknown; ok?: unknown; code?: unknown; message?: unknown; rssMiB?: unknown }
    try {
      message = JSON.parse(line) as typeof message
    } catch {
      this.stop({ kind: 'crash', message: 'the worker sent a reply that is no JSON' })
      return
    }
    if (typeof message.rssMiB === 'number') this.rssMiB = message.rssMiB
    const reply: Reply<Record<string, unknown>> = message.ok
      ? { ok: true, value: message as Record<string, unknown> }
      : { ok: false, fault: { kind: 'refused', code: String(message.code), message: String(message.message) } }
    if (this.waiting && this.waiting.id === message.id) this.waiting.settle(reply)
    else if (message.id === 0) this.early.set(0, reply)
  }

  private onLog(line: string): void {
    const match = this.onFraction && SAMPLES.exec(line)
    if (match) this.onFraction!(Math.min(1, Number(match[1]) / Math.max(1, Number(match[2]))))
    if (line.startsWith('Fra:')) return
    if (OUT_OF_MEMORY.test(line)) this.starved ??= line.slice(0, 300)
    this.lastWords.push(line.slice(0, 300))
    if (this.lastWords.length > 12) this.lastWords.shift()
  }

  private words(): string {
    const words = this.lastWords.filter((line) => line.trim() !== '').slice(-4)
    return words.length > 0 ? `; its last words: ${words.join(' | ')}` : ''
  }

  private endFault(code: number | null, signal: NodeJS.Signals | null): Fault {
    // A wrapper such as bubblewrap reports a signal as 128 + its number.
    const killed = signal === 'SIGKILL' || code === 137
    const how = signal ? `signal ${signal}` : `exit code ${code}`
    return { kind: killed ? 'out-of-memory' : 'crash', message: `Blender ended with ${how}${this.words()}` }
  }
}

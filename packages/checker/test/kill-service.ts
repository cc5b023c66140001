import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { freePort } from '../../../scripts/free-port.ts'
import { isPictorError, type Checker, type CheckerAction, type CheckerEvent } from '@pictor/core/contract'

/** A checker service (kill-child.ts) that kills itself at each boundary, and is started again whenever it died. */
export interface DyingService {
  readonly port: number
  /** How often it died by SIGKILL. */
  deaths(): number
  /** Where it died, in order. */
  boundaries(): readonly string[]
  stop(): void
}

export async function startDying(folder: string, key: string, ...more: readonly string[]): Promise<DyingService> {
  // One file, so that a start costs a sixth.
  const outfile = join(folder, 'child.mjs')
  buildSync({
    entryPoints: [fileURLToPath(new URL('kill-child.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
  })
  const port = await freePort()
  let over = false
  let child: ChildProcess
  let deaths = 0
  const start = (): void => {
    const args = ['--disable-warning=ExperimentalWarning', outfile, folder, String(port), key, ...more]
    child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('exit', (_code, signal) => {
      if (over) return
      if (signal === 'SIGKILL') deaths++
      start()
    })
  }
  start()
  return {
    port,
    deaths: () => deaths,
    boundaries: () => readFileSync(join(folder, 'deaths.txt'), 'utf8').trim().split('\n'),
    stop() {
      over = true
      child.kill('SIGKILL')
    },
  }
}

/** Tries until it works; a service that is away comes back. */
export async function patiently<T>(what: string, call: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 6_000; i++) {
    const found = await call().catch((error: unknown) => {
      if (!isPictorError(error) || !error.retryable) throw error
      return undefined
    })
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`${what} had no effect`)
}

/** Asks until it is taken, then waits for its effect. */
export async function insist(
  checker: Checker,
  action: CheckerAction,
  wanted: (event: CheckerEvent) => boolean,
): Promise<CheckerEvent[]> {
  const about = 'batch' in action ? action.batch.batchHash : 'lease' in action ? action.lease : ''
  const key = `${action.kind} ${JSON.stringify(about, plain)}`.slice(0, 200)
  await patiently(action.kind, () => checker.send(action, { key }).then(() => true))
  return patiently(action.kind, async () => {
    const page = await checker.poll({ job: action.job.job }, { key: 'poll' })
    return page.events.some(wanted) ? [...page.events] : undefined
  })
}

export const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

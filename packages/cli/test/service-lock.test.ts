import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isPictorError } from '@pictor/core'
import { afterAll, expect, it } from 'vitest'
import { lockService } from '../src/service-lock.ts'
import { temporaryFolder } from './cli.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())
const path = join(folder.path, 'service.lock')
const SOURCE = fileURLToPath(new URL('../src/service-lock.ts', import.meta.url))

/** A process that takes the lock and lives on. */
async function holder() {
  const script = `import { lockService } from ${JSON.stringify(SOURCE)}; lockService(${JSON.stringify(path)}); console.log('locked'); setInterval(() => {}, 1000)`
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

const refusal = (): unknown => {
  try {
    lockService(path).release()
    return undefined
  } catch (error) {
    return error
  }
}

it('one service has a folder: the second is told who, also while the first stands still, and takes over after kill -9', async () => {
  const first = await holder()
  for (const signal of [undefined, 'SIGSTOP'] as const) {
    if (signal) first.kill(signal)
    const error = refusal()
    expect(isPictorError(error, 'conflict')).toBe(true)
    expect((error as Error).message).toContain(`process ${first.pid} since 20`)
  }
  first.kill('SIGKILL')
  await once(first, 'exit')
  expect(refusal()).toBeUndefined()
})

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

it.each([
  ['a process', []],
  ['a process with deliveries that never return', ['hung']],
])(
  '%s whose runner was closed in the middle of a job ends by itself; readers end by their signal and leave no listener on it',
  async (_, args) => {
    const folder = mkdtempSync(join(tmpdir(), 'pictor-close-'))
    try {
      const script = fileURLToPath(new URL('close-child.ts', import.meta.url))
      const child = spawn(process.execPath, ['--conditions=source', '--no-warnings', script, join(folder, 'pictor.db'), ...args])
      let out = ''
      let wrong = ''
      let saidAtMs = 0
      child.stdout.on('data', (data: Buffer) => {
        out += data.toString()
        saidAtMs = Date.now()
      })
      child.stderr.on('data', (data: Buffer) => (wrong += data.toString()))
      const code = await new Promise((resolve) => child.on('close', resolve))
      expect({ code, wrong }).toEqual({ code: 0, wrong: '' })
      expect(JSON.parse(out)).toEqual({ reasons: ['enough', 'enough'], listeners: 0, phase: 'running', timers: 0 })
      // Its last word was said after close(): nothing held it for longer than an exit takes on a busy machine.
      expect(Date.now() - saidAtMs).toBeLessThan(20_000)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchRow } from '../../scripts/bench.ts'

interface Summary {
  readonly outcome: string
  readonly probeMs: number
  readonly checkMs: number
  readonly elapsedMs: number
  readonly gas: string
  readonly transactions: number
}

/** What a whole job costs beside rendering, on real parts: the main job (three farms, three checkers, escrow on anvil) over the given scene. */
export async function wholeJob(report: (row: BenchRow) => void, folder: string, scene: string, frames: number): Promise<void> {
  const main = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
  const args = [
    '--conditions=source',
    main,
    'demo',
    '--scene',
    scene,
    '--frames',
    `1-${frames}`,
    '--out',
    join(folder, 'whole-job'),
    '--json',
  ]
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  const line = stdout.split('\n').find((text) => text.includes('"type":"summary"'))
  if (code !== 0 || !line) throw new Error(`the whole job ended with ${String(code)}: ${stdout.slice(-800)}`)
  const summary = JSON.parse(line) as Summary
  const note = `${frames} frames of the plain scene, three farms, one cheats; three checkers compare every frame`
  report({ name: 'whole job: probes', value: summary.probeMs / 1000, unit: 'host s', note })
  report({
    name: 'whole job: checks',
    value: summary.checkMs / frames,
    unit: 'ms/frame',
    note: 'host time of all checkers, their renders included',
  })
  report({
    name: 'whole job: chain',
    value: Number(BigInt(summary.gas)) / frames,
    unit: 'gas/frame',
    note: `${summary.transactions} transactions`,
  })
  report({
    name: 'whole job: wall time',
    value: summary.elapsedMs / 1000,
    unit: 's',
    note: 'from locking the money to the receipt',
  })
}

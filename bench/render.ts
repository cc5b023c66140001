import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Bench } from '../scripts/bench.ts'
import { oneSlot, prepare } from './render/one-slot.ts'
import { twoHosts } from './render/two-hosts.ts'
import { wholeJob } from './render/whole-job.ts'

const PARTS = ['plain', 'hdri', 'heavy', 'hosts', 'job'] as const

/**
 * `--only plain,heavy` runs some parts; default: all. `--frames N` (default 100): how many frames each contender renders. Contenders that cost the same for every frame and are far
 * away render a part of them, as their rows say.
 */
export const bench: Bench = async (report, args) => {
  const value = (flag: string) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined)
  const frames = Number(value('--frames') ?? 100)
  const only = value('--only')?.split(',') ?? PARTS
  const unknown = only.find((part) => !(PARTS as readonly string[]).includes(part))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: one of ${PARTS.join(', ')}`)
  const folder = mkdtempSync(join(tmpdir(), 'pictor-bench-render-'))
  try {
    const [script, source] = [
      new URL('render/scenes.py', import.meta.url),
      new URL('../examples/scenes/orrery.blend', import.meta.url),
    ]
    const flags = '-b --factory-startup -Y --python-exit-code 9 -P'.split(' ')
    execFileSync('blender', [...flags, fileURLToPath(script), '--', fileURLToPath(source), folder, String(frames)], {
      stdio: 'pipe',
    })
    if (only.includes('plain')) await oneSlot(report, folder, 'plain', frames)
    if (only.includes('hdri')) await oneSlot(report, folder, 'hdri', frames)
    if (only.includes('heavy')) await oneSlot(report, folder, 'heavy', Math.ceil(frames / 10))
    if (only.includes('hosts') && !only.includes('plain')) await prepare(folder, 'plain.blend')
    if (only.includes('hosts')) await twoHosts(report, folder, 'plain.blend', 40)
    if (only.includes('job')) await wholeJob(report, folder, join(folder, 'plain.blend'), Math.min(frames, 24))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

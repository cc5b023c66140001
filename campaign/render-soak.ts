// pnpm campaign render-soak [FRAMES] [KILL_EVERY]: one job on one slot while its Blender is killed again and again (default: 500 frames, every 20 frames).
// Holds when every frame is delivered exactly once and neither the host process nor Blender grows.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import type { Campaign } from '../scripts/campaign.ts'
import { folderArtifacts } from '../packages/core/src/artifacts/index.ts'

/** Blender processes whose environment names the folder. */
function workersIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'latin1').includes(folder)
      } catch {
        return false
      }
    })
    .map(Number)
}

function residentMiB(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096) / 2 ** 20
  } catch {
    return 0
  }
}

export const campaign: Campaign = async (args) => {
  const frames = Number(args[0] ?? 500)
  const every = Number(args[1] ?? 20)
  const folder = mkdtempSync(join(tmpdir(), 'pictor-soak-'))
  const script = new URL('../packages/adapters/selfhosted/test/tiny-scene.py', import.meta.url).pathname
  execFileSync('blender', ['-b', '--factory-startup', '-Y', '--python-exit-code', '9', '-P', script, '--', folder], {
    stdio: 'pipe',
  })
  const files = folderArtifacts(join(folder, 'artifacts'))
  const inspector = blendInspector()
  const inspection = await inspector.inspect(join(folder, 'plain.blend'), {}, { key: 'inspect' })
  const bundle = await inspector.bundle(inspection, files, { key: 'bundle' })
  const workDir = join(folder, 'farm')
  const farm = selfHosted({ id: 'soak', workDir, threadsPerSlot: 1 })
  const stage = await farm.stage(bundle, files, { key: 'stage' })
  const list = Array.from({ length: frames }, (_, i) => i + 1)
  const ref = await farm.submit(
    {
      contract: 1,
      run: 'soak',
      id: 1,
      attempt: 1,
      purpose: 'render',
      bundle,
      stage,
      spec: inspection.spec,
      work: { kind: 'frames', frames: list },
    },
    { key: 'soak' },
  )
  const times = new Map<number, number>()
  const host: number[] = []
  const blender: number[] = []
  let kills = 0
  let outcome = ''
  let cursor: string | undefined
  while (!outcome) {
    const page = await farm.poll(cursor === undefined ? {} : { cursor }, { key: 'poll' })
    cursor = page.cursor
    for (const event of page.events) {
      if (event.type === 'output') times.set(event.output.frame, (times.get(event.output.frame) ?? 0) + 1)
      if (event.type === 'state' && event.task.ref === ref.ref && ['succeeded', 'failed'].includes(event.state))
        outcome = event.state
    }
    if (times.size >= (kills + 1) * every && !outcome) {
      kills++
      host.push(process.memoryUsage().rss / 2 ** 20)
      for (const pid of workersIn(workDir)) {
        blender.push(residentMiB(pid))
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // it ended by itself
        }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(page.waitMs, 10)))
  }
  await farm.close?.()
  rmSync(folder, { recursive: true, force: true })
  const once = list.every((frame) => times.get(frame) === 1)
  const half = Math.floor(host.length / 2)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)
  const growth = mean(host.slice(half)) / mean(host.slice(0, half))
  console.log(`task ${outcome}; ${times.size} of ${frames} frames, each once: ${once}; Blender killed ${kills} times`)
  console.log(
    `host memory ${Math.round(mean(host.slice(0, half)))} MiB in the first half, ${Math.round(mean(host.slice(half)))} in the second; Blender at most ${Math.round(Math.max(...blender))} MiB`,
  )
  return outcome === 'succeeded' && once && growth < 1.15
}

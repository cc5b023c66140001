import { readdirSync, renameSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '../options.ts'
import { outputFolder } from './render-task.ts'
import { beingStaged, sceneFolder } from './stage.ts'
import { ENDED } from './store.ts'
import type { TaskStore } from './store.ts'

const SWEPT = '.swept'

/**
 * Frees the disk of what nobody needs any more: staged scenes that no task at hand renders and nobody staged or submitted with for `keepMs`, and tasks that ended so long ago, with their outputs.
 * Of a task with a lease the outputs stay at least until the ledger gives the rest of its job's money back (`refundAfter`): until then somebody may have to be shown what was rendered. What has to be kept is decided and put aside in one go; removing it
 * takes its time.
 */
export async function sweep(settings: Settings, store: TaskStore, keepMs: number): Promise<void> {
  const beforeMs = settings.now() - keepMs
  const tasks = store.tasks()
  const old = tasks.filter(({ state, ref, task }) => {
    const refundAtMs = (task.lease?.terms.refundAfterS ?? 0) * 1000
    return ENDED.has(state) && refundAtMs < beforeMs && store.lastEventAtMs(ref.ref) < beforeMs
  })
  store.atomically(() => old.forEach(({ ref }) => store.erase(ref.ref)))
  const needed = new Set(
    tasks.filter(({ state }) => !ENDED.has(state)).map(({ task }) => sceneFolder(settings.workDir, task.bundle.root)),
  )
  const aside = unusedScenes(join(settings.workDir, 'scenes'), needed, beforeMs)
  for (const folder of [...old.map(({ ref }) => outputFolder(settings.workDir, ref.ref)), ...aside])
    await rm(folder, { recursive: true, force: true })
}

/** Renames them, so that whoever stages such a bundle from now on starts anew. Also finds what an earlier sweep did not get to remove, and stagings that were given up. */
function unusedScenes(scenes: string, needed: ReadonlySet<string>, beforeMs: number): string[] {
  const found: string[] = []
  for (const name of namesIn(scenes)) {
    const path = join(scenes, name)
    const folder = join(scenes, name.split('.')[0]!)
    if (name.endsWith(SWEPT)) found.push(path)
    else if (!needed.has(folder) && !beingStaged(folder) && statSync(path).mtimeMs < beforeMs) {
      const aside = `${path}${SWEPT}`
      renameSync(path, aside)
      found.push(aside)
    }
  }
  return found
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // nothing was ever staged
  }
}

import type { Farm } from '@pictor/core'
import type { CommandContext } from './context.ts'

/** How often it is looked whether the last task has ended. */
const LOOK_MS = 1_000

/** A farm that is being emptied before an update. */
export interface Drain {
  /** Whether no new tasks are taken. */
  readonly draining: () => boolean
  /** Aborted when the signal came and the farm has nothing left to render. */
  readonly empty: AbortSignal
  end(): void
}

/** From SIGUSR2 on the farm takes nothing new, finishes what it has, and then `empty` is aborted. `farm` tells its tasks in `ext.tasks`. */
export function drainOnSignal(farm: () => Farm, { screen, emit }: CommandContext): Drain {
  const empty = new AbortController()
  let looking: NodeJS.Timeout | undefined
  let shown = ''
  const look = async (): Promise<void> => {
    const { ext } = await farm().describe({ key: 'drain' })
    const { queued = 0, running = 0 } = (ext?.['tasks'] ?? {}) as { readonly queued?: number; readonly running?: number }
    if (queued + running === 0) {
      clearInterval(looking)
      empty.abort()
    } else if (shown !== (shown = `draining: ${running} tasks render, ${queued} wait`)) {
      screen.log(shown)
      emit({ type: 'draining', running, queued })
    }
  }
  const start = (): void => {
    screen.log('no new tasks are taken from now on; ends when what there is has been rendered')
    looking ??= setInterval(() => void look().catch((error: Error) => screen.log(`draining: ${error.message}`)), LOOK_MS)
  }
  process.on('SIGUSR2', start)
  return {
    draining: () => looking !== undefined,
    empty: empty.signal,
    end() {
      process.off('SIGUSR2', start)
      clearInterval(looking)
    },
  }
}

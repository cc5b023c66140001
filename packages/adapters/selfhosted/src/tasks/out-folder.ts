import { constants } from 'node:fs'
import { mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A folder that a renderer writes one picture into. */
export interface OutFolder {
  readonly path: string
  /**
   * Moves a file out of the renderer's reach; false when there is none. What arrives at `to` may still be anything, a link too: it is looked at there, where the renderer
   * cannot change it any more.
   */
  take(name: string, to: string): Promise<boolean>
  /** Removes the folder with all that is left in it. */
  close(): Promise<void>
}

/**
 * Makes a new folder, its path beginning with `prefix`, for a renderer that may be hostile. It is held by descriptor, so that a renderer which puts a link in its place does not lead this process to
 * files of others.
 */
export async function outFolder(prefix: string): Promise<OutFolder> {
  await mkdir(dirname(prefix), { recursive: true })
  const path = await mkdtemp(`${prefix}-`)
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  const held = process.platform === 'linux' ? `/proc/self/fd/${folder.fd}` : path
  return {
    path,
    async take(name, to) {
      await rm(to, { recursive: true, force: true })
      try {
        await rename(join(held, name), to)
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
        throw error
      }
    },
    async close() {
      await folder.close()
      // A renderer that goes on filling it is not waited for: the farm clears what is left when the renderer ends.
      await rm(path, { recursive: true, force: true }).catch(() => {})
    },
  }
}

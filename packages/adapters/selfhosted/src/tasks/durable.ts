import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/** Waits until the bytes of a file are on the disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** Waits until the names in a folder are on the disk: a file that was made or moved there is found again after a power cut. Does nothing on Windows, where a folder cannot be opened. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

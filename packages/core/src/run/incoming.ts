import { createHash, randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Artifacts } from '../contract/artifacts.ts'
import { PictorError } from '../contract/error.ts'
import type { Bytes32 } from '../contract/messages.ts'

/** A file larger than this is gathered on the disk (the system's temporary folder), bytes. Several downloads run at once. */
const MOST_IN_MEMORY = 64 * 2 ** 20

/** The bytes of one output as they come in. */
export interface Incoming {
  /** How many bytes there are. */
  readonly got: number
  /** Takes the next part; what it returns is waited for before the next one. The part is not used afterwards. @throws store-failed when the disk is full */
  add(part: Uint8Array): Promise<void> | undefined
  /** Stores the bytes if they have this hash, and says whether they have. */
  keep(hash: Bytes32, artifacts: Artifacts): Promise<boolean>
  /** Forgets all of it: begins again at the first byte. */
  drop(): Promise<void> | undefined
}

/** Gathers a file of `bytes` bytes: in memory when it is small, else in a temporary file, so that a frame of gigabytes takes no memory. */
export function incoming(bytes: number): Incoming {
  return bytes > MOST_IN_MEMORY ? onDisk() : inMemory()
}

function inMemory(): Incoming {
  let parts: Uint8Array[] = []
  let got = 0
  return {
    get got() {
      return got
    },
    add(part) {
      parts.push(new Uint8Array(part)) // a copy; `slice` of a Buffer is none
      got += part.length
      return undefined
    },
    async keep(hash, artifacts) {
      const data = Buffer.concat(parts)
      if (`0x${createHash('sha256').update(data).digest('hex')}` !== hash) return false
      await artifacts.put(data)
      return true
    },
    drop() {
      parts = []
      got = 0
      return undefined
    },
  }
}

function onDisk(): Incoming {
  const path = join(tmpdir(), `pictor-incoming-${randomBytes(12).toString('hex')}`)
  let digest = createHash('sha256')
  let file: FileHandle | undefined
  let got = 0
  const drop = async (): Promise<void> => {
    const opened = file
    file = undefined
    digest = createHash('sha256')
    got = 0
    await opened?.close()
    await rm(path, { force: true })
  }
  return {
    get got() {
      return got
    },
    async add(part) {
      try {
        file ??= await open(path, 'wx', 0o600)
        await file.writeFile(part)
      } catch (cause) {
        await drop()
        throw new PictorError('store-failed', `cannot keep a download in ${path}: ${(cause as Error).message}`, { cause })
      }
      digest.update(part)
      got += part.length
    },
    async keep(hash, artifacts) {
      const same = `0x${digest.copy().digest('hex')}` === hash
      if (same) await artifacts.put({ path })
      return same
    },
    drop,
  }
}

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { PictorError } from '@pictor/core'

/** The bearer token of a service, kept over restarts. `path`: the file that holds it, where the environment does not. */
export interface ServiceToken {
  readonly token: string
  readonly path?: string
}

/** The token of the environment, else the one in `path`, which is made when it is not there and can be read by its owner only. @throws invalid-input when the file holds none */
export function serviceToken(path: string, fromEnvironment: string | undefined): ServiceToken {
  if (fromEnvironment !== undefined) return { token: fromEnvironment }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(path, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const token = readFileSync(path, 'utf8').trim()
  if (!/^[\x21-\x7e]{16,4096}$/.test(token))
    throw new PictorError('invalid-input', `${path}: expected a token of at least 16 visible characters`, {
      details: { path, hint: 'remove the file, and a new token is made' },
    })
  return { token, path }
}

import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { PictorError } from '@pictor/core/contract'
import { privateKeySigner, randomPrivateKey } from '@pictor/core/proof'
import type { DigestSigner } from '@pictor/core/contract'

/** Named private keys in one file that only its owner can read. */
export interface KeyFile {
  /** The signer of that name; made and kept at its first use. */
  signer(name: string): DigestSigner
  /** The private key itself, for libraries that want one. Never log it. */
  privateKey(name: string): `0x${string}`
  /** The signer of that name by the file as it is at each use: another process may rotate the key. */
  followed(name: string): DigestSigner
  /** Puts a new key in place of the one of that name, which is forgotten. */
  rotate(name: string): void
}

const KEY = /^0x[0-9a-f]{64}$/

/** Opens or creates the key file. @throws invalid-input when others can read it or it is damaged; nothing is overwritten then */
export function keyFile(path: string, note: string): KeyFile {
  let keys = load(path)
  let version = versionOf(path)
  const refresh = (): void => {
    const found = versionOf(path)
    if (found === version) return
    keys = load(path)
    version = found
  }
  const privateKey = (name: string): `0x${string}` => {
    const known = keys[name]
    return known ? (known as `0x${string}`) : make(name)
  }
  const make = (name: string): `0x${string}` => {
    const made = randomPrivateKey()
    keys[name] = made
    save(path, { note, keys })
    version = versionOf(path)
    return made
  }
  const signer = (name: string): DigestSigner => privateKeySigner(privateKey(name))
  const now = (name: string): DigestSigner => {
    refresh()
    return signer(name)
  }
  return {
    privateKey,
    signer,
    followed(name) {
      signer(name)
      return {
        get address() {
          return now(name).address
        },
        signDigest: (digest) => now(name).signDigest(digest),
      }
    },
    rotate(name) {
      refresh()
      make(name)
    },
  }
}

/** Another file takes the name at every change, so this tells every change. */
function versionOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  return found ? `${found.ino} ${found.mtimeMs} ${found.size}` : ''
}

function load(path: string): Record<string, string> {
  if (!existsSync(path)) return {}
  let parsed: { keys?: Record<string, string> }
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8')) as typeof parsed
  } catch (cause) {
    throw new PictorError('invalid-input', `${path} is no JSON`, {
      details: { path, hint: 'restore it from a copy; without it the keys of earlier jobs are lost' },
      cause,
    })
  }
  const keys = parsed.keys ?? {}
  for (const [name, key] of Object.entries(keys))
    if (typeof key !== 'string' || !KEY.test(key))
      throw new PictorError('invalid-input', `${path}: keys.${name} is no private key`, { details: { path: `keys.${name}` } })
  return { ...keys }
}

/** Written beside and renamed, so that a crash never leaves half a key file. */
function save(path: string, content: object): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.tmp`
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  chmodSync(temporary, 0o600)
  renameSync(temporary, path)
}

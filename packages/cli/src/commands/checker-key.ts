import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { PictorError } from '@pictor/core'
import { Wallet } from 'ethers'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

/** `pictor checker key`: makes a key and keeps it encrypted. Prints its address, never the key; never overwrites a file. */
export async function checkerKey(
  { keystore, env }: { readonly keystore: string; readonly env: CommandContext['env'] },
  context: CommandContext,
): Promise<number> {
  const path = resolve(keystore)
  const password = env.PICTOR_KEYSTORE_PASSWORD
  if (password === undefined || password.length < 8)
    throw new PictorError('invalid-input', 'the password of the keystore is missing or shorter than 8 characters', {
      details: { path: 'keystore', hint: 'set PICTOR_KEYSTORE_PASSWORD' },
    })
  if (existsSync(path))
    throw new PictorError('invalid-input', `--keystore ${path} exists already`, {
      details: { path: 'keystore', hint: 'a key that is overwritten is lost: name another file' },
    })
  const wallet = Wallet.createRandom()
  writeFileSync(path, await wallet.encrypt(password), { mode: 0o600, flag: 'wx' })
  const address = wallet.address.toLowerCase()
  context.emit({ type: 'key', address, keystore: path })
  context.screen.log(`${path} holds the key of ${address}`)
  return EXIT.ok
}

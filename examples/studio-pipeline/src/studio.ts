import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { createChecker } from '@pictor/checker'
import { createPictor, usd, type DigestSigner, type Pictor } from '@pictor/core'
import { privateKeySigner, randomPrivateKey } from '@pictor/core/proof'

/** The studio's network: its own machine as a farm and as the checker's renderer. Add other farms beside it; nothing else changes. */
export interface Studio {
  readonly pictor: Pictor
  close(): Promise<void>
}

/** Composes the network in a folder of the show. */
export async function openStudio(folder: string): Promise<Studio> {
  await mkdir(folder, { recursive: true })
  const [creator, farmKey, checkerKey, rendererKey] = await keysIn(join(folder, 'keys.json'), 4)
  const price = { perHostHour: usd('0.40').amount, source: 'what an hour of this machine costs us' }
  const farm = selfHosted({ id: 'studio', workDir: join(folder, 'farm'), signer: farmKey!, price })
  const renderer = selfHosted({ id: 'checks', workDir: join(folder, 'checks'), signer: rendererKey!, price: { perHostHour: 0n } })
  const checker = createChecker({ id: 'studio-checker', signer: checkerKey!, renderer, store: join(folder, 'checker.db') })
  const pictor = createPictor({
    inspector: blendInspector(),
    farms: [farm],
    checkers: [checker],
    signer: creator!,
    dataDir: folder,
  })
  return {
    pictor,
    async close() {
      await pictor.close()
      for (const part of [checker, farm, renderer]) await part.close?.()
    },
  }
}

/** Private keys that only the owner of the file can read; made at the first use. */
async function keysIn(path: string, count: number): Promise<DigestSigner[]> {
  if (!existsSync(path))
    await writeFile(path, JSON.stringify(Array.from({ length: count }, () => randomPrivateKey())), { mode: 0o600 })
  const keys = JSON.parse(await readFile(path, 'utf8')) as `0x${string}`[]
  return keys.map((key) => privateKeySigner(key))
}

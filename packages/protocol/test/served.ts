import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FarmSubject, SubjectWish } from '@pictor/core/conformance'
import type { Artifacts, Farm } from '@pictor/core/contract'
import { memoryArtifacts } from '../../core/src/artifacts/index.ts'
import { smallFarm } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm, serveFarm, type FarmServer, type RemoteFarmOptions, type ServeFarmOptions } from '../src/index.ts'

export const TOKEN = 'test-token-0123456789'

/** A served farm with a folder of its own. */
export interface Served {
  readonly server: FarmServer
  readonly files: Artifacts
  close(): Promise<void>
}

export async function served(farm: Farm, options: Partial<ServeFarmOptions> = {}): Promise<Served> {
  const uploads = await mkdtemp(join(tmpdir(), 'pictor-protocol-'))
  const files = options.files ?? memoryArtifacts()
  const rate = { perSecond: 10_000, burst: 10_000 }
  const server = await serveFarm(farm, { tokens: [{ token: TOKEN }], rate, ...options, files, uploads })
  return {
    server,
    files,
    async close() {
      await server.close()
      await rm(uploads, { recursive: true, force: true })
    },
  }
}

/** The small farm behind a real server, seen through the client. */
export async function remoteSubject(wish: SubjectWish, options: Partial<RemoteFarmOptions> = {}): Promise<FarmSubject> {
  const inner = await smallFarm(wish)
  const { server, close } = await served(inner.farm)
  const farm = remoteFarm({ url: server.url, token: TOKEN, fetch: wish.network.fetch(), ...options })
  return { ...inner, farm, close }
}

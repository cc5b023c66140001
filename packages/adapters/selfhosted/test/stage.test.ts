import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PictorError, type Artifacts, type Bytes32 } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'
import { afterAll, describe, expect, it } from 'vitest'
import { memoryArtifacts } from '../../../core/src/artifacts/index.ts'
import { stageBundle } from '../src/tasks/stage.ts'
import { tempFolder } from './support.ts'

describe('callers that stage one bundle at once', () => {
  const temp = tempFolder()
  afterAll(temp.remove)

  const bundleIn = async (store: Artifacts) => {
    const put = async (path: string, text: string) => ({ path, ...(await store.put(new TextEncoder().encode(text))) })
    const files = [await put('scene.blend', 'a scene'), await put('tex/wood.png', 'wood')]
    return { root: bundleRoot(files), entry: 'scene.blend', files }
  }

  /** Artifacts without local paths that answer slowly, and say not-found `missing` times. */
  const slowly = (store: Artifacts, missing = 0) => {
    const reads: Bytes32[] = []
    const read = async (hash: Bytes32): Promise<Uint8Array> => {
      reads.push(hash)
      await sleep(20)
      if (reads.length <= missing) throw new PictorError('not-found', 'not here yet')
      return store.read(hash)
    }
    return { reads, files: { ...store, path: async () => Promise.reject(new PictorError('not-found', 'no path')), read } }
  }

  it('get it all, each file fetched once', async () => {
    const store = memoryArtifacts()
    const bundle = await bundleIn(store)
    const { files, reads } = slowly(store)
    const folders = await Promise.all(
      Array.from({ length: 8 }, () => stageBundle(join(temp.path, 'once'), bundle, files, { maxBytes: 1000 })),
    )
    expect(new Set(folders).size).toBe(1)
    expect(await readFile(join(folders[0]!, 'tex/wood.png'), 'utf8')).toBe('wood')
    expect(reads.length).toBe(2)
  })

  it('do not share a failure: the next one goes on', async () => {
    const store = memoryArtifacts()
    const bundle = await bundleIn(store)
    const { files } = slowly(store, 1)
    const ask = () => stageBundle(join(temp.path, 'again'), bundle, files, { maxBytes: 1000 })
    const [first, second] = await Promise.allSettled([ask(), ask()])
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'asset-missing' } })
    expect(second.status).toBe('fulfilled')
  })
})

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Farm, FarmEvent, Task } from '@pictor/core/contract'
import { leaseAcceptDigest, isSignedBy, leaseLeaf, privateKeySigner, verifyCommit } from '@pictor/core/proof'
import { decodeImage } from '@pictor/image'
import { drawnKey } from '../../../scripts/draws.ts'
import { folderArtifacts } from '../../core/src/artifacts/index.ts'
import { garageFarm } from '../../adapters/garagefarm/src/index.ts'
import { rebusFarm } from '../../adapters/rebusfarm/src/index.ts'
import { selfHosted } from '../../adapters/selfhosted/src/index.ts'
import { buildScenes, bundleOf, hasBlender, tempFolder, TINY } from '../../adapters/selfhosted/test/support.ts'
import { dressed } from './lease.ts'
import { served, type Served } from './served.ts'

/** The partner lane of both adapters, each a tenant of one protocol server that renders with real Blender. */
describe.skipIf(!hasBlender)('a protocol server that renders with Blender', () => {
  const temp = tempFolder()
  const signer = privateKeySigner(drawnKey())
  const tokens = { rebus: 'rebus-token-0123456789', garage: 'garage-token-0123456789' }
  let host: Farm
  let server: Served
  beforeAll(async () => {
    buildScenes(temp.path)
    mkdirSync(join(temp.path, 'work'))
    host = selfHosted({ id: 'host', workDir: join(temp.path, 'work'), threadsPerSlot: 1, signer })
    server = await served(host, {
      files: folderArtifacts(join(temp.path, 'host-files')),
      tokens: [
        { token: tokens.rebus, tenant: 'rebus' },
        { token: tokens.garage, tenant: 'garage' },
      ],
    })
  })
  afterAll(async () => {
    await server?.close()
    await host?.close?.()
    temp.remove()
  })

  it.each([
    ['RebusFarm', (url: string) => rebusFarm({ lane: 'partner', url, token: tokens.rebus, key: signer.address, id: 'farm' })],
    ['GarageFarm', (url: string) => garageFarm({ lane: 'partner', url, token: tokens.garage, key: signer.address, id: 'farm' })],
  ] as const)('serves the partner lane of %s from scene to signed, decodable frames', async (_name, make) => {
    const farm = make(server.server.url)
    const { files, bundle } = await bundleOf(temp.path, 'plain.blend')
    expect(await farm.describe({ key: 'd' })).toMatchObject({ lane: 'partner', key: signer.address })
    const stage = await farm.stage(bundle, files, { key: 's' })
    const bare: Task = {
      contract: 1,
      run: 'run',
      id: 1,
      attempt: 1,
      purpose: 'render',
      bundle,
      stage,
      spec: TINY,
      work: { kind: 'frames', frames: [1, 2] },
    }
    const task = await dressed(signer, bare)
    const ticket = task.lease!
    const ref = await farm.submit(task, { key: 'same key for both tenants' })
    const accept = { job: ticket.job, seq: ticket.set.seq, lease: 1, leaf: leaseLeaf(ticket.lease) }
    expect(isSignedBy(leaseAcceptDigest(ticket.domain, accept), ref.leaseSignature!, signer.address)).toBe(true)

    const events: FarmEvent[] = []
    let cursor: string | undefined
    const ended = () => events.some((event) => event.type === 'state' && ['succeeded', 'failed'].includes(event.state))
    while (!ended()) {
      const page = await farm.poll(cursor === undefined ? {} : { cursor }, { key: 'p' })
      events.push(...page.events)
      cursor = page.cursor
      if (!ended()) await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const outputs = events.flatMap((event) => (event.type === 'output' ? [event.output] : []))
    expect(outputs.map(({ frame }) => frame).sort()).toEqual([1, 2])
    for (const output of outputs) {
      const body = await farm.open(output, { offset: 0 }, { key: 'o' })
      if (!('stream' in body)) throw new Error(body.unavailable)
      const chunks: Uint8Array[] = []
      for await (const chunk of body.stream) chunks.push(chunk)
      expect(decodeImage(Buffer.concat(chunks))).toMatchObject({ width: 32, height: 24 })
    }
    const commit = events.find((event) => event.type === 'commit')!.commit
    expect(() => verifyCommit(ticket.domain, commit, signer.address)).not.toThrow()
    await farm.close?.()
  })
})

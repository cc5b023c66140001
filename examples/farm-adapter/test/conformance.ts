import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FarmConformanceOptions } from '@pictor/core/conformance'
import { smallJob } from '../../../packages/core/test/conformance/small-farm.ts'
import { flamencoFarm } from '../src/flamenco-farm.ts'
import { CAPABILITIES } from '../src/flamenco-words.ts'
import { flamencoServer } from './flamenco-server.ts'

/** What the kit tests, here and by `pictor adapter test examples/farm-adapter/test/conformance.ts`. */
export const conformance: FarmConformanceOptions = {
  supports: { lane: 'api', capabilities: CAPABILITIES, http: true, scenarios: ['unknown-state', 'skewed-clock'] },
  async make({ scenario, network }) {
    const local = await mkdtemp(join(tmpdir(), 'pictor-flamenco-'))
    const server = await flamencoServer(local, {
      strangeState: scenario === 'unknown-state',
      aheadMs: scenario === 'skewed-clock' ? 86_400_000 : 0,
    })
    const { job, files } = await smallJob()
    const storage = { farm: '/shared', local }
    return {
      farm: flamencoFarm({ url: server.url, storage, workers: 2, perHostHour: 500_000n, fetch: network.fetch() }),
      job,
      files,
      advance: () => server.tick(),
      async close() {
        await server.close()
        await rm(local, { recursive: true, force: true })
      },
    }
  },
}

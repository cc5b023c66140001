import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { farmConformance } from '@pictor/core/conformance'
import type { JobSpec } from '@pictor/core/contract'
import { usd } from '@pictor/core/contract'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { selfHosted } from '../src/index.ts'
import { TINY, buildScenes, bundleOf, hasBlender, tempFolder } from './support.ts'

describe.skipIf(!hasBlender)('the farm contract, with a real Blender', () => {
  const temp = tempFolder()
  let made = 0
  let scene: Awaited<ReturnType<typeof bundleOf>>
  beforeAll(async () => {
    buildScenes(temp.path)
    scene = await bundleOf(temp.path, 'plain.blend')
  })
  afterAll(temp.remove)

  const native = 'native' as const
  const cases = farmConformance({
    patienceMs: 90_000,
    supports: {
      lane: 'partner',
      capabilities: {
        cancelQueued: native,
        cancelRunning: native,
        hold: native,
        priority: native,
        tiles: native,
        samples: native,
        windows: native,
        partialOutputs: native,
        resumeDownload: native,
        bindingQuote: native,
      },
    },
    async make() {
      const workDir = join(temp.path, `farm-${++made}`)
      mkdirSync(workDir)
      const job: JobSpec = {
        name: 'conformance',
        frames: '1-6',
        bundle: scene.bundle,
        render: TINY,
        deadlineAtMs: Date.now() + 3_600_000,
        budget: usd('10'),
        goal: 'cheapest',
      }
      return { farm: selfHosted({ id: 'tiny', workDir, threadsPerSlot: 1 }), job, files: scene.files }
    },
  })
  for (const { name, skip, run } of cases) it.skipIf(skip !== undefined)(name, run)
})

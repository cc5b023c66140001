import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene } from '../../packages/cli/test/cli.ts'
import { installPacked, plainEnvironment } from '../install.ts'

const run = promisify(execFile)
if (!blender) console.log(`a render with the installed command is skipped: ${blenderReason}`)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pictor-installed-'))
  await installPacked(folder, ['@pictor/cli'])
})
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))

const pictor = (...args: readonly string[]) =>
  run(process.execPath, ['node_modules/.bin/pictor', ...args], { cwd: folder, env: plainEnvironment({ NO_COLOR: '1' }) })

describe('an installed `pictor`', () => {
  it.skipIf(!blender)(
    'renders a scene on a farm of pictor.config.json, pays for it and leaves a receipt that verifies',
    async () => {
      makeScene(join(folder, 'shot.blend'))
      const options = {
        id: 'studio',
        workDir: join(folder, 'studio'),
        signer: { $key: 'farm:studio' },
        price: { perHostHour: { $usd: '0.40' } },
      }
      const farms = [{ use: '@pictor/adapter-selfhosted', factory: 'selfHosted', options }]
      await writeFile(join(folder, 'pictor.config.json'), JSON.stringify({ farms }))
      const args = ['render', 'shot.blend', '--frames', '1-2', '--deadline', '1h', '--budget', '5', '--out', 'out', '--json']
      const { stdout } = await pictor(...args)
      const events = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; plan?: { quotes: { farm: string }[] } })
      expect(events.find(({ type }) => type === 'plan')?.plan?.quotes.map(({ farm }) => farm)).toEqual(['studio'])
      expect((await readdir(join(folder, 'out'))).filter((name) => name.endsWith('.png')).length).toBeGreaterThanOrEqual(2)
      const verified = await pictor('verify', 'out/receipt.json', '--json').catch((error: { stdout: string }) => error)
      expect(JSON.parse(verified.stdout)).toMatchObject({ answer: 'consistent, not anchored' })
    },
  )

  it('drives farms that were built with another copy of core', async () => {
    const other = join(folder, 'other')
    await installPacked(other, ['@pictor/core'])
    await writeFile(
      join(other, 'farm.mjs'),
      "export { simulatedFarm, virtualClock } from '@pictor/core/simulate'\nexport { PictorError } from '@pictor/core'\n",
    )
    await writeFile(join(folder, 'kit.mjs'), KIT)
    const { stdout } = await run(process.execPath, ['kit.mjs'], { cwd: folder, env: plainEnvironment() })
    const { same, passed, failed } = JSON.parse(stdout) as { same: boolean; passed: number; failed: string[] }
    expect(failed).toEqual([])
    expect([same, passed > 35]).toEqual([false, true])
  })
})

/** The conformance kit and files of one copy of core over a farm of another. */
const KIT = `
import { createHash } from 'node:crypto'
import { memoryArtifacts, PictorError } from '@pictor/core'
import { farmConformance, runCases } from '@pictor/core/conformance'
import { PictorError as Other, simulatedFarm, virtualClock } from './other/farm.mjs'

const native = 'native'
const capabilities = { cancelQueued: native, cancelRunning: native, hold: native, priority: native, tiles: 'none', samples: 'none', windows: native, partialOutputs: native, resumeDownload: native, bindingQuote: native }
const scene = new TextEncoder().encode('a scene')
const output = { format: 'PNG', width: 64, height: 36, colorMode: 'RGBA', bitDepth: 8 }
const render = { software: 'blender', softwareVersion: '4.2', engine: 'CYCLES', scene: 'Scene', viewLayers: ['ViewLayer'], camera: 'Camera', samples: 16, adaptive: false, denoise: false, seed: 0, animatedSeed: false, output, checkClass: 'crop' }
const make = async () => {
  const files = memoryArtifacts()
  const { hash, bytes } = await files.put(scene)
  const root = '0x' + createHash('sha256').update('root').digest('hex')
  const bundle = { root, entry: 'scene.blend', files: [{ path: 'scene.blend', hash, bytes }] }
  const job = { name: 'test', frames: '1-6', bundle, render, deadlineAtMs: Date.now() + 3_600_000, budget: { amount: 10_000_000n, currency: 'USD' }, goal: 'cheapest' }
  const clock = virtualClock(Date.now())
  const farm = simulatedFarm({ id: 'sim', clock, slots: 2, msPerWork: 200, pollMs: 100, checkFiles: true })
  return { job, files, farm, advance: async (ms) => clock.jump(ms) }
}
const results = await runCases(farmConformance({ supports: { lane: 'partner', capabilities }, make, patienceMs: 5_000 }))
const failed = results.filter(({ outcome }) => outcome === 'failed').map(({ name, message }) => name + ': ' + message)
console.log(JSON.stringify({ same: Other === PictorError, passed: results.filter(({ outcome }) => outcome === 'passed').length, failed }))
`

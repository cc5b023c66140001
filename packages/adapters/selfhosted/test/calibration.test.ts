import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Farm, JobSpec, Quote } from '@pictor/core/contract'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { blenderAt, selfHosted } from '../src/index.ts'
import { calibrationOf } from '../src/blender/calibration.ts'
import { hasBlender, tempFolder, TINY } from './support.ts'

const temp = tempFolder()
const open: Farm[] = []
afterEach(async () => {
  for (const farm of open.splice(0)) await farm.close?.()
})
afterAll(temp.remove)

describe.skipIf(!hasBlender)('calibration', () => {
  it('is measured once for each Blender and device, and anew when one of them changes', async () => {
    const workDir = join(temp.path, 'kept')
    const blender = (await blenderAt('blender'))!
    const slot = { blender, device: undefined, threads: 1, environment: {} }
    let clock = 1_000
    const at = (change: object = {}) => calibrationOf(workDir, { ...slot, ...change }, () => clock++)
    const [first, same] = await Promise.all([at(), at()])
    expect(first.pixelSamplesPerS).toBeGreaterThan(10_000)
    expect(first.pixelSamplesPerS).toBeLessThan(1e10)
    expect(same).toEqual(first)
    expect(await at()).toEqual(first)
    const before = Object.keys(JSON.parse(readFileSync(join(workDir, 'calibration.json'), 'utf8')) as object)
    expect(before).toEqual([expect.stringContaining(`Blender ${blender.version}, CPU`)])
    // Another Blender, and a file that was cut off: both are reasons to measure again.
    writeFileSync(join(workDir, 'calibration.json'), '{"half')
    const newer = await at({ blender: { ...blender, version: '99.0.0' } })
    expect(newer.measuredAtMs).not.toBe(first.measuredAtMs)
    expect(readFileSync(join(workDir, 'calibration.json'), 'utf8')).toContain('Blender 99.0.0')
  })

  it('tells the speed before anything was probed, and what it rests on', async () => {
    const farm = selfHosted({ id: 'box', workDir: join(temp.path, 'farm'), threadsPerSlot: 1, calibrate: true })
    open.push(farm)
    const { rating } = await farm.describe({ key: 'd' })
    const speed = rating!.pixelSamplesPerS!
    expect(rating!.basis).toContain('of the calibration scene with Blender')
    const spec = { render: TINY, frames: '1-10', budget: { amount: 1n, currency: 'USD' } } as unknown as JobSpec
    const base = { work: [1], low: 1, high: 1, classes: [{ id: 'a', memoryMiB: 1 }], basis: [], probeMs: 0 }
    // The estimate counts seconds of a machine that is three times as fast.
    const estimate = { ...base, rating: { pixelSamplesPerS: 3 * speed, basis: 'another machine' } }
    const quote = (await farm.quote({ spec, estimate, atMs: 0 }, { key: 'q' })) as Quote
    expect(quote.offers[0]!.msPerWork).toEqual([3000])
    expect(quote.basis.join()).toContain('by calibration')
    const unknown = (await farm.quote({ spec, estimate: base, atMs: 0 }, { key: 'q2' })) as Quote
    expect(unknown.offers[0]!.msPerWork).toEqual([1000])
  })
})

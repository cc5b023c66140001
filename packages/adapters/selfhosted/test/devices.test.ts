import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { oncePerCard, parseGpuMetrics } from '../src/blender/devices.ts'
import { blenderAt, chooseBlender, computeDevices, selfHosted, versionOfCode } from '../src/index.ts'
import { hasBlender, tempFolder } from './support.ts'

describe('devices and versions', () => {
  it('reads nvidia-smi and leaves out what it does not understand', () => {
    const text =
      'NVIDIA RTX A4000, 550.54, 16376, 512, 37, 55, 00000000:65:00.0\nNo devices were found\nOld, 1, 2, [N/A], 3, 4, 5\n'
    expect(parseGpuMetrics(text)).toEqual([
      {
        name: 'NVIDIA RTX A4000',
        driver: '550.54',
        memoryMiB: 16376,
        memoryUsedMiB: 512,
        utilizationPct: 37,
        temperatureC: 55,
        bus: '00000000:65:00.0',
      },
    ])
  })

  it('counts a card once, by its faster kind', () => {
    const devices = [
      { kind: 'OPTIX', id: 'CUDA_NVIDIA A_0000:01:00_OptiX', name: 'A' },
      { kind: 'OPTIX', id: 'CUDA_NVIDIA A_0000:02:00_OptiX', name: 'A' },
      { kind: 'CUDA', id: 'CUDA_NVIDIA A_0000:01:00', name: 'A' },
      { kind: 'CUDA', id: 'CUDA_NVIDIA A_0000:02:00', name: 'A' },
    ] as const
    expect(oncePerCard(devices)).toEqual(devices.slice(0, 2))
  })

  it('chooses the oldest Blender that is not older than the file', () => {
    const at = (code: number) => ({ path: `/opt/${code}`, version: versionOfCode(code), code })
    const installed = [at(303), at(306), at(402)]
    expect(chooseBlender(installed, 304).code).toBe(306)
    expect(chooseBlender(installed, 293).code).toBe(303)
    expect(() => chooseBlender(installed, 500)).toThrow(/5\.0/)
    expect(() => chooseBlender([], 304)).toThrow(/not installed/)
    expect([279, 283, 304, 502].map(versionOfCode)).toEqual(['2.79', '2.83', '3.4', '5.2'])
  })
})

describe.skipIf(!hasBlender)('devices of this machine', { timeout: 120_000 }, () => {
  const temp = tempFolder()
  afterAll(temp.remove)

  it('finds at least the CPU, and `auto` gives slots in any case', async () => {
    const found = await computeDevices((await blenderAt('blender'))!)
    expect(found.some((device) => device.kind === 'CPU')).toBe(true)
    const farm = selfHosted({ id: 'auto', workDir: join(temp.path, 'auto'), slots: 2, devices: 'auto' })
    const info = await farm.describe({ key: 'look' })
    expect(info.slots).toBeGreaterThanOrEqual(2)
    await farm.close?.()
  })
})

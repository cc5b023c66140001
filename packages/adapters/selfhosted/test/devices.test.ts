import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { oncePerCard, withMemory } from '../src/blender/devices.ts'
import { parseNvidiaSmi, parseRocmSmi } from '../src/blender/gpu-metrics.ts'
import { blenderAt, chooseBlender, computeDevices, selfHosted, versionOfCode } from '../src/index.ts'
import { ratingOf } from '../src/rating.ts'
import { hasBlender, tempFolder } from './support.ts'

describe('devices and versions', () => {
  it('reads nvidia-smi, leaves out what a card does not tell and lines that are no card', () => {
    const text =
      'NVIDIA RTX A4000, 00000000:65:00.0, 550.54, 16376, 512, 37, 55\n' +
      'NVIDIA H100 80GB HBM3, 00000000:C1:00.0, 580.159.04, 81559, 4, [N/A], [N/A]\n' +
      'No devices were found\nOld, 1, 2, [N/A], 3, 4, 5\nNVIDIA-SMI has failed because it could not communicate, with, the, driver,,,\n'
    expect(parseNvidiaSmi(text)).toEqual([
      {
        name: 'NVIDIA RTX A4000',
        driver: '550.54',
        memoryMiB: 16376,
        memoryUsedMiB: 512,
        utilizationPct: 37,
        temperatureC: 55,
        bus: '0000:65:00',
      },
      { name: 'NVIDIA H100 80GB HBM3', driver: '580.159.04', memoryMiB: 81559, memoryUsedMiB: 4, bus: '0000:c1:00' },
    ])
  })

  it('reads rocm-smi in the words of several versions', () => {
    // Put together from outputs in public issues of ROCm and of tools that read it (Radeon 780M with rocm-smi-lib 6.2, RX 7900 XT).
    const text = `WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status
      {"card0": {"Device Name": "Phoenix3", "Temperature (Sensor edge) (C)": "31.0", "GPU use (%)": "19", "VRAM Total Memory (B)": "536870912",
        "VRAM Total Used Memory (B)": "482263040", "PCI Bus": "0000:C4:00.0", "Card Model": "0x1900"},
       "card1": {"Card Series": "Radeon RX 7900 XT", "Temperature (Sensor edge) (C)": "45.0", "Temperature (Sensor junction) (C)": "52.0",
        "GPU use (%)": "N/A", "VRAM Total Memory (B)": "21458059264", "VRAM Total Used Memory (B)": "27856896", "PCI Bus": "0000:03:00.0"},
       "card2": {"Card Series": "no address"}, "system": {"Driver version": "6.8.5"}}`
    expect(parseRocmSmi(text)).toEqual([
      {
        name: 'Phoenix3',
        bus: '0000:c4:00',
        driver: '6.8.5',
        memoryMiB: 512,
        memoryUsedMiB: 460,
        utilizationPct: 19,
        temperatureC: 31,
      },
      { name: 'Radeon RX 7900 XT', bus: '0000:03:00', driver: '6.8.5', memoryMiB: 20464, memoryUsedMiB: 27, temperatureC: 52 },
    ])
    for (const other of ['', 'rocm-smi: command not found', '{"card0": 3}', '[]', '{"card0": {"PCI Bus": 7}}'])
      expect(parseRocmSmi(other)).toEqual([])
  })

  it('finds the memory of a card by its address, and that of the CPU by the machine', () => {
    const metrics = parseNvidiaSmi('NVIDIA RTX A4000, 00000000:65:00.0, 550.54, 16376, 512, 37, 55')
    const found = withMemory(
      [
        { kind: 'OPTIX', id: 'CUDA_NVIDIA RTX A4000_0000:65:00_OptiX', name: 'NVIDIA RTX A4000' },
        { kind: 'CUDA', id: 'CUDA_NVIDIA RTX A4000_0000:66:00', name: 'NVIDIA RTX A4000' },
        { kind: 'CPU', id: 'CPU', name: 'Some CPU' },
      ],
      metrics,
    )
    expect(found.map((device) => device.memoryMiB)).toEqual([16376, undefined, expect.any(Number)])
    expect(found[0]!.driver).toBe('550.54')
  })

  it('counts a CPU slot in GHz by its threads and clock, and takes the owner’s word for a GPU', () => {
    const gpu = { kind: 'OPTIX', id: 'x', name: 'NVIDIA A' } as const
    const slot = { threadsPerSlot: 4 }
    expect(ratingOf(slot, undefined, { model: 'Intel(R) Xeon(R) CPU @ 2.20GHz', speed: 2999 })).toEqual({
      ghz: 8.8,
      basis: '4 threads (logical cores) of Intel(R) Xeon(R) CPU @ 2.20GHz at 2.2 GHz by its name',
    })
    expect(ratingOf(slot, undefined, { model: 'AMD EPYC', speed: 2450 })).toMatchObject({
      ghz: 9.8,
      basis: expect.stringMatching(/by the system/) as string,
    })
    expect(ratingOf(slot, undefined, { model: 'ARM', speed: 0 })).toBeUndefined()
    expect(ratingOf(slot, gpu)).toBeUndefined()
    expect(ratingOf({ ...slot, rating: { octaneBench: 670 } }, gpu)).toEqual({ octaneBench: 670, basis: 'set by the owner' })
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

describe.skipIf(!hasBlender)('devices of this machine', () => {
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

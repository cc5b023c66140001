import { describe, expect, it } from 'vitest'
import { estimateFrom, nextProbes, planProbes, type ProbeSample } from '../../src/estimate/index.ts'
import { bandOf } from '../../src/estimate/band.ts'
import type { RenderSpec } from '../../src/contract/job.ts'

const SPEC: RenderSpec = {
  software: 'blender',
  softwareVersion: '3.4',
  engine: 'CYCLES',
  scene: 'Scene',
  viewLayers: ['ViewLayer'],
  camera: 'Camera',
  samples: 64,
  adaptive: false,
  denoise: false,
  seed: 0,
  animatedSeed: false,
  output: { format: 'PNG', width: 640, height: 360, colorMode: 'RGB', bitDepth: 8 },
  checkClass: 'crop',
}
const FRAMES = Array.from({ length: 100 }, (_, i) => i + 1)

/** Normal numbers from a seed. */
function normals(seed: number): () => number {
  let state = seed * 7919 + 1
  const uniform = (): number => (state = (state * 48271) % 2147483647) / 2147483647
  for (let i = 0; i < 8; i++) uniform()
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

/** One scene whose frames cost what a smooth curve says, times what each frame has of its own, measured with an error. */
function scene(seed: number, own: number) {
  const normal = normals(seed)
  const curve = FRAMES.map((frame) => 1000 * (1 + 0.4 * Math.sin(seed + frame / 20)))
  const ms = curve.map((one) => one * Math.exp(own * normal()))
  const plan = planProbes(SPEC, FRAMES)
  const load = { warm: plan.load.low, ...plan.load }
  const samples: ProbeSample[] = []
  for (let orders = nextProbes(plan, samples, 'reference'); orders.length > 0; orders = nextProbes(plan, samples, 'reference'))
    for (const { frame, window } of orders)
      samples.push({
        frame,
        window,
        renderMs: (50 + ((ms[frame - 1]! - 50) * load[window]) / load.full) * Math.exp(0.01 * normal()),
      })
  const { estimate } = estimateFrom(plan, [{ farm: 'a', samples, startMs: 0, spentMs: 1, measuredAtMs: 0 }], FRAMES, 1)
  const within = ms.filter(
    (true_, i) => true_ >= 1000 * estimate.work[i]! * estimate.low && true_ <= 1000 * estimate.work[i]! * estimate.high,
  )
  return { plan, samples, estimate, covered: within.length / ms.length }
}

describe('the band of an estimate', () => {
  const at = (own: number) => {
    const all = Array.from({ length: 40 }, (_, seed) => scene(seed, own))
    const mean = (of: (one: (typeof all)[number]) => number): number => all.reduce((sum, one) => sum + of(one), 0) / all.length
    return { covered: mean((one) => one.covered), high: mean((one) => one.estimate.high) }
  }

  it('holds nine of ten frames where neighbours cost alike, and is as wide as frames scatter', () => {
    const [smooth, rough, wild] = [at(0.02), at(0.1), at(0.3)]
    for (const { covered } of [smooth, rough]) expect(covered).toBeGreaterThan(0.87)
    // Frames that have nothing to do with their neighbours: what few probes of them say is luck.
    expect(wild.covered).toBeGreaterThan(0.68)
    expect(smooth.high).toBeLessThan(1.35)
    expect(rough.high).toBeGreaterThan(smooth.high)
    expect(wild.high).toBeGreaterThan(1.4)
  })

  it('is the usual one where too few frames were probed to tell, and says what it rests on', () => {
    const { plan, samples, estimate } = scene(1, 0.1)
    const few = samples.filter((one) => one.frame === samples[1]!.frame)
    expect(bandOf(plan, few)).toMatchObject({ probes: 0 })
    expect(bandOf(plan, few).high).toBeCloseTo(1.3, 10)
    expect(estimate.basis.find((line) => line.includes('nine of ten'))).toContain(estimate.high.toFixed(2))
  })
})

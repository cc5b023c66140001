import { describe, expect, it } from 'vitest'
import { createPictor, memoryStore, usd, type Farm, type Inspector } from '../src/index.ts'
import { memoryArtifacts } from '../src/artifacts/index.ts'
import { bundleRoot } from '../src/proof/index.ts'
import { simulatedChecker, simulatedFarm, simulatedLedger, simulatedSigner, virtualClock } from '../src/simulate/index.ts'

const clock = virtualClock()

/** Ten frames of nothing in particular. */
const simulatedInspector: Inspector = {
  async inspect(path) {
    return {
      path,
      bytes: 1,
      frames: '1-10',
      framesPerSecond: 24,
      spec: {
        software: 'blender',
        softwareVersion: '3.4',
        engine: 'CYCLES',
        scene: 'Scene',
        viewLayers: [],
        camera: 'Camera',
        samples: 8,
        adaptive: false,
        denoise: false,
        seed: 1,
        animatedSeed: false,
        output: { format: 'PNG', width: 64, height: 48, colorMode: 'RGB', bitDepth: 8 },
        checkClass: 'crop',
      },
      external: [],
      memoryMiB: 100,
      warnings: [],
    }
  },
  async bundle(_, files) {
    const one = { path: 'scene.blend', ...(await files.put(new Uint8Array([1]))) }
    return { root: bundleRoot([one]), entry: 'scene.blend', files: [one] }
  },
}

const farm = (id: string): Farm => simulatedFarm({ id, clock, msPerWork: 1000 })

const pictorOf = (farms: readonly Farm[] | (() => readonly Farm[])) =>
  createPictor({
    inspector: simulatedInspector,
    farms,
    checkers: [simulatedChecker({ id: 'checker', clock })],
    signer: simulatedSigner('creator'),
    ledger: simulatedLedger({ clock }),
    store: memoryStore(),
    artifacts: memoryArtifacts(),
    clock,
  })

describe('the farms of a Pictor', () => {
  it('may be a function, which is asked again at every plan', async () => {
    const farms = [farm('one')]
    const pictor = pictorOf(() => [...farms])
    const quoted = async (): Promise<string[]> => {
      let settled = false
      const plans = pictor.plan({ scene: 'scene.blend', deadline: '4h', budget: usd('10') }).finally(() => (settled = true))
      await clock.run(() => settled, { maxSteps: 10_000 })
      return (await plans).cheapest.quotes.map((quote) => quote.farm)
    }
    expect(await quoted()).toEqual(['one'])
    farms.push(farm('two'))
    expect((await quoted()).toSorted()).toEqual(['one', 'two'])
    await pictor[Symbol.asyncDispose]()
  })

  it('are refused by name when two have one id or one speaks another contract', () => {
    expect(() => pictorOf([farm('one'), farm('one')])).toThrow(/farms\[1\]\.id.*"one"/)
    expect(() => pictorOf([{ ...farm('old'), contract: 0 as 1 }])).toThrow(/farms\[0\] \(old\): contract 0/)
  })
})

describe('a deadline', () => {
  const refusal = async (deadline: string, frames: string): Promise<unknown> => {
    const pictor = pictorOf([farm('one')])
    let settled = false
    const answer = pictor
      .plan({ scene: 'scene.blend', deadline, frames, budget: usd('10') })
      .then((plans) => plans.cheapest)
      .catch((error: unknown) => error)
      .finally(() => (settled = true))
    await clock.run(() => settled, { maxSteps: 10_000 })
    await pictor[Symbol.asyncDispose]()
    return answer
  }

  it('that passes while farms are measured is named as such, and ends the measuring', async () => {
    const startedAtMs = clock.now()
    expect(await refusal('2s', '1-10')).toMatchObject({
      code: 'deadline-impossible',
      message: expect.stringMatching(/passed \d+ s ago, while the farms were being measured/),
      details: { path: 'deadline', hint: expect.stringContaining('allow more time') },
    })
    expect(clock.now() - startedAtMs).toBeLessThan(10_000)
  })

  it('that nobody can meet is refused in words for people', async () => {
    expect(await refusal('90s', '1-1000')).toMatchObject({
      code: 'deadline-impossible',
      message: expect.stringMatching(/the earliest finish is \d+ (s|min) from now, the deadline is in \d+ s$/),
      details: { fastestMs: expect.any(Number) },
    })
  })
})

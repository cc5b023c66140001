// Sealed outputs whose lease is never attested: no key is due, the job ends, and nothing sealed is handed out as a frame.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Body, Checker, Farm, FarmEvent } from '../../src/contract/index.ts'
import type { JobResult } from '../../src/run/index.ts'
import { simulatedWorld } from '../../src/simulate/index.ts'

async function bytesOf(body: Body): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body.stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A simulated farm that seals: what `open` gives is not what its outputs hash to. */
function sealing(farm: Farm): Farm {
  const sealed = async (output: Parameters<Farm['open']>[0]): Promise<Buffer> => {
    const got = await farm.open(output, { offset: 0 }, { key: 'plain' })
    if ('unavailable' in got) throw new Error(got.unavailable)
    return Buffer.concat([Buffer.from('sealed '), await bytesOf(got)])
  }
  const shown = async (event: FarmEvent): Promise<FarmEvent> => {
    if (event.type !== 'output') return event
    const bytes = await sealed(event.output)
    const hash = `0x${createHash('sha256').update(bytes).digest('hex')}` as const
    return { ...event, output: { ...event.output, sealed: { hash, bytes: bytes.length } } }
  }
  return {
    ...farm,
    async poll(query, ctx) {
      const page = await farm.poll(query, ctx)
      return { ...page, events: await Promise.all(page.events.map(shown)) }
    },
    async open(output, { offset }) {
      const rest = (await sealed(output)).subarray(offset)
      return {
        bytes: rest.length,
        stream: (async function* () {
          yield rest
        })(),
      }
    },
  }
}

async function jobOf(checkers: (own: Checker) => Checker): Promise<{ result: JobResult; delivered: number }> {
  const world = simulatedWorld({
    name: 'unopened',
    frames: 4,
    farms: [{ id: 'sealing', slots: 1, msPerWork: 1_000 }],
    checkers: [{ id: 'a', pollMs: 500 }],
    quorum: 1,
    order: { options: { hedge: false } },
  })
  const farm = sealing(world.farms.get('sealing')!)
  const runner = world.runner('a', { farms: () => farm, checkers: world.checkers.map(checkers) })
  const run = await runner.submit(world.order)
  let result: JobResult | undefined
  void run.done().then((end) => (result = end))
  expect(await world.clock.run(() => result !== undefined, { maxSteps: 400_000 })).toBe(true)
  await runner.close()
  return { result: result!, delivered: world.delivered.size }
}

describe('sealed frames that were accepted', () => {
  it('and never attested stay sealed: the job ends without them, and nobody was paid', async () => {
    const { result, delivered } = await jobOf((checker) => ({
      ...checker,
      // It votes, and never signs a batch.
      send: async (action, ctx) => (action.kind === 'sign-batch' ? undefined : checker.send(action, ctx)),
    }))
    expect(result.outcome).toBe('failed')
    expect(result.frames).toEqual([])
    expect(delivered).toBe(0)
    expect(result.money.paid).toBe(0n)
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import { createChecker } from '@pictor/checker'
import { createPictor, usd, type JobEvent, type JobResult, type PlanRequest } from '@pictor/core'
import { privateKeySigner, verifyReceipt, type Receipt } from '@pictor/core/proof'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { openChain } from '../src/demo/chain.ts'
import { keyFile } from '../src/keys.ts'
import { blender, blenderReason, makeScene, temporaryFolder } from './cli.ts'

if (!blender) console.log(`tiles.test.ts is skipped: ${blenderReason}`)

interface Rendered {
  readonly result: JobResult
  readonly events: readonly JobEvent[]
  readonly receipt: Receipt
  readonly file: Uint8Array
  readonly parts: readonly string[]
}

/** One frame over two farms: split, leased, rendered, checked, merged, delivered and paid, with real Blender. */
describe.skipIf(!blender)('one frame over two farms', () => {
  const folder = temporaryFolder()
  const scene = join(folder.path, 'cube.blend')
  const signer = () => privateKeySigner(drawnKey())
  const farms = ['one', 'two'].map((id) =>
    selfHosted({
      id,
      workDir: join(folder.path, id),
      signer: signer(),
      slots: 1,
      price: { perHostHour: 3_600_000n, currency: 'USD' },
    }),
  )
  const renderer = selfHosted({ id: 'checker', workDir: join(folder.path, 'checker'), signer: signer(), slots: 1 })
  const checker = createChecker({ id: 'c', signer: signer(), renderer, store: join(folder.path, 'checker.db') })
  const pictor = createPictor({
    inspector: blendInspector(),
    farms,
    checkers: [checker],
    signer: signer(),
    dataDir: join(folder.path, 'data'),
  })

  async function render(name: string, more: Partial<PlanRequest>): Promise<Rendered> {
    const plans = await pictor.plan({ scene, name, frames: '3', deadline: '1h', budget: usd('20'), ...more })
    const outDir = join(folder.path, name)
    const run = await pictor.submit(plans.fastest, { outDir, batchWaitMs: 100 })
    const events: JobEvent[] = []
    for await (const event of run.events()) events.push(event)
    const result = await run.done()
    expect(result).toMatchObject({ outcome: 'done', missing: [] })
    const files = readdirSync(outDir)
    const file = readFileSync(
      join(
        outDir,
        files.find((one) => one.startsWith(`${name}_0003.`))!,
      ),
    )
    const parts = files.includes('parts') ? readdirSync(join(outDir, 'parts')).sort() : []
    return { result, events, receipt: await pictor.receipt(run.id), file, parts }
  }

  beforeAll(() => {
    makeScene(
      scene,
      [
        "bpy.data.worlds['World'].node_tree.nodes['Background'].inputs[0].default_value = (0.6, 0.7, 0.9, 1)",
        'bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))',
        's.render.resolution_x, s.render.resolution_y = 300, 260',
        's.cycles.use_adaptive_sampling = s.cycles.use_denoising = False',
        's.render.dither_intensity = 0',
      ].join('\n'),
    )
  })
  afterAll(async () => {
    await pictor.close()
    await checker.close?.()
    await Promise.all([...farms, renderer].map((farm) => farm.close?.()))
    folder.remove()
  })

  it.each(['PNG', 'OPEN_EXR'] as const)('is the unsplit render, pixel for pixel, as %s', async (format) => {
    const whole = await render(`whole-${format}`, { inspect: { format } })
    const split = await render(`tiles-${format}`, { inspect: { format }, tiles: 4 })
    const tasks = split.events.flatMap((event) => (event.type === 'task-start' ? [event] : []))
    expect(tasks.map(({ part }) => part).sort()).toEqual([1, 2, 3, 4])
    expect(new Set(tasks.map(({ farm }) => farm))).toEqual(new Set(['one', 'two']))
    expect(split.parts).toHaveLength(4)
    const verdicts = split.events.flatMap((event) => (event.type === 'frame-verdict' ? [event] : []))
    // Small jobs have every part compared with the checker's own render.
    expect(verdicts.map(({ verdict, reports }) => [verdict, reports.every((report) => report.checked)])).toEqual(
      Array.from({ length: 4 }, () => ['accept', true]),
    )
    expect(new Set(split.result.frames.map(({ path }) => path)).size).toBe(1)
    const [a, b] = [decodeImage(whole.file), decodeImage(split.file)]
    expect([b.width, b.height]).toEqual([300, 260])
    expect(b.parts[0]!.planes.map((plane) => plane.name)).toEqual(a.parts[0]!.planes.map((plane) => plane.name))
    for (const [c, plane] of a.parts[0]!.planes.entries()) expect(b.parts[0]!.planes[c]!.data).toEqual(plane.data)
    const { money } = split.result
    expect(money.paid + money.refunded).toBe(money.locked)
    expect(verifyReceipt(split.receipt).answer).not.toBe('broken')
  })

  it('is locked, attested and paid tile by tile on a chain too, with a receipt that its block anchors', async () => {
    const keys = keyFile(join(folder.path, 'chain-keys.json'), 'keys of a test')
    const budget = usd('20')
    const chain = await openChain(join(folder.path, 'chain.json'), keys, budget.amount)
    const onChain = createPictor({
      inspector: blendInspector(),
      farms,
      checkers: [checker],
      signer: keys.signer('creator'),
      ledger: chain.ledger,
      token: chain.token,
      disputeWindowS: 0,
      dataDir: join(folder.path, 'chain-data'),
    })
    try {
      const plans = await onChain.plan({ scene, name: 'chain', frames: '3', deadline: '1h', budget, tiles: 2 })
      const run = await onChain.submit(plans.fastest, { outDir: join(folder.path, 'chain'), batchWaitMs: 100 })
      const { outcome, missing, money, frames } = await run.done()
      expect({ outcome, missing, parts: frames.map(({ part }) => part) }).toEqual({ outcome: 'done', missing: [], parts: [1, 2] })
      expect(money.paid).toBeGreaterThan(0n)
      expect(money.paid + money.refunded).toBe(money.locked)
      const material = await onChain.material(run.id)
      expect(material.leases.map(({ lease }) => lease.part)).toEqual([1, 2])
      const trustedBlockHash = (await chain.blockHash(material)) as `0x${string}`
      const trustedEscrow = material.domain.verifyingContract
      expect(verifyReceipt(await onChain.receipt(run.id), { trustedBlockHash, trustedEscrow }).answer).toBe('anchored')
    } finally {
      await onChain.close()
      await chain.close()
    }
  })

  it('is refused for frames whose tiles would not fit together, and left whole by auto', async () => {
    const request = { scene, frames: '3', deadline: '1h', budget: usd('20'), inspect: { format: 'JPEG' } } as const
    await expect(pictor.plan({ ...request, tiles: 4 })).rejects.toMatchObject({ code: 'unsupported' })
    expect((await pictor.plan({ ...request, tiles: 'auto' })).fastest.spec.render.tiles).toBeUndefined()
    expect((await pictor.plan({ ...request, inspect: {}, tiles: 'auto' })).fastest.spec.render.tiles).toHaveLength(2)
    await expect(pictor.plan({ ...request, tiles: 1 })).rejects.toMatchObject({ code: 'invalid-input' })
  })
})

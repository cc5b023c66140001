import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeImage } from '@pictor/image'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene, pictor, temporaryFolder, type Finished } from './cli.ts'

if (!blender) console.log(`main-job.test.ts is skipped: ${blenderReason}`)

const FRAMES = 9

/** The whole way with real parts: real Blender on three farms, one of which cheats and forges its files' tags, three checkers, the escrow on a real EVM. */
describe.skipIf(!blender)('the main job on three farms with an escrow', () => {
  const folder = temporaryFolder()
  const out = join(folder.path, 'out')
  let result: Finished
  beforeAll(async () => {
    // A floor under the cube and a bright sky: noise of too few samples shows in every pixel, as it does in real scenes.
    const script = [
      "bpy.data.worlds['World'].node_tree.nodes['Background'].inputs[0].default_value = (0.6, 0.7, 0.9, 1)",
      'bpy.ops.mesh.primitive_plane_add(size=60, location=(0, 0, -1))',
      's.render.resolution_x, s.render.resolution_y = 160, 96',
    ]
    makeScene(join(folder.path, 'cube.blend'), script.join('\n'))
    result = await pictor(['demo', '--scene', 'cube.blend', '--frames', `1-${FRAMES}`, '--out', 'out', '--json'], {
      cwd: folder.path,
    })
  })
  afterAll(() => folder.remove())

  const of = (type: string) => result.objects.filter((object) => object.type === type)

  it('ends with every frame delivered, whole, and of the ordered size', () => {
    expect(result.code, result.stdout.slice(-1500) + result.stderr).toBe(0)
    for (let frame = 1; frame <= FRAMES; frame++) {
      const image = decodeImage(readFileSync(join(out, `cube_${String(frame).padStart(4, '0')}.png`)))
      expect([image.width, image.height]).toEqual([160, 96])
    }
  })

  it('gives frames to all three farms, refuses the frames of the one that cheats, and pays it nothing', () => {
    const plan = of('summary')[0]!.plan as { farm: string }[]
    expect(plan.map((route) => route.farm).sort()).toEqual(['cloudish', 'cutcorner', 'studio'])
    const verdicts = of('frame-verdict')
    const refused = verdicts.filter((event) => event.verdict === 'refuse')
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.every((event) => event.farm === 'cutcorner')).toBe(true)
    expect(verdicts.some((event) => event.farm === 'cutcorner' && event.verdict === 'accept')).toBe(false)
    expect(of('farm-quarantined').map((event) => event.farm)).toContain('cutcorner')
    const balances = of('summary')[0]!.balances as { name: string; amount: string }[]
    expect(balances.some((balance) => balance.name.startsWith('cutcorner'))).toBe(false)
    expect(balances.some((balance) => balance.name.startsWith('studio') || balance.name.startsWith('cloudish'))).toBe(true)
  })

  it('accounts for every unit of money', () => {
    const { balances, supply } = of('summary')[0]! as unknown as { balances: { amount: string }[]; supply: string }
    expect(balances.reduce((sum, balance) => sum + BigInt(balance.amount), 0n)).toBe(BigInt(supply))
  })

  it('leaves a receipt that verifies against the block, and names what was changed in it', async () => {
    const receipt = join(out, 'receipt.json')
    const hash = of('summary')[0]!.blockHash as string
    const escrow = of('summary')[0]!.escrow as string
    const good = await pictor(['verify', receipt, '--block-hash', hash, '--escrow', escrow, '--json'], { cwd: folder.path })
    expect(good.objects.at(-1)).toMatchObject({ answer: 'anchored' })
    expect(good.code).toBe(0)
    const text = readFileSync(receipt, 'utf8')
    writeFileSync(
      join(folder.path, 'forged.json'),
      text.replace(/"price":"(\d+)"/, (_, price: string) => `"price":"${BigInt(price) + 1n}"`),
    )
    const forged = await pictor(['verify', 'forged.json', '--block-hash', hash, '--json'], { cwd: folder.path })
    expect(forged.objects.at(-1)).toMatchObject({ answer: 'broken' })
    expect(forged.code).toBe(4)
    const other = await pictor(['verify', receipt, '--block-hash', `0x${'12'.repeat(32)}`, '--json'], { cwd: folder.path })
    expect(other.objects.at(-1)).toMatchObject({ answer: 'broken', broken: { name: 'trust' } })
  })

  it('draws the contact sheet and the timeline, and keeps keys to their owner', () => {
    for (const name of ['contact-sheet.png', 'timeline.png'])
      expect(decodeImage(readFileSync(join(out, name))).width).toBeGreaterThan(400)
    expect(statSync(join(out, 'keys.json')).mode & 0o777).toBe(0o600)
    expect(existsSync(join(out, 'chain.json'))).toBe(true)
  })
})

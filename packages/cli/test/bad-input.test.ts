import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encryptKeystoreJsonSync, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blender, blenderReason, makeScene, pictor, temporaryFolder, type Finished } from './cli.ts'

if (!blender) console.log(`bad-input.test.ts is skipped: ${blenderReason}`)

describe.skipIf(!blender)('pictor render refuses bad input before any money moves', () => {
  const folder = temporaryFolder()
  const scene = join(folder.path, 'good.blend')
  beforeAll(() => makeScene(scene))
  afterAll(() => folder.remove())

  const render = (file: string, extra: readonly string[] = []) =>
    pictor(['render', file, '--deadline', '1h', '--budget', '5', '--frames', '1-2', '--out', 'out', '--json', ...extra], {
      cwd: folder.path,
    })

  /** One error object with code, path or hint; the exit code says its kind; no job was recorded and nothing was locked. */
  async function refused(result: Finished, code: string, exit: number): Promise<void> {
    const errors = result.objects.filter((object) => object.type === 'error')
    expect(errors, result.stdout + result.stderr).toHaveLength(1)
    expect(errors[0]).toMatchObject({ code })
    expect(String(errors[0]!.hint ?? '')).not.toBe('')
    expect(result.code).toBe(exit)
    expect(result.objects.some((object) => object.type === 'money-locked' || object.type === 'run')).toBe(false)
    const jobs = await pictor(['jobs', '--json'], { cwd: folder.path })
    expect(jobs.objects.filter((object) => object.type === 'job')).toEqual([])
    expect(existsSync(join(folder.path, 'out', 'receipt.json'))).toBe(false)
  }

  it('a file that is not there', async () => refused(await render('absent.blend'), 'scene-missing', 4))

  it('a file that is no scene', async () => {
    writeFileSync(join(folder.path, 'text.blend'), 'this is not a scene\n'.repeat(50))
    await refused(await render('text.blend'), 'scene-invalid', 4)
  })

  it('a truncated scene', async () => {
    const whole = readFileSync(scene)
    writeFileSync(join(folder.path, 'cut.blend'), whole.subarray(0, Math.floor(whole.length * 0.6)))
    await refused(await render('cut.blend'), 'scene-invalid', 4)
  })

  it('a scene of a newer Blender, without opening it', async () => {
    const newer = Buffer.from(readFileSync(scene))
    newer.write('v999', 8, 'latin1')
    writeFileSync(join(folder.path, 'newer.blend'), newer)
    await refused(await render('newer.blend'), 'scene-too-new', 4)
  })

  it('a scene without a camera', async () => {
    makeScene(join(folder.path, 'blind.blend'), "bpy.data.objects.remove(bpy.data.objects['Camera'])")
    await refused(await render('blind.blend'), 'scene-invalid', 4)
  })

  it('a missing texture, about which Blender is silent', async () => {
    const script = [
      "image = bpy.data.images.new('wood', 4, 4)",
      "image.filepath_raw = '//wood.png'",
      "image.source = 'FILE'",
      "material = bpy.data.materials.new('wooden')",
      'material.use_nodes = True',
      "material.node_tree.nodes.new('ShaderNodeTexImage').image = image",
      "bpy.data.objects['Cube'].data.materials.append(material)",
    ].join('\n')
    makeScene(join(folder.path, 'untextured.blend'), script)
    const result = await render('untextured.blend')
    await refused(result, 'asset-missing', 4)
    expect(JSON.stringify(result.objects.find((object) => object.type === 'error'))).toContain('wood.png')
  })

  it('a budget below the cheapest plan', async () =>
    refused(await render(scene, ['--budget', '0.000001']), 'budget-too-small', 5))

  it('a deadline that nobody can meet', async () =>
    refused(await render(scene, ['--frames', '1-100000', '--deadline', '90s', '--budget', '100000']), 'deadline-impossible', 5))

  it('a frame range that cannot be read', async () => refused(await render(scene, ['--frames', '1-5,3']), 'invalid-input', 4))

  it('a chain that does not answer', async () => {
    const address = `0x${'11'.repeat(20)}`
    const wallet = Wallet.createRandom()
    const keystore = join(folder.path, 'creator.json')
    writeFileSync(
      keystore,
      encryptKeystoreJsonSync({ address: wallet.address, privateKey: wallet.privateKey }, 'secret', {
        scrypt: { N: 2, r: 1, p: 1 },
      }),
    )
    const chain = ['--rpc', 'http://127.0.0.1:9', '--escrow', address, '--token', address, '--keystore', keystore]
    const result = await pictor(['render', scene, '--deadline', '1h', '--budget', '5', '--frames', '1-2', '--json', ...chain], {
      cwd: folder.path,
      env: { PICTOR_KEYSTORE_PASSWORD: 'secret' },
    })
    await refused(result, 'ledger-unreachable', 6)
  })
})

describe('pictor farm serve refuses options that it cannot follow, before anything starts', () => {
  const folder = temporaryFolder()
  afterAll(() => folder.remove())

  it.each([
    ['devices', 'tpu'],
    ['recycle-hours', '0.5'],
    ['max-platform-fee', '31'],
  ])('--%s %s', async (name, value) => {
    const result = await pictor(['farm', 'serve', `--${name}=${value}`, '--json'], { cwd: folder.path })
    expect(result.code).toBe(4)
    expect(result.objects.at(-1)).toMatchObject({ type: 'error', code: 'invalid-input', details: { path: name } })
  })
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { encodePng } from '@pictor/image'
import { pictor, temporaryFolder } from './cli.ts'

/** A small picture with noise of its own. */
function noise(seed: number): Uint8Array {
  let state = seed
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24
  return encodePng(
    64,
    48,
    3,
    Uint8Array.from({ length: 64 * 48 * 3 }, () => 60 + (next() >> 2)),
  )
}

describe('pictor check FOLDER', () => {
  const folder = temporaryFolder()
  afterAll(() => folder.remove())
  const check = (...args: string[]) => pictor(['check', ...args], { cwd: folder.path })
  function shot(name: string, frames: Record<string, Uint8Array | string>): string {
    mkdirSync(join(folder.path, name))
    for (const [file, content] of Object.entries(frames)) writeFileSync(join(folder.path, name, file), content)
    return name
  }

  it('joins frames that say the same, names what is missing, and exits by the worst verdict', async () => {
    const frames = Object.fromEntries([1, 2, 3, 6, 7].map((n) => [`s.000${n}.png`, noise(n)]))
    const { stdout, code } = await check(shot('holes', frames))
    expect(stdout).toContain('5 files; folder holes;')
    expect(stdout).toContain('accept  s.0001.png to s.0007.png (5 frames: 1-3,6-7)')
    expect(stdout).toContain('unsure  s.0004.png to s.0005.png (2 frames: 4-5)')
    expect(stdout).toContain('5 accepted, 0 refused, 2 unsure')
    expect(code).toBe(7)
    const ordered = await check('holes', '--frames', '1-4,6')
    expect(ordered.stdout).toContain('refuse  s.0004.png')
    expect(ordered.stdout).toContain('unsure  s.0007.png\n          the frame is not among those that were to be there')
    expect(ordered.code).toBe(1)
    expect((await check('holes', '--frames', '1-4,x')).code).toBe(4)
  })

  it('takes what was ordered: size, black frames, frames that may repeat', async () => {
    const black = encodePng(64, 48, 3, new Uint8Array(64 * 48 * 3))
    const path = shot('order', { 'o_1.png': black, 'o_2.png': noise(2), 'o_3.png': noise(2), 'o_4.png': noise(4) })
    expect((await check(path)).stdout).toContain('2 accepted, 0 refused, 2 unsure')
    expect((await check(path, '--black', '1', '--still')).stdout).toContain('4 accepted, 0 refused, 0 unsure')
    expect((await check(path, '--black', '1', '--still', '--size', '64x48')).code).toBe(0)
    const other = await check(path, '--size', '1920x1080')
    expect(other.stdout).toContain('1920 x 1080 pixels were ordered, the picture is 64 x 48')
    expect(other.code).toBe(1)
    expect((await check(path, '--size', '64')).code).toBe(4)
    expect((await check(path, '--black', 'x')).code).toBe(4)
  })

  it('prints one line a frame with --json, and nothing else', async () => {
    const path = shot('bad', { 'a_1.exr': 'hello', 'a_2.exr': '', 'b_1.png': noise(1) })
    const { stdout, objects, code } = await check(path, '--json')
    expect(stdout.trim().split('\n')).toHaveLength(3)
    for (const line of objects) expect(Object.keys(line).toSorted()).toEqual(['file', 'findings', 'frame', 'ms', 'verdict'])
    expect(objects.map(({ file, verdict }) => [file, verdict])).toEqual([
      ['a_1.exr', 'refuse'],
      ['a_2.exr', 'refuse'],
      ['b_1.png', 'accept'],
    ])
    expect(code).toBe(1)
  })

  it('does not take the thumbnails of an earlier report for frames, and joins a run of copies', async () => {
    const path = shot('again', Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`r_${n}.png`, noise(Math.min(n, 2))])))
    const first = await check(path, '--report', `${path}/report`)
    expect(first.stdout).toContain('unsure  r_3.png to r_5.png (3 frames: 3-5)\n          every pixel equals frame 2,')
    expect((await check(path)).stdout).toContain('2 accepted, 0 refused, 3 unsure')
  })

  it('says what it wants instead of a file that is no manifest', async () => {
    const path = shot('no', { 'x.json': '{"a":1}', 'y.json': '[1]', 'z.txt': 'hello' })
    const said = async (file: string): Promise<string> => (await check(`${path}/${file}`)).stderr
    expect(await said('x.json')).toContain('expected a folder, a picture, or a manifest with specs and files, found "a"')
    expect(await said('y.json')).toContain('no/y.json: expected an object, found a list of 1')
    expect(await said('z.txt')).toContain('no/z.txt: expected a JSON object')
  })

  it('shows no control characters of file names, and points to a manifest that lies in the folder', async () => {
    const { stdout, code } = await check(shot('odd', { 'x\u001B[31m_1.png': noise(1), 'manifest.json': '{}' }))
    expect(stdout).not.toContain('\u001B')
    expect(stdout).toContain('pictor check odd/manifest.json')
    expect(code).toBe(0)
  })

  it('refuses a folder without pictures and a path that leads nowhere', async () => {
    expect(await check(shot('empty', { 'notes.txt': 'x' }))).toMatchObject({ code: 4 })
    expect(await check('nowhere')).toMatchObject({ code: 4 })
  })
})

import { existsSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkPath, writeReport, type CheckLine, type CheckPathOptions } from '../src/index.ts'
import { renderNoise } from './noise-renderer.ts'

const SCENE = { width: 160, height: 96, samples: 8, seed: 1 }
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-path-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function lines(path: string, options?: CheckPathOptions): Promise<CheckLine[]> {
  const found: CheckLine[] = []
  for await (const line of checkPath(path, options)) found.push(line)
  return found
}

test('a folder is checked against what its frames have in common', async () => {
  const shot = join(folder, 'shot')
  await mkdir(shot)
  for (const frame of [1, 2, 3, 4, 6]) await writeFile(join(shot, `shot_000${frame}.png`), renderNoise(frame, SCENE))
  await writeFile(join(shot, 'shot_0003.png'), renderNoise(3, { ...SCENE, width: 80, height: 48 }))
  await writeFile(join(shot, 'shot_0004.png'), renderNoise(4, SCENE).slice(0, 9000))
  await writeFile(join(shot, 'notes.txt'), 'not a frame')
  const found = await lines(shot, { frames: [1, 2, 3, 4, 5, 6] })
  expect(found.map((line) => [line.frame, line.verdict, line.findings[0]?.code])).toEqual([
    [1, 'accept', undefined],
    [2, 'accept', undefined],
    [3, 'refuse', 'wrong-size'],
    [4, 'refuse', 'truncated'],
    [6, 'accept', undefined],
    [5, 'refuse', 'missing-frame'],
  ])
})

test('frames that nobody ordered and files that claim one frame are doubtful, and a missing frame has the name it would have', async () => {
  const shot = join(folder, 'claims')
  await mkdir(shot)
  for (const name of ['s.-0001', 's.0001', 's.1', 's.0003', 's.0009'])
    await writeFile(join(shot, `${name}.png`), renderNoise(Number(name.slice(2)) + 2, SCENE))
  const found = await lines(shot, { frames: [-1, 1, 2, 3] })
  expect(found.map(({ file, verdict, findings }) => [file, verdict, findings[0]?.code])).toEqual([
    ['s.-0001.png', 'accept', undefined],
    ['s.0001.png', 'unsure', 'frame-twice'],
    ['s.1.png', 'unsure', 'frame-twice'],
    ['s.0003.png', 'accept', undefined],
    ['s.0009.png', 'unsure', 'extra-frame'],
    ['s.2.png', 'refuse', 'missing-frame'],
  ])
})

test('a hyphen between name and number is no sign, one after a separator is', async () => {
  const shot = join(folder, 'hyphens')
  await mkdir(shot)
  for (const name of ['shot-0001', 'shot-0003', 'low_-0002', 'low_-0001', '-0004'])
    await writeFile(join(shot, `${name}.png`), renderNoise(2, SCENE))
  const found = await lines(shot)
  const frames = Object.fromEntries(found.map(({ file, frame }) => [file, frame]))
  expect(frames).toMatchObject({
    'shot-0001.png': 1,
    'shot-0003.png': 3,
    'low_-0002.png': -2,
    'low_-0001.png': -1,
    '-0004.png': -4,
  })
})

test('a manifest gives the order, hashes and references', async () => {
  const files: Record<string, Uint8Array> = {
    'good.png': renderNoise(2, SCENE),
    'half.png': renderNoise(2, { ...SCENE, samples: 4, seed: 5 }),
    'other-seed.png': renderNoise(2, { ...SCENE, seed: 6 }),
    'dim.png': renderNoise(2, { ...SCENE, gain: 0.97 }),
    'a.png': renderNoise(2, { ...SCENE, seed: 11 }),
    'b.png': renderNoise(2, { ...SCENE, seed: 12 }),
    'crop.png': renderNoise(2, SCENE, { x: 40, y: 20, width: 64, height: 48 }),
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes)
  const spec = {
    width: 160,
    height: 96,
    format: 'PNG',
    bitDepth: 8,
    channels: 'RGB',
    samples: 8,
    seed: 1,
    legitBlackFrames: [],
    legitStatic: false,
  }
  const role = (file: string): string =>
    file === 'a.png' || file === 'b.png' ? 'checker' : file === 'crop.png' ? 'crop' : 'candidate'
  const entry = (file: string) => ({
    file,
    sceneRef: 's',
    specRef: 's',
    frame: 2,
    role: role(file),
    note: role(file) === 'crop' ? '{"x":40,"y":20,"w":64,"h":48}' : '',
  })
  const manifest = join(folder, 'manifest.json')
  await writeFile(
    manifest,
    JSON.stringify({ specs: { s: spec }, files: [...Object.keys(files).map(entry), { ...entry('good.png'), sha256: '00' }] }),
  )
  const found = await lines(manifest)
  expect(found.map((line) => [line.file, line.verdict])).toEqual([
    ['good.png', 'accept'],
    ['half.png', 'refuse'],
    ['other-seed.png', 'accept'],
    ['dim.png', 'refuse'],
    ['good.png', 'refuse'],
  ])
  expect(found[4]!.findings[0]!.code).toBe('hash-differs')
  const without = await lines(manifest, { references: false })
  expect(without.slice(0, 4).every((line) => line.verdict === 'accept')).toBe(true)
  const report = await writeReport(join(folder, 'report'), manifest, { title: '<Shot & 1>', lines: found, now: 0 })
  const page = await readFile(report.page, 'utf8')
  expect(page).toContain('&lt;Shot &amp; 1&gt;')
  expect(page).toContain('3 refused')
  expect(existsSync(join(folder, 'report/frames/00001-difference.png'))).toBe(true)
})

test('a manifest that names the farms: where one renders darker, the frames beside the seam are doubtful and name both', async () => {
  const spec = { format: 'PNG', bitDepth: 8, channels: 'RGB', width: SCENE.width, height: SCENE.height, samples: 8, seed: 1 }
  const files = []
  for (let frame = 1; frame <= 8; frame++) {
    const [name, farm] = [`seam_${frame}.png`, frame < 5 ? 'north' : 'south']
    await writeFile(join(folder, name), renderNoise(frame, { ...SCENE, gain: frame < 5 ? 1 : 0.95 }))
    files.push({ file: name, sceneRef: 's', specRef: 's', frame, farm })
  }
  const manifest = join(folder, 'seam.json')
  await writeFile(manifest, JSON.stringify({ specs: { s: spec }, files }))
  const found = await lines(manifest)
  expect(found.map(({ verdict }) => verdict)).toEqual([
    'accept',
    'accept',
    'accept',
    'unsure',
    'unsure',
    'accept',
    'accept',
    'accept',
  ])
  for (const { findings } of found.slice(3, 5))
    expect(findings[0]).toMatchObject({
      code: 'seam-brightness',
      message: expect.stringMatching(/frame 4 of farm north and frame 5 of farm south/) as string,
    })
})

test.each([
  ['{"specs":{},"files":3}', 'files'],
  ['{"specs":{},"files":[{"file":"../x.png","frame":1,"specRef":"s"}]}', 'files[0].file'],
  ['{"specs":{},"files":[{"file":"x.png","frame":1.5,"specRef":"s"}]}', 'files[0].frame'],
  ['{"specs":{"s":{"format":"GIF"}},"files":[]}', 'specs.s.format'],
  ['{"specs":{"s":{"format":"PNG","channels":"RGB","bitDepth":8,"samples":"many"}},"files":[]}', 'specs.s.samples'],
  ['{"specs":{},"files":[{"file":"x.png","frame":1,"specRef":"none"}]}', 'files[0].specRef'],
  ['nonsense', 'bad.json'],
])('the manifest %s is refused with the field', async (text, field) => {
  const path = join(folder, 'bad.json')
  await writeFile(path, text)
  await expect(lines(path)).rejects.toThrow(field)
})

test('a folder without pictures and a missing path are refused', async () => {
  await mkdir(join(folder, 'empty'))
  await expect(lines(join(folder, 'empty'))).rejects.toMatchObject({ code: 'invalid-input' })
  await expect(lines(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' })
})

test('sub-folders, odd names, gaps, links to nowhere, pipes and folders named like frames each have a line or none', async () => {
  const root = join(folder, 'mixed')
  await mkdir(join(root, 'sub dir', 'ünïcode'), { recursive: true })
  await mkdir(join(root, '.hidden'))
  await mkdir(join(root, 'a_0009.png'))
  for (const frame of [1, 2, 3, 5, 6])
    await writeFile(join(root, 'sub dir', 'ünïcode', `shöt ${frame}.png`), renderNoise(frame, SCENE))
  await writeFile(join(root, '.hidden', 'x_0001.png'), 'no')
  await writeFile(join(root, '._a_0001.png'), 'a resource fork')
  await writeFile(join(root, 'still.png'), renderNoise(1, SCENE))
  await writeFile(join(root, 'readme.txt'), 'no picture')
  await symlink(join(root, 'nowhere'), join(root, 'b_0001.exr'))
  await symlink('..', join(root, 'sub dir', 'loop'))
  execFileSync('mkfifo', [join(root, 'c_0001.png')])
  const found = await lines(root)
  expect(found.map(({ file, frame, verdict, findings }) => [file, frame, verdict, findings[0]?.code])).toEqual([
    ['b_0001.exr', 1, 'refuse', 'missing-file'],
    ['c_0001.png', 1, 'refuse', 'not-a-file'],
    ['still.png', 0, 'accept', undefined],
    ['sub dir/ünïcode/shöt 1.png', 1, 'accept', undefined],
    ['sub dir/ünïcode/shöt 2.png', 2, 'accept', undefined],
    ['sub dir/ünïcode/shöt 3.png', 3, 'accept', undefined],
    ['sub dir/ünïcode/shöt 5.png', 5, 'accept', undefined],
    ['sub dir/ünïcode/shöt 6.png', 6, 'accept', undefined],
    ['sub dir/ünïcode/shöt 4.png', 4, 'unsure', 'missing-frame'],
  ])
  expect(await lines(join(root, 'still.png'))).toMatchObject([{ file: 'still.png', verdict: 'accept' }])
})

const corpus = new URL('../../../../shared/corpus/frames/manifest.json', import.meta.url).pathname
if (!existsSync(corpus)) console.log('skipped: the labelled corpus is not there')
test.skipIf(!existsSync(corpus))('the labelled corpus: every defect refused, every honest frame accepted', async () => {
  const { files } = JSON.parse(await readFile(corpus, 'utf8')) as { files: { file: string; label: string }[] }
  const labels = new Map(files.map(({ file, label }) => [file, label]))
  const wrong = (await lines(corpus)).filter(
    (line) => line.verdict !== (labels.get(line.file) === 'honest' ? 'accept' : 'refuse'),
  )
  expect(wrong.map((line) => line.file)).toEqual([])
  const blind = await lines(corpus, { references: false })
  expect(blind.filter((line) => line.verdict !== 'accept' && labels.get(line.file) === 'honest')).toEqual([])
  expect(blind.filter((line) => line.verdict !== 'accept').length).toBeGreaterThanOrEqual(80)
})

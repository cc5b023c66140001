import { afterEach, expect, test } from 'vitest'
import { decodeImage, encodePng } from '@pictor/image'
import type { Checker, Region, RenderSpec } from '@pictor/core/contract'
import { privateKeySigner, ZERO_HASH } from '@pictor/core/proof'
import { drawnKey } from '../../../scripts/draws.ts'
import { checkFile, createChecker, toPicture, type Picture } from '../src/index.ts'
import { compareWithProbe, PROBE_LIMIT } from '../src/compare/probe.ts'
import { suspectAreas } from '../src/compare/suspicion.ts'
import { compareFrames } from '../src/node/reference-check.ts'
import type { OwnRenderer } from '../src/render/own-renders.ts'
import { finding, verdictOf } from '../src/verdict/finding.ts'
import { checkLease, makeJob, SPEC } from './job.ts'
import { noiseFarm, renderNoise, type NoiseScene } from './noise-renderer.ts'

const SCENE: NoiseScene = { width: 320, height: 180, samples: 8, seed: 1 }
const spec: RenderSpec = { ...SPEC, output: { ...SPEC.output, width: SCENE.width, height: SCENE.height } }
const MARK = { x: 200, y: 120, width: 40, height: 24 }

const open: Checker[] = []
afterEach(async () => {
  for (const checker of open.splice(0)) await checker.close?.()
})

async function check(scene: NoiseScene, probe: number, own: NoiseScene = SCENE) {
  const signer = privateKeySigner(drawnKey())
  const renderer = noiseFarm(own)
  const checker = createChecker({
    signer,
    secret: drawnKey(),
    renderer,
    crop: { width: 64, height: 48 },
    sampling: { full: 0, probe },
  })
  open.push(checker)
  const job = await makeJob([signer], { spec })
  const { votes, reports } = await checkLease(checker, job, job.lease(1, [1]), new Map([[1, renderNoise(1, scene)]]))
  return {
    verdict: votes[0]!.verdict,
    codes: reports[0]!.findings.map((found) => found.code),
    probeSeed: renderer.rendered.find(({ window }) => window?.resolutionPct)?.window?.seed,
    regions: renderer.rendered.flatMap(({ window }) => (window?.region ? [window.region] : [])),
    windows: renderer.rendered.map(({ window }) =>
      window?.region?.width === SCENE.width ? 'strip' : window?.region ? 'crop' : window?.resolutionPct ? 'probe' : 'whole',
    ),
  }
}

test('an honest frame is accepted by its crop, a small render of the whole, three crops that it directs, and two strips', async () => {
  const { verdict, codes, windows, probeSeed } = await check(SCENE, 1)
  expect(verdict).toBe('accept')
  const directed = ['directed-crop-agrees', 'directed-crop-agrees', 'directed-crop-agrees']
  expect(codes).toEqual(['crop-agrees', 'probe-agrees', ...directed, 'strips-agree'])
  // Crops that coincide are rendered once.
  expect(new Set(windows)).toEqual(new Set(['crop', 'probe', 'strip']))
  expect(windows.slice(-2)).toEqual(['strip', 'strip'])
  // A farm that knew the probe's noise could know where it directs the crops.
  expect(probeSeed).not.toBe(SPEC.seed)
})

test('a tile of 6 % more light, below the limit of the small render, is found by the crop that it directs there', async () => {
  const tile = { x: 200, y: 100, width: 64, height: 64, gain: 1.06 }
  for (let repeat = 0; repeat < 4; repeat++) {
    const { verdict, windows } = await check({ ...SCENE, tile }, 1)
    expect(verdict).toBe('refuse')
    expect(windows).toContain('whole')
  }
})

test('what only the small render shows is settled by a crop there, without a whole render; where it shows more than a crop holds, the whole is rendered', async () => {
  const smallOnly = { x: 200, y: 120, width: 24, height: 16 }
  // Ten draws: in some the crop that settles it is also one that the small render directs, and is rendered once. The small render's own noise hides it in 2 of 100.
  let shown = 0
  for (let repeat = 0; repeat < 10; repeat++) {
    const settled = await check(SCENE, 1, { ...SCENE, smallOnly })
    expect(settled.verdict).toBe('accept')
    expect(settled.windows).not.toContain('whole')
    if (!settled.codes.includes('probe-differs')) continue
    shown++
    expect(settled.regions.some((region) => overlap(smallOnly, region) > 0.5)).toBe(true)
  }
  expect(shown).toBeGreaterThan(5)
  const wide = await check(SCENE, 1, { ...SCENE, smallOnly: { x: 40, y: 40, width: 160, height: 100 } })
  expect(wide.verdict).toBe('accept')
  expect(wide.windows).toEqual(['crop', 'probe', 'whole'])
})

test('a mark that crops mostly miss is found by the small render, and refused by a whole one', async () => {
  for (let repeat = 0; repeat < 4; repeat++) {
    const found = await check({ ...SCENE, mark: MARK }, 1)
    expect(found.verdict).toBe('refuse')
    expect(found.windows).toContain('whole')
  }
})

test('a quarter of the samples is refused by the noise of the crop: one whole render is enough', async () => {
  const found = await check({ ...SCENE, samples: 2, seed: 77 }, 1)
  expect(found.verdict).toBe('refuse')
  expect(found.codes[0]).toBe('noise-ratio')
  expect(found.windows).toEqual(['crop', 'whole', 'crop', 'crop'])
})

test('all samples at another seed are not refused by a crop alone: the whole frame is compared with two renders', async () => {
  const found = await check({ ...SCENE, seed: 77 }, 1)
  expect(found.verdict).toBe('accept')
  expect(found.windows).toEqual(['crop', 'whole', 'crop', 'crop', 'whole', 'whole'])
})

test('without probes the same mark passes where the crop misses it', async () => {
  const verdicts = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => (await check({ ...SCENE, mark: MARK }, 0)).verdict))
  expect(verdicts).toContain('accept')
})

test('the most suspicious area of a frame is the faint tile or the missing detail in it', () => {
  const picture = (scene: NoiseScene): Picture => toPicture(decodeImage(renderNoise(1, scene)))!
  for (let seed = 1; seed <= 5; seed++) {
    const tile = { x: 40 * seed, y: 20 * seed, width: 64, height: 48, gain: seed % 2 ? 1.07 : 0.93 }
    const probe = picture({ ...SCENE, width: 80, height: 45, seed: seed + 50 })
    const x = picture({ ...SCENE, seed, tile })
    expect(overlap(suspectAreas(x, probe).shifted, tile)).toBeGreaterThan(0.3)
    const smooth = { ...x, colour: x.colour.map((plane) => plane.map((v, i) => (within(tile, i) ? 0.4 : v))) }
    expect(overlap(suspectAreas(smooth, probe).smooth, tile)).toBeGreaterThan(0.3)
  }
})

test('in a picture without noise the most visible difference is looked at, not the steadiest trifle', () => {
  // Stripes, which a small render blurs, and a wide slope on which it is steadily half a step darker.
  const stripes = (width: number, height: number, value: (x: number, y: number) => number): Picture => {
    const plane = Float32Array.from({ length: width * height }, (_, i) =>
      value((i % width) / width, Math.floor(i / width) / height),
    )
    return { width, height, colour: [plane, plane, plane], raw: [plane, plane, plane], hdr: false }
  }
  const scene = (x: number, y: number): number => (x < 0.4 ? (Math.floor(40 * y) % 2 ? 0.3 : 0.6) : 0.5 + 0.1 * y)
  const probe = stripes(80, 45, (x, y) => scene(x, y) - (x > 0.4 ? 0.002 : 0))
  const mark = { x: 240, y: 40, width: 32, height: 16 }
  const x = stripes(320, 180, scene)
  const marked = { ...x, raw: x.raw.map((plane) => plane.map((v, i) => (within(mark, i) ? v + 0.02 : v))) }
  expect(compareWithProbe({ ...marked, colour: marked.raw }, probe).off).toBeGreaterThan(0)
  const { shifted, visible } = suspectAreas({ ...marked, colour: marked.raw }, probe)
  expect(overlap(visible, mark)).toBe(1)
  expect(overlap(shifted, mark)).toBeLessThan(0.1)
})

const within = (area: Region, i: number): boolean => {
  const [x, y] = [i % SCENE.width, Math.floor(i / SCENE.width)]
  return x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height
}

/** Share of `a` that lies in `b`. */
function overlap(a: Region, b: Region): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  return (Math.max(0, width) * Math.max(0, height)) / (a.width * a.height)
}

test('another seed explains other noise, not the noise of another frame', async () => {
  const renderer: OwnRenderer = {
    render: async (requests) =>
      requests.map(({ frame, window }) => ({
        bytes: renderNoise(frame, { ...SCENE, seed: window?.seed ?? SCENE.seed }),
        hash: ZERO_HASH,
        renderMs: 1,
      })),
  }
  const judged = async (code: string, sameDevice: boolean): Promise<string> => {
    const picture = toPicture(decodeImage(renderNoise(1, { ...SCENE, seed: 77 })))!
    const findings = [finding('suspect', code, 'suspected')]
    const request = { frame: 1, picture, findings, renderSeed: 500, sameDevice }
    const [result] = await compareFrames(renderer, spec, [request], { key: code })
    return verdictOf(result!.findings)
  }
  expect(await judged('content-jump', true)).toBe('accept')
  expect(await judged('duplicate-frame', true)).toBe('refuse')
  expect(await judged('duplicate-frame', false)).toBe('unsure')
  // The own render went through no JPEG.
  expect(await judged('jpeg-grid', true)).toBe('refuse')
})

test('levels that the own render lacks too are what the scene looks like', async () => {
  const rounded = (seed: number): Uint8Array => {
    const { parts } = decodeImage(renderNoise(1, { ...SCENE, seed }))
    const [{ width, height, planes }] = parts as [(typeof parts)[0]]
    const pixels = new Uint8Array(width * height * 3)
    for (const [c, { data }] of planes.entries())
      for (let i = 0; i < data.length; i++) pixels[3 * i + c] = Math.round((Math.round(data[i]! * 31) / 31) * 255)
    return encodePng(width, height, 3, pixels)
  }
  const judged = async (own: (seed: number) => Uint8Array): Promise<string[]> => {
    const renderer: OwnRenderer = {
      render: async (requests) =>
        requests.map(({ window }) => ({ bytes: own(window?.seed ?? SCENE.seed), hash: ZERO_HASH, renderMs: 1 })),
    }
    const bytes = rounded(77)
    const { findings } = await checkFile(bytes, spec, 1)
    expect(findings.map(({ code }) => code)).toContain('few-levels')
    const request = { frame: 1, picture: toPicture(decodeImage(bytes))!, findings, renderSeed: 500, sameDevice: true }
    const [result] = await compareFrames(renderer, spec, [request], { key: 'levels' })
    return result!.findings.flatMap(({ code, weight }) => (weight === 'doubt' ? [code] : []))
  }
  expect(await judged(rounded)).toEqual([])
  expect(await judged((seed) => renderNoise(1, { ...SCENE, seed }))).toContain('few-levels')
})

test('honest probes lie within the limit, a faint veil of a few hundred pixels beyond it', () => {
  const picture = (scene: NoiseScene): Picture => toPicture(decodeImage(renderNoise(1, scene)))!
  const probe = picture({ ...SCENE, width: 80, height: 45, seed: 9 })
  for (let seed = 1; seed <= 6; seed++) expect(compareWithProbe(picture({ ...SCENE, seed }), probe).off).toBeLessThan(PROBE_LIMIT)
  const honest = picture(SCENE)
  const veiled = honest.raw.map((plane) => plane.map((v, i) => (within(MARK, i) ? 0.7 * v + 0.3 : v)))
  const { off, area } = compareWithProbe({ ...honest, raw: veiled }, probe)
  expect(off).toBeGreaterThan(PROBE_LIMIT)
  expect(area.x >= MARK.x - 16 && area.x < MARK.x + MARK.width && area.y >= MARK.y - 16 && area.y < MARK.y + MARK.height).toBe(
    true,
  )
})

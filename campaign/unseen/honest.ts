// What the checks say of honest frames: many seeds, many crops.
import {
  compareRanks,
  compareWithReferences,
  cut,
  judgeRanks,
  judgeReferences,
  type Picture,
} from '../../packages/checker/src/index.ts'
import { pictureOf } from '../../packages/checker/src/node/file-check.ts'
import type { ReferenceResult } from '../../packages/checker/src/node/reference-check.ts'
import { layersNamedBy, noisyPicture } from '../../packages/checker/src/node/layers.ts'
import { fileFindings, judge, placeOf, verdictFor, type Candidate } from './judge.ts'
import type { UnseenScene } from './renders.ts'

/** One honest frame. */
export interface HonestRow {
  readonly scene: number
  readonly kind: string
  readonly composited: boolean
  readonly motionBlur: boolean
  readonly adaptive: boolean
  readonly frame: number
  readonly seed: number
  /** Verdict of file and sequence alone. */
  readonly file: string
  /** Crops at the job's seed, those that raised an alarm (so that the whole frame was rendered), and their verdicts. */
  readonly crops: number
  readonly alarms: number
  /** Strips and directed crops among them all, each place once. */
  readonly places: number
  /** Probes that something was off in, and those of them that asked for the whole frame. */
  readonly probeAlarms: number
  readonly probeWholes: number
  readonly refused: number
  readonly unsure: number
  /** Statistics and ranks against renders of other seeds: crops, and alarms among them; the whole frame. */
  readonly statisticCrops: number
  readonly statisticAlarms: number
  readonly wholeAlarm: boolean
  /** RMS as a share of its limit, the largest of the crops at the job's seed, and of the whole frame rendered again (0 where it was not). */
  readonly nearest: number
  readonly nearestWhole: number
  readonly codes: readonly string[]
}

/** Seeds beside the scene's own; far apart, since an animated seed adds the frame. */
const SEEDS = [0, 11_000, 23_000, 37_000, 53_000]
const CROPS = 10

/** Judges every frame at every seed. */
export async function honest(scene: UnseenScene): Promise<readonly HonestRow[]> {
  const { facts, number } = scene
  const frames = Array.from({ length: facts.frames }, (_, i) => i + 1)
  const way = facts.composited ? 'sidecar' : 'crop'
  const pictures = new Map<string, Picture>()
  const rows: Omit<HonestRow, 'statisticCrops' | 'statisticAlarms' | 'wholeAlarm'>[] = []
  for (const seed of SEEDS) {
    const spec = { ...scene.spec, seed: scene.spec.seed + seed }
    const delivered = await scene.deliver('scene', spec, frames)
    for (const frame of frames) {
      const bytes = delivered.get(frame)!
      pictures.set(`${frame} ${seed}`, await noisyOf(scene, bytes))
      const findings = await fileFindings(delivered, spec, frame)
      // Suspicions of the file would ask for the whole frame; here the crops are in question.
      const candidates = Array.from({ length: CROPS }, (): Candidate => ({ frame, bytes, findings: [] }))
      const results = await judge(scene, spec, way, candidates, (index) => placeOf(spec, 1009 * frame + 17 * seed + 13 * index))
      const alarms = results.filter(({ findings: all }) => all.some(({ code }) => ALARMS.has(code))).length
      // The whole frame as well, of one of the seeds.
      const wholly = seed === SEEDS[0] ? 'replica' : way
      const [whole] = await judge(scene, spec, wholly, [{ frame, bytes, findings }], () => placeOf(spec, frame))
      rows.push({
        scene: number,
        kind: facts.kind,
        composited: facts.composited,
        motionBlur: facts.motionBlur,
        adaptive: facts.adaptive,
        frame,
        seed,
        file: verdictFor({ ...whole!, findings }),
        crops: CROPS,
        alarms,
        places: new Set(results.flatMap((one) => (one.places ?? []).slice(1).map((place) => JSON.stringify(place)))).size,
        probeAlarms: results.filter(({ findings: all }) => all.some(({ code }) => code === 'probe-differs')).length,
        probeWholes: results.filter((one) => one.whole === true && one.findings.some(({ code }) => code === 'probe-differs'))
          .length,
        refused: [...results, whole!].filter((one) => verdictFor(one) === 'refuse').length,
        unsure: [...results, whole!].filter((one) => verdictFor(one) === 'unsure').length,
        nearest: Math.max(...results.map((one) => shareOf(one, 'crop-agrees'))),
        nearestWhole: shareOf(whole!, 'frame-agrees'),
        codes: [...new Set([...results, whole!].flatMap((one) => one.findings.map(({ code }) => code)))],
      })
    }
  }
  return rows.map((row) => ({ ...row, ...statistics(row.frame, row.seed, pictures, scene) }))
}

function shareOf({ findings }: ReferenceResult, code: string): number {
  const found = findings.find((one) => one.code === code)
  return found?.value !== undefined && found.threshold ? found.value / found.threshold : 0
}

/** Findings of a crop that disagrees with its frame. */
const ALARMS: ReadonlySet<string> = new Set([
  'render-differs',
  'pixels-differ',
  'area-differs',
  'brightness-differs',
  'composite-differs',
])

async function noisyOf(scene: UnseenScene, bytes: Uint8Array): Promise<Picture> {
  const layers = scene.facts.composited ? layersNamedBy(bytes) : undefined
  const picture = layers ? noisyPicture(await scene.files.read(layers), scene.spec.viewLayers[0]!) : await pictureOf(bytes)
  if (!picture) throw new Error('an honest frame cannot be read')
  return picture
}

function statistics(
  frame: number,
  seed: number,
  pictures: ReadonlyMap<string, Picture>,
  { spec }: UnseenScene,
): Pick<HonestRow, 'statisticCrops' | 'statisticAlarms' | 'wholeAlarm'> {
  const at = SEEDS.indexOf(seed)
  const around = [0, 1, 2].map((by) => pictures.get(`${frame} ${SEEDS[(at + by) % SEEDS.length]!}`)!)
  const alarm = (within: (picture: Picture) => Picture): boolean => {
    const [x, a, b] = around.map(within) as [Picture, Picture, Picture]
    const channels = x.colour.length
    const found = compareWithReferences(x, a, b)
    return judgeReferences(found, channels).length + judgeRanks(compareRanks(x, [a, b]), found, channels).length > 0
  }
  let statisticAlarms = 0
  for (let crop = 0; crop < CROPS; crop++) {
    const area = placeOf(spec, 7919 * frame + 29 * seed + 19 * crop)
    if (alarm((picture) => cut(picture, area))) statisticAlarms++
  }
  return { statisticCrops: CROPS, statisticAlarms, wholeAlarm: alarm((picture) => picture) }
}

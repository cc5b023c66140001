// pnpm bench estimate [--seeds 1,2,3] [--truth N] [--repeat N] [--memo FILE] [--only NAME]: what estimates are worth. Every scene is probed by the planner's own code, then N of its
// frames are rendered as ordered and compared with what was predicted before. Times are Blender's processor time with one thread, so that other work on the machine
// does not count. Probes never see the compared renders, which are made between them so that a machine that gets busier does not look like an error. With --repeat each time is the lowest of N renders, for
// machines that are busy all the while. --memo keeps measured times, to try another model on the same measurements.
// Few compared frames (--truth below about 20) miss a burst of some frames or take it for a large part of the job.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RenderSpec, Window } from '@pictor/core/contract'
import { estimateFrom, nextProbes, planProbes } from '../packages/core/src/estimate/index.ts'
import type { ProbePlan, ProbeSample } from '../packages/core/src/estimate/index.ts'
import type { Bench } from '../scripts/bench.ts'
import { openMeter } from './estimate/meter.ts'
import type { Meter } from './estimate/meter.ts'

interface Subject {
  readonly name: string
  readonly file: string
  readonly change: (spec: RenderSpec) => RenderSpec
  readonly scene?: string
}

interface Outcome {
  readonly name: string
  /** Predicted over true total, less 1. */
  readonly total: number
  /** Predicted over true, less 1, of each compared frame. */
  readonly frames: readonly number[]
  readonly covered: number
  /** The band of the estimate, in words. */
  readonly band: string
  /** Cost of the probes over that of 100 frames. */
  readonly probeShare: number
}

const sized =
  (width: number, height: number, samples: number) =>
  (spec: RenderSpec): RenderSpec => ({
    ...spec,
    engine: 'CYCLES',
    adaptive: false,
    samples,
    output: { ...spec.output, width, height },
  })

const asFiled = (spec: RenderSpec): RenderSpec => spec

function subjects(folder: string, seeds: readonly string[]): Subject[] {
  const script = new URL('estimate/scenes.py', import.meta.url).pathname
  execFileSync('blender', ['-b', '--factory-startup', '-Y', '--python-exit-code', '9', '-P', script, '--', folder, ...seeds], {
    stdio: 'pipe',
  })
  const made = seeds.map((seed): Subject => ({ name: `made ${seed}`, file: join(folder, `made-${seed}.blend`), change: asFiled }))
  const own: Subject = {
    name: 'orrery',
    file: new URL('../examples/scenes/orrery.blend', import.meta.url).pathname,
    change: sized(240, 135, 8),
  }
  const shared = new URL('../../shared/scenes/', import.meta.url).pathname
  if (!existsSync(shared)) {
    console.log('the real scenes of ../shared/scenes are not here; only our own are measured')
    return [own, ...made]
  }
  // Sizes that a processor renders in about a second; the estimate does not know them.
  return [
    { name: 'dino', file: `${shared}dino/dino.blend`, change: sized(192, 108, 16) },
    {
      name: 'robot',
      file: `${shared}robot/robot.blend`,
      change: (spec) => ({ ...spec, samples: 8, output: { ...spec.output, width: 240, height: 135 } }),
    },
    { name: 'robot, second scene', file: `${shared}robot/robot.blend`, scene: 'Shot_Close_EXR', change: sized(160, 90, 8) },
    { name: 'suzi', file: `${shared}suzi/suzi.blend`, change: sized(160, 90, 12) },
    own,
    ...made,
  ]
}

export const bench: Bench = async (report, args) => {
  const option = (name: string, fallback: string): string => (args.includes(name) ? args[args.indexOf(name) + 1]! : fallback)
  const folder = mkdtempSync(join(tmpdir(), 'pictor-bench-estimate-'))
  const memo = memoOf(option('--memo', ''))
  try {
    const outcomes: Outcome[] = []
    for (const subject of subjects(folder, option('--seeds', '1,2,3,5,7').split(','))) {
      if (!subject.name.includes(option('--only', ''))) continue
      const outcome = await outcomeOf(subject, memo, Number(option('--truth', '20')), Number(option('--repeat', '1')))
      outcomes.push(outcome)
      report({
        name: subject.name,
        value: 100 * outcome.total,
        unit: '% of total',
        note: `frames: mean ${percent(mean(outcome.frames.map(Math.abs)))}, worst ${percent(Math.max(...outcome.frames.map(Math.abs)))}, in band ${outcome.band} ${percent(outcome.covered)}; probes ${percent(outcome.probeShare)} of 100 frames`,
      })
    }
    const totals = outcomes.map((one) => Math.abs(one.total))
    const frames = outcomes.flatMap((one) => one.frames.map(Math.abs))
    report({ name: 'error of a job, mean', value: 100 * mean(totals), unit: '%', note: 'goal <= 8' })
    report({ name: 'error of a job, worst', value: 100 * Math.max(...totals), unit: '%', note: 'goal <= 20' })
    report({ name: 'error of a frame, mean', value: 100 * mean(frames), unit: '%', note: `${frames.length} frames` })
    report({ name: 'error of a frame, worst', value: 100 * Math.max(...frames), unit: '%' })
    report({
      name: 'frames within the band',
      value: 100 * mean(outcomes.map((one) => one.covered)),
      unit: '%',
      note: 'goal >= 90',
    })
    report({
      name: 'probes, dearest scene',
      value: 100 * Math.max(...outcomes.map((one) => one.probeShare)),
      unit: '%',
      note: 'of 100 frames; goal <= 5',
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function outcomeOf(subject: Subject, memo: Memo, truths: number, repeat: number): Promise<Outcome> {
  let opened: Meter | undefined
  const meter = async (): Promise<Meter> =>
    (opened ??= await openMeter(subject.file, subject.scene ? { scene: subject.scene } : {}, subject.change))
  const shape = await memo.once(`${subject.name} spec`, async () => {
    const { spec, frames, looks } = await meter()
    return { spec, frames, looks }
  })
  const time = (frame: number, window: Window | undefined, why: string): Promise<number> =>
    memo.once(`${subject.name} ${why} ${frame} ${JSON.stringify(window ?? {})}`, async () => {
      const cold = opened === undefined && why !== 'warm'
      const now = await meter()
      const elsewhere = (): Promise<number> =>
        now.cpuMs(now.frames.find((one) => one !== frame) ?? frame, { samples: 1, resolutionPct: 10 })
      if (cold) await elsewhere() // the warm-up was remembered from another run
      const times = [await now.cpuMs(frame, window)]
      const renders = why === 'warm' ? 1 : repeat
      while (times.length < renders) {
        await elsewhere() // a warm renderer is quicker at the frame that it just had
        times.push(await now.cpuMs(frame, window))
      }
      return Math.min(...times)
    })
  try {
    const { spec, frames, looks } = shape
    // Scenes with fewer frames stand for a job of 100 like them.
    const plan: ProbePlan = {
      ...planProbes(spec, frames, undefined, looks),
      budgetFrames: planProbes(
        spec,
        Array.from({ length: 100 }, (_, i) => i),
      ).budgetFrames,
    }
    const samples: ProbeSample[] = []
    const compared = choose(frames, truths)
    const measuredMs = new Map<number, number>()
    const compareNext = async (): Promise<boolean> => {
      const frame = compared.find((one) => !measuredMs.has(one))
      if (frame !== undefined) measuredMs.set(frame, await time(frame, undefined, 'truth'))
      return frame !== undefined
    }
    for (;;) {
      const orders = nextProbes(plan, samples, 'reference')
      if (orders.length === 0) break
      for (const { frame, window } of orders) {
        const view = window === 'full' ? undefined : plan[window === 'high' ? 'high' : 'low']
        samples.push({ frame, window, renderMs: await time(frame, view, window) })
        // Compared frames are rendered in between, unseen by the probes: a busy machine slows both alike.
        if (window !== 'warm') await compareNext()
      }
    }
    while (await compareNext());
    // The warm-up loads the scene, which the job pays once in any case, since the renderer stays warm: it counts as another low one.
    const spentMs = samples.reduce((sum, one) => sum + (one.window === 'warm' ? samples[1]!.renderMs : one.renderMs), 0)
    const probe = { farm: 'meter', samples, startMs: 0, spentMs, measuredAtMs: 0 }
    const { estimate } = estimateFrom(plan, [probe], frames, 0)
    const errors: number[] = []
    let [predicted, measured, covered] = [0, 0, 0]
    for (const frame of compared) {
      const work = 1000 * estimate.work[frames.indexOf(frame)]!
      const true_ = measuredMs.get(frame)!
      errors.push(work / true_ - 1)
      predicted += work
      measured += true_
      if (true_ >= work * estimate.low && true_ <= work * estimate.high) covered++
    }
    const probeShare = spentMs / (100 * (measured / compared.length))
    return {
      name: subject.name,
      total: predicted / measured - 1,
      frames: errors,
      covered: covered / compared.length,
      band: `${estimate.low.toFixed(2)}-${estimate.high.toFixed(2)}`,
      probeShare,
    }
  } finally {
    await opened?.close()
    memo.save()
  }
}

/** Frames spread over the range at places that do not depend on where probes are. */
function choose(frames: readonly number[], count: number): number[] {
  const golden = 0.6180339887
  return [
    ...new Set(
      Array.from(
        { length: count },
        (_, i) => frames[Math.min(frames.length - 1, Math.floor(((i + ((i * golden + 0.3) % 1)) * frames.length) / count))]!,
      ),
    ),
  ]
}

interface Memo {
  once<T>(key: string, make: () => Promise<T>): Promise<T>
  save(): void
}

function memoOf(file: string): Memo {
  const kept: Record<string, unknown> =
    file !== '' && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {}
  return {
    async once<T>(key: string, make: () => Promise<T>) {
      return (kept[key] ??= await make()) as T
    },
    save() {
      if (file !== '') writeFileSync(file, JSON.stringify(kept))
    },
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

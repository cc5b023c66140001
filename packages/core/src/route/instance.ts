import { invalid } from '../contract/error.ts'
import { MAX_FRAMES, validateProblem, type RouteGoal, type RouteOffer, type RouteProblem } from './problem.ts'

/** A routing problem as JSON, format `pictor-route-instance/1`; docs/routing.md describes each field. */
export interface RouteInstance {
  readonly format: 'pictor-route-instance/1'
  readonly id?: string
  readonly seed?: number
  readonly classes: readonly { readonly id: string; readonly memGiB?: number }[]
  readonly frames:
    | { readonly count: number; readonly encoding: 'json'; readonly work: readonly number[]; readonly class: readonly number[] }
    | { readonly count: number; readonly encoding: 'gen'; readonly gen: FrameGenerator }
  readonly offers: readonly (Omit<RouteOffer, 'hoursPerWork'> & {
    readonly region?: string
    /** Node-hours a unit of work by class id; a missing class is incompatible. */
    readonly hoursPerWork: Readonly<Record<string, number>>
  })[]
  readonly goal: RouteGoal
  readonly checking?: RouteProblem['checking']
}

/** Parameters of the frame generator: a log-normal AR(1) series cut into shots, with Pareto spikes. */
export interface FrameGenerator {
  readonly seed: number
  readonly meanWork: number
  readonly sigma: number
  readonly corr: number
  readonly spikeProb: number
}

/** The mulberry32 generator: 32 bits of state, numbers in [0, 1). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Expands `encoding: "gen"` frames. Every draw and its order is part of the format, so that both ends see the same frames:
 * a shot has 20 to 219 frames of one class; work is log-normal around `meanWork`, correlated along the shot; a spike is at most x8.
 */
export function expandGenFrames(
  count: number,
  gen: FrameGenerator,
  classes: number,
): { work: Float64Array; classOf: Uint8Array } {
  const random = mulberry32(gen.seed)
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const work = new Float64Array(count)
  const classOf = new Uint8Array(count)
  const innovation = Math.sqrt(1 - gen.corr * gen.corr)
  let level = gauss()
  let shotClass = 0
  let left = 0
  for (let f = 0; f < count; f++) {
    if (left-- <= 0) {
      left = 20 + Math.floor(random() * 200)
      shotClass = Math.floor(random() * classes)
      level = gauss()
    }
    level = gen.corr * level + innovation * gauss()
    let w = gen.meanWork * Math.exp(gen.sigma * level - (gen.sigma * gen.sigma) / 2)
    if (random() < gen.spikeProb) w *= Math.min(8, Math.pow(1 - random(), -1 / 2.2))
    work[f] = Math.round(w * 1e6) / 1e6
    classOf[f] = shotClass
  }
  return { work, classOf }
}

function framesOf(instance: RouteInstance): { work: Float64Array; classOf: Uint8Array | Uint16Array } {
  const { frames, classes } = instance
  if (typeof frames !== 'object' || frames === null) throw invalid('frames', 'an object', frames)
  if (!Number.isInteger(frames.count) || frames.count < 1 || frames.count > MAX_FRAMES) {
    throw invalid('frames.count', `an integer from 1 to ${MAX_FRAMES}`, frames.count)
  }
  if (frames.encoding === 'gen') {
    for (const key of ['seed', 'meanWork', 'sigma', 'corr', 'spikeProb'] as const) {
      if (!Number.isFinite(frames.gen?.[key])) throw invalid(`frames.gen.${key}`, 'a finite number', frames.gen?.[key])
    }
    if (Math.abs(frames.gen.corr) > 1) throw invalid('frames.gen.corr', 'a number from -1 to 1', frames.gen.corr)
    if (classes.length > 256) throw invalid('classes', 'at most 256 with encoding "gen"', classes.length)
    return expandGenFrames(frames.count, frames.gen, classes.length)
  }
  if (frames.encoding !== 'json') throw invalid('frames.encoding', '"json" or "gen"', (frames as { encoding: unknown }).encoding)
  for (const key of ['work', 'class'] as const) {
    const list: unknown = frames[key]
    if (!Array.isArray(list) || list.length !== frames.count) {
      throw invalid(`frames.${key}`, `a list of ${frames.count} numbers`, list)
    }
  }
  frames.work.forEach((w, f) => {
    if (!(typeof w === 'number' && w >= 0 && w < Infinity)) throw invalid(`frames.work[${f}]`, 'a finite number >= 0', w)
  })
  frames.class.forEach((c, f) => {
    if (!Number.isInteger(c) || c < 0 || c >= classes.length) {
      throw invalid(`frames.class[${f}]`, `a class index below ${classes.length}`, c)
    }
  })
  return {
    work: Float64Array.from(frames.work),
    classOf: classes.length > 256 ? Uint16Array.from(frames.class) : Uint8Array.from(frames.class),
  }
}

/**
 * Reads a `pictor-route-instance/1`, both encodings of the frames.
 *
 * @throws PictorError `invalid-input` whose `details.path` names the bad field.
 */
export function problemFromInstance(instance: unknown): RouteProblem {
  const input = instance as RouteInstance
  if (typeof input !== 'object' || input === null) throw invalid('instance', 'an object', instance)
  if (input.format !== 'pictor-route-instance/1') throw invalid('format', '"pictor-route-instance/1"', input.format)
  if (!Array.isArray(input.classes) || input.classes.length === 0) throw invalid('classes', 'at least one class', input.classes)
  input.classes.forEach((one: { id?: unknown }, c) => {
    if (typeof one?.id !== 'string') throw invalid(`classes[${c}].id`, 'a text', one?.id)
  })
  const classes = (input.classes as { id: string }[]).map((one) => one.id)
  if (!Array.isArray(input.offers) || input.offers.length === 0) throw invalid('offers', 'at least one offer', input.offers)
  const offers = (input.offers as RouteInstance['offers']).map((offer, o): RouteOffer => {
    if (typeof offer !== 'object' || offer === null) throw invalid(`offers[${o}]`, 'an offer', offer)
    if (typeof offer.hoursPerWork !== 'object' || offer.hoursPerWork === null) {
      throw invalid(`offers[${o}].hoursPerWork`, 'hours a work unit by class id', offer.hoursPerWork)
    }
    return {
      ...offer,
      hoursPerWork: classes.map((id) => (Object.hasOwn(offer.hoursPerWork, id) ? (offer.hoursPerWork[id] ?? null) : null)),
    }
  })
  if (typeof input.goal !== 'object' || input.goal === null) throw invalid('goal', 'a goal', input.goal)
  const problem: RouteProblem = {
    ...(input.id === undefined ? {} : { id: String(input.id) }),
    classes,
    ...framesOf(input),
    offers,
    goal: input.goal,
    ...(input.checking === undefined ? {} : { checking: input.checking }),
  }
  validateProblem(problem)
  return problem
}

/** Writes a problem as a `pictor-route-instance/1` with `encoding: "json"`. */
export function instanceFromProblem(problem: RouteProblem): RouteInstance {
  return {
    format: 'pictor-route-instance/1',
    id: problem.id ?? 'route',
    classes: problem.classes.map((id) => ({ id })),
    frames: {
      count: problem.work.length,
      encoding: 'json',
      work: Array.from(problem.work),
      class: Array.from(problem.classOf),
    },
    offers: problem.offers.map((offer) => ({
      ...offer,
      hoursPerWork: Object.fromEntries(
        offer.hoursPerWork.flatMap((hours, c) => (hours === null ? [] : [[problem.classes[c] as string, hours]])),
      ),
    })),
    goal: { ...problem.goal, maxFarms: problem.goal.maxFarms ?? null },
    ...(problem.checking === undefined ? {} : { checking: problem.checking }),
  }
}

/**
 * How execution strays from a plan. The severe level is the noise model measured in the routing notes (docs/routing.md): bias of a
 * scene's estimate, noise of a frame, length of a queue, farms that turn out slow, farms that die.
 */
export interface RouteRisk {
  /** Standard deviation of the logarithm of a route's speed (one draw a route: how far the estimate of the scene is off there). */
  readonly biasSigma: number
  /** Standard deviation of the logarithm of one frame's hours. */
  readonly frameSigma: number
  /** Standard deviation of the logarithm of the queue and upload time. */
  readonly queueSigma: number
  /** Share of farms that are slow throughout, and how slow at most (uniform from `slowLeast`). */
  readonly slowShare: number
  readonly slowLeast: number
  readonly slowMost: number
  /** Share of hosts that straggle, and how slow they are (uniform). */
  readonly stragglerShare: number
  readonly stragglerLeast: number
  readonly stragglerMost: number
  /** Share of farms that stop for good at some moment before the deadline. */
  readonly deathShare: number
}

/** Everything at full strength: estimates from a price list, unknown farms. */
export const SEVERE_RISK: RouteRisk = {
  biasSigma: 0.12,
  frameSigma: 0.25,
  queueSigma: 0.5,
  slowShare: 0.15,
  slowLeast: 1.5,
  slowMost: 3,
  stragglerShare: 0.03,
  stragglerLeast: 2,
  stragglerMost: 6,
  deathShare: 0.08,
}

/** Half of each: estimates from probe renders, farms with a record. */
export const MILD_RISK: RouteRisk = {
  biasSigma: 0.06,
  frameSigma: 0.125,
  queueSigma: 0.25,
  slowShare: 0.075,
  slowLeast: 1.25,
  slowMost: 2,
  stragglerShare: 0.015,
  stragglerLeast: 1.5,
  stragglerMost: 3.5,
  deathShare: 0.04,
}

/** What the probability of one route depends on. */
export interface RouteTiming {
  readonly readyH: number
  /** Start and delivery hours. */
  readonly fixedH: number
  /** Hours from the first frame's start to the last frame's end, as planned. */
  readonly makespanH: number
  readonly nodes: number
  readonly frames: number
}

/** Midpoints of equal slices of the standard normal distribution. */
const NORMAL_SLICES = [-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.645]

/** Distribution function of the standard normal (Abramowitz and Stegun 26.2.17, error below 7.5e-8). */
function normalBelow(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x))
  const tail =
    ((0.31938153 + (-0.356563782 + (1.781477937 + (-1.821255978 + 1.330274429 * t) * t) * t) * t) * t * Math.exp((-x * x) / 2)) /
    Math.sqrt(2 * Math.PI)
  return x > 0 ? 1 - tail : tail
}

/**
 * Probability that every route of a plan ends by the deadline if nobody intervenes. Re-planning raises it; see docs/routing.md for
 * what was measured with it.
 */
export function hitProbability(routes: readonly RouteTiming[], deadlineH: number, risk: RouteRisk): number {
  let all = 1
  for (const route of routes) all *= routeHit(route, deadlineH, risk)
  return all
}

function routeHit(route: RouteTiming, deadlineH: number, risk: RouteRisk): number {
  // The last of k nodes ends later than the mean node: sum of n/k noisy frames, largest of k (extreme value of normals).
  const perNode = Math.max(1, route.frames / route.nodes)
  const late = (risk.frameSigma / Math.sqrt(perNode)) * Math.sqrt(2 * Math.log(Math.max(1, route.nodes)))
  const sigma = Math.max(1e-9, Math.hypot(risk.biasSigma, risk.frameSigma / Math.sqrt(route.frames)))
  let sum = 0
  for (const z of NORMAL_SLICES) {
    const left = deadlineH - route.fixedH - route.readyH * Math.exp(risk.queueSigma * z)
    const ratio = left / Math.max(1e-12, route.makespanH * (1 + late))
    // A plan that fills its deadline to the last second is still met when noise is zero.
    const below = (slow: number) => (ratio <= 0 ? 0 : normalBelow((Math.log(ratio / slow) + 1e-9) / sigma))
    let slow = 0
    for (const part of [1 / 6, 1 / 2, 5 / 6]) slow += below(risk.slowLeast + part * (risk.slowMost - risk.slowLeast)) / 3
    sum += (1 - risk.slowShare) * below(1) + risk.slowShare * slow
  }
  return (1 - risk.deathShare) * (sum / NORMAL_SLICES.length)
}

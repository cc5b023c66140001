import { PictorError } from '../contract/error.ts'
import { parseFrames } from '../contract/frames.ts'
import { splitRoute } from '../job/split.ts'
import type { PlannedLease } from '../run/index.ts'
import type { Plan, PlanRoute } from './plan.ts'

/** What one route renders of one part of its frames: all of it where frames are whole. */
interface Piece {
  readonly part: number
  readonly frames: readonly number[]
  readonly work: readonly number[]
  readonly classOf: readonly number[]
  readonly price: bigint
}

/**
 * Lease set 0: every route of the plan split into leases, ids counting up from 1.
 * @param leaseMs host time that one lease should last
 * @throws invalid-input when the plan's quotes have expired, or a route names an offer that is not among them
 */
export function leasesOf(plan: Plan, nowMs: number, leaseMs: number | undefined): PlannedLease[] {
  if (plan.validUntilAtMs < nowMs)
    throw new PictorError('invalid-input', 'plan.validUntilAtMs: the quotes of this plan have expired', {
      details: { path: 'plan.validUntilAtMs', hint: 'plan again; nothing was locked' },
    })
  const leases: PlannedLease[] = []
  for (const route of plan.routes) {
    const offer = plan.quotes.find((quote) => quote.farm === route.farm)?.offers.find(({ id }) => id === route.offer)
    const party = plan.parties[route.farm]
    if (!offer || !party)
      throw new PictorError('invalid-input', `plan.routes: no offer ${route.offer} of ${route.farm} among the plan's quotes`, {
        details: { path: 'plan.routes' },
      })
    for (const { part, ...piece } of piecesOf(plan, route)) {
      const share = { ...piece, farm: route.farm, offer: { ...offer, hosts: route.hosts }, key: party.key, payTo: party.payTo }
      const options = {
        firstId: leases.length + 1,
        nowMs,
        deadlineAtS: Math.ceil(plan.spec.deadlineAtMs / 1000),
        checkClass: plan.spec.render.checkClass,
        part,
        ...(leaseMs === undefined ? {} : { leaseMs }),
      }
      leases.push(...splitRoute(share, options))
    }
  }
  return leases
}

/** The route's parts, its cost divided over them by work: rounded cumulatively, so that the prices add up to it. */
function piecesOf(plan: Plan, route: PlanRoute): Piece[] {
  const { work, classOf } = plan.estimate
  const place = new Map(parseFrames(plan.spec.frames).map((frame, i) => [frame, i]))
  const parts = plan.spec.render.tiles?.length ?? 1
  const pieces = (route.tiles ?? [{ part: 0, frames: route.frames }]).map(({ part, frames }) => {
    const list = parseFrames(frames)
    const units = list.map((frame) => place.get(frame)! * parts + Math.max(0, part - 1))
    return { part, frames: list, work: units.map((unit) => work[unit]!), classOf: units.map((unit) => classOf?.[unit] ?? 0) }
  })
  const totalWork = pieces.reduce((sum, piece) => sum + sumOf(piece.work), 0)
  let doneWork = 0
  let priced = 0n
  return pieces.map((piece, i) => {
    doneWork += sumOf(piece.work)
    // In millionths of the route's cost, because work is a float.
    const millionths = i === pieces.length - 1 ? 1_000_000n : BigInt(Math.round((1e6 * doneWork) / totalWork))
    const upTo = (route.cost * millionths) / 1_000_000n
    const price = upTo - priced
    priced = upTo
    return { ...piece, price }
  })
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0)

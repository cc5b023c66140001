import type * as now from '../../src/contract/index.ts'
import type * as frozen from './frozen/index.js'

/**
 * Compile-time proof that the contract has only grown since it was frozen (docs/decisions/0003-contract-freeze.md). A line that no longer compiles is a breaking
 * change: it needs the next version of the contract, not another freeze.
 */
interface Fits<From extends To, To> {
  readonly from: From
  readonly to: To
}

type FrozenEvent<T> = Extract<frozen.FarmEvent, { readonly type: T }>
type EventNow<T> = Extract<now.FarmEvent, { readonly type: T }>

/** What an adapter of then is given today. */
export type Given = [
  Fits<now.Task, frozen.Task>,
  Fits<now.QuoteRequest, frozen.QuoteRequest>,
  Fits<now.BundleManifest, frozen.BundleManifest>,
  Fits<now.Artifacts, frozen.Artifacts>,
  Fits<now.CallContext, frozen.CallContext>,
  Fits<now.TaskChange, frozen.TaskChange>,
]

/** What an adapter of then answers today. */
export type Answered = [
  Fits<frozen.FarmInfo, now.FarmInfo>,
  Fits<frozen.Quote, now.Quote>,
  Fits<frozen.Decline, now.Decline>,
  Fits<frozen.StageRef, now.StageRef>,
  Fits<frozen.TaskRef, now.TaskRef>,
  Fits<frozen.FarmPoll, now.FarmPoll>,
  Fits<frozen.Refusal, now.Refusal>,
  Fits<frozen.Body, now.Body>,
  Fits<frozen.Unavailable, now.Unavailable>,
  Fits<frozen.Farm, now.Farm>,
]

/** What an app of then reads today. New event types are left out: readers ignore types that they do not know. */
export type Read = [
  Fits<now.FarmInfo, frozen.FarmInfo>,
  Fits<now.Quote, frozen.Quote>,
  Fits<now.Output, frozen.Output>,
  Fits<EventNow<'state'>, FrozenEvent<'state'>>,
  Fits<EventNow<'progress'>, FrozenEvent<'progress'>>,
  Fits<EventNow<'output'>, FrozenEvent<'output'>>,
  Fits<EventNow<'frame-failed'>, FrozenEvent<'frame-failed'>>,
  Fits<EventNow<'commit'>, FrozenEvent<'commit'>>,
  Fits<EventNow<'ticket'>, FrozenEvent<'ticket'>>,
  Fits<EventNow<'canceled'>, FrozenEvent<'canceled'>>,
  Fits<EventNow<'usage'>, FrozenEvent<'usage'>>,
]

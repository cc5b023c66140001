import {
  PictorError,
  type BundleManifest,
  type CallContext,
  type Artifacts,
  type Bytes32,
  type Farm,
  type FarmEvent,
  type Output,
  type Region,
  type RenderSpec,
  type StageRef,
  type Task,
  type TaskRef,
  type TaskState,
  type Window,
} from '@pictor/core/contract'
import { bundleRoot, sha256Hex } from '@pictor/core/proof'
import { pause } from '../node/pause.ts'

/** A picture that the checker wants rendered: a whole frame, or a window of it. */
export interface OwnRender {
  readonly frame: number
  readonly window?: Window
  /** Another order than the job's: its layers alone. */
  readonly spec?: RenderSpec
  /** A file of layers among the job's files: nothing is rendered, the picture is composited again from it. */
  readonly layers?: { readonly hash: Bytes32; readonly bytes: number }
}

/** What came back. `renderMs` is the renderer's host time. */
export interface OwnRenderResult {
  readonly bytes?: Uint8Array
  readonly hash?: Bytes32
  readonly renderMs: number
  /** Why there are no bytes. */
  readonly failure?: string
}

/** The job's scene on the trusted renderer. */
export interface OwnRenderer {
  /** Renders all requests, in their order; a failure is a result, not a throw. Submitted together, so that a warm renderer loads the scene once. */
  render(requests: readonly OwnRender[], ctx: CallContext): Promise<readonly OwnRenderResult[]>
}

/** The scene to stage and the limits of a render. */
export interface OwnRendererOptions {
  readonly farm: Farm
  readonly run: string
  readonly bundle: BundleManifest
  readonly files: Artifacts
  readonly spec: RenderSpec
  /** Gives up on what is left when no render came for this long. */
  readonly timeoutMs: number
}

const ENDED: ReadonlySet<TaskState> = new Set(['succeeded', 'failed', 'canceled', 'incompatible', 'lost'])
/** Tasks under way at once; more would only wait in the renderer's queue. */
const BATCH = 32
/** A checker's own tasks are numbered from here, away from the tasks of the job. */
const FIRST_TASK = 1_000_000_000

/** Renders through any farm by windowed tasks of purpose `check`: submit, poll, open. */
export function ownRenderer(options: OwnRendererOptions): OwnRenderer {
  const staged = new Map<Bytes32, Promise<StageRef>>()
  const stage = (bundle: BundleManifest, ctx: CallContext): Promise<StageRef> => {
    const known =
      staged.get(bundle.root) ??
      options.farm.stage(bundle, options.files, { ...ctx, key: sha256Hex(`stage ${bundle.root}`) }).catch((error: unknown) => {
        staged.delete(bundle.root)
        throw error
      })
    staged.set(bundle.root, known)
    return known
  }
  return {
    async render(requests, ctx) {
      await stage(options.bundle, ctx)
      const results: OwnRenderResult[] = []
      for (let i = 0; i < requests.length; i += BATCH) {
        results.push(...(await renderBatch(options, stage, requests.slice(i, i + BATCH), ctx)))
      }
      return results
    },
  }
}

/** Renders as if the tile were the whole picture: for leases of tiles. */
export function tileRenderer(renderer: OwnRenderer, tile: Region): OwnRenderer {
  const within = ({ region, ...window }: Window): Window => ({
    ...window,
    region: region ? { ...region, x: tile.x + region.x, y: tile.y + region.y } : tile,
  })
  return {
    render: (requests, ctx) =>
      renderer.render(
        requests.map(({ window = {}, ...one }) => ({ ...one, window: within(window) })),
        ctx,
      ),
  }
}

type Stage = (bundle: BundleManifest, ctx: CallContext) => Promise<StageRef>

/** What is known of one task of a batch. */
interface Pending {
  readonly ref?: TaskRef
  output?: Output
  state?: TaskState
  failure?: string
}

async function renderBatch(
  options: OwnRendererOptions,
  stage: Stage,
  requests: readonly OwnRender[],
  ctx: CallContext,
): Promise<OwnRenderResult[]> {
  // Crops that a frame asks for may coincide: a picture is rendered once, and given to all that asked for it.
  const keys = requests.map((request) => keyOf(options, request, ctx))
  const distinct = new Map(keys.map((key, i) => [key, requests[i]!]))
  const pending = await Promise.all([...distinct].map(([key, request]) => submit(options, stage, request, { ...ctx, key })))
  const byRef = new Map(pending.flatMap((one) => (one.ref ? [[one.ref.ref, one] as const] : [])))
  const scope = pending.flatMap((one) => (one.ref ? [one.ref] : []))
  let giveUpAt = Date.now() + options.timeoutMs
  let cursor: string | undefined
  while ([...byRef.values()].some((one) => !one.state || !ENDED.has(one.state))) {
    ctx.signal?.throwIfAborted()
    if (Date.now() > giveUpAt) break
    const poll = await options.farm.poll({ scope, ...(cursor === undefined ? {} : { cursor }) }, ctx)
    cursor = poll.cursor
    for (const event of poll.events) {
      if (event.type === 'output') giveUpAt = Date.now() + options.timeoutMs
      note(byRef, event)
    }
    if ([...byRef.values()].every((one) => one.state && ENDED.has(one.state))) break
    await pause(Math.min(Math.max(poll.waitMs, 10), 1000), ctx.signal)
  }
  const results = await Promise.all(pending.map((one) => collect(options.farm, one, ctx)))
  const byKey = new Map([...distinct.keys()].map((key, i) => [key, results[i]!]))
  return keys.map((key) => byKey.get(key)!)
}

/** The same for the same picture. */
function keyOf(options: OwnRendererOptions, { frame, window, layers, spec = options.spec }: OwnRender, ctx: CallContext): string {
  const what = [window ?? {}, layers?.hash ?? '', spec === options.spec ? '' : spec.output]
  return sha256Hex(`${ctx.key} ${frame} ${JSON.stringify(what)}`)
}

/** The bundle with a file of layers added, and where it lies in there. */
function bundleWith({ bundle }: OwnRendererOptions, { hash, bytes }: NonNullable<OwnRender['layers']>): [BundleManifest, string] {
  const path = `_layers/${hash.slice(2, 18)}.exr`
  const files = [...bundle.files.filter((file) => file.path !== path), { path, hash, bytes }]
  return [{ root: bundleRoot(files), entry: bundle.entry, files }, path]
}

async function submit(options: OwnRendererOptions, stage: Stage, request: OwnRender, ctx: CallContext): Promise<Pending> {
  const { layers, spec = options.spec } = request
  const [bundle, layersFrom] = layers ? bundleWith(options, layers) : [options.bundle]
  const task: Task = {
    contract: 1,
    run: options.run,
    id: FIRST_TASK + (Number.parseInt(ctx.key.slice(2, 9), 16) % FIRST_TASK),
    attempt: 1,
    purpose: 'check',
    bundle,
    stage: await stage(bundle, ctx),
    spec,
    work: { kind: 'frames', frames: [request.frame] },
    ...(request.window ? { window: request.window } : {}),
    ...(layersFrom === undefined ? {} : { ext: { layersFrom } }),
  }
  try {
    return { ref: await options.farm.submit(task, ctx) }
  } catch (error) {
    ctx.signal?.throwIfAborted()
    return { failure: (error as Error).message }
  }
}

function note(byRef: ReadonlyMap<string, Pending>, event: FarmEvent): void {
  if (event.type === 'output') {
    const one = byRef.get(event.output.task.ref)
    // A farm may deliver files beside the picture; they carry a layer's name.
    if (one && event.output.layer === '') one.output ??= event.output
    return
  }
  if (event.type !== 'state' && event.type !== 'frame-failed') return
  const one = byRef.get(event.task.ref)
  if (!one) return
  if (event.type === 'state') one.state = event.state
  if (event.failure) one.failure = event.failure.message
}

async function collect(farm: Farm, one: Pending, ctx: CallContext): Promise<OwnRenderResult> {
  const { output, ref } = one
  if (!output) {
    if (ref && (!one.state || !ENDED.has(one.state))) {
      await farm.set(ref, { desired: 'cancel' }, ctx).catch(() => undefined)
      return { renderMs: 0, failure: 'the renderer did not finish in time' }
    }
    return { renderMs: 0, failure: one.failure ?? `the renderer ended as ${one.state ?? 'unknown'} without a picture` }
  }
  try {
    const bytes = await readOutput(farm, output, ctx)
    return { bytes, hash: sha256Hex(bytes), renderMs: output.renderMs ?? 0 }
  } catch (error) {
    ctx.signal?.throwIfAborted()
    return { renderMs: output.renderMs ?? 0, failure: (error as Error).message }
  }
}

async function readOutput(farm: Farm, output: Output, ctx: CallContext): Promise<Uint8Array> {
  const body = await farm.open(output, { offset: 0 }, ctx)
  if ('unavailable' in body) throw new PictorError('farm-refused', `the render ${output.name} is ${body.unavailable}`)
  const chunks: Uint8Array[] = []
  for await (const chunk of body.stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

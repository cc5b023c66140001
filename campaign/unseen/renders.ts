// Scenes of scenes.py and their renders, each made once and kept in a folder: what a farm delivers, and what a checker renders for itself.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { blendInspector, selfHosted } from '@pictor/adapter-selfhosted'
import type { BundleManifest, Farm, Output, RenderSpec } from '@pictor/core/contract'
import { sha256Hex } from '@pictor/core/proof'
import { folderArtifacts } from '../../packages/core/src/artifacts/index.ts'
import {
  ownRenderer,
  type OwnRender,
  type OwnRenderer,
  type OwnRenderResult,
} from '../../packages/checker/src/render/own-renders.ts'

const SCRIPT = new URL('scenes.py', import.meta.url).pathname

/** What scenes.py says of a scene. */
export interface SceneFacts {
  readonly kind: string
  readonly composited: boolean
  readonly motionBlur: boolean
  readonly adaptive: boolean
  readonly frames: number
}

/** A scene with a farm that renders it. */
export interface UnseenScene {
  readonly number: number
  readonly facts: SceneFacts
  /** The order, as the inspector reads it from the file. */
  readonly spec: RenderSpec
  readonly files: ReturnType<typeof folderArtifacts>
  /** Versions that a cheating or careless farm might render instead. */
  readonly versions: readonly string[]
  /** Delivered pictures of a version under an order, by frame; their layers, where the class asks for them, lie among `files`. */
  deliver(version: string, spec: RenderSpec, frames: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>
  /** A checker's own renders of the scene under an order. */
  renderer(spec: RenderSpec): OwnRenderer
  close(): Promise<void>
}

/** Opens scene `number`, building it below `folder` when it is not there. Renders use two threads. */
export async function openScene(folder: string, number: number): Promise<UnseenScene> {
  const home = join(folder, String(number))
  if (!existsSync(join(home, 'facts.json'))) await build(number, home)
  const facts = JSON.parse(readFileSync(join(home, 'facts.json'), 'utf8')) as SceneFacts
  const files = folderArtifacts(join(home, 'files'))
  const farm = selfHosted({ id: `unseen-${number}`, workDir: join(home, 'farm'), slots: 2, threadsPerSlot: 1 })
  const bundles = new Map<string, Promise<{ bundle: BundleManifest; spec: RenderSpec }>>()
  const bundleOf = (version: string) => {
    const known = bundles.get(version) ?? inspect(join(home, `${version}.blend`), files)
    bundles.set(version, known)
    return known
  }
  const { bundle, spec } = await bundleOf('scene')
  mkdirSync(join(home, 'delivered'), { recursive: true })
  mkdirSync(join(home, 'own'), { recursive: true })
  return {
    number,
    facts,
    spec,
    files,
    versions: VERSIONS.filter((name) => existsSync(join(home, `${name}.blend`))),
    deliver: async (version, ordered, frames) => {
      const at = (frame: number): string => join(home, 'delivered', keyOf({ version, ordered, frame }))
      const missing = frames.filter((frame) => !existsSync(at(frame)))
      if (missing.length > 0) {
        const made = await render(farm, (await bundleOf(version)).bundle, files, ordered, missing)
        for (const [frame, bytes] of made) writeFileSync(at(frame), bytes)
      }
      return new Map(frames.map((frame) => [frame, readFileSync(at(frame))]))
    },
    renderer: (ordered) =>
      kept(
        join(home, 'own'),
        ordered,
        ownRenderer({ farm, run: `check-${number}`, bundle, files, spec: ordered, timeoutMs: 600_000 }),
      ),
    close: async () => {
      await farm.close?.()
    },
  }
}

const VERSIONS: readonly string[] = [
  'missing-object',
  'light-off',
  'light-dimmer',
  'one-bounce',
  'clamped',
  'clay',
  'other-lens',
  'view-transform',
  'world-off',
  'coarser-adaptive',
  'no-motion-blur',
  'no-depth-of-field',
  'camera-moved',
  'object-moved',
  'older-material',
  'missing-texture',
]

async function build(number: number, home: string): Promise<void> {
  mkdirSync(home, { recursive: true })
  const argv = ['-b', '--factory-startup', '--python-exit-code', '9', '-P', SCRIPT, '--', String(number), home]
  const [code] = (await once(spawn('blender', argv, { stdio: 'ignore' }), 'close')) as [number]
  if (code !== 0) throw new Error(`Blender could not build scene ${number}: it ended with ${code}`)
}

async function inspect(scene: string, files: UnseenScene['files']): Promise<{ bundle: BundleManifest; spec: RenderSpec }> {
  const inspector = blendInspector()
  const inspection = await inspector.inspect(scene, {}, { key: scene })
  return { bundle: await inspector.bundle(inspection, files, { key: scene }), spec: inspection.spec }
}

/** Renders kept by what was asked for, so that many candidates share them and a campaign can be taken up again. Failures are not kept. */
function kept(folder: string, ordered: RenderSpec, renderer: OwnRenderer): OwnRenderer {
  return {
    async render(requests, ctx) {
      const at = (request: OwnRender): string => join(folder, keyOf({ ordered, request }))
      const missing = new Map(requests.filter((one) => !existsSync(at(one))).map((one) => [at(one), one]))
      const failed = new Map<string, OwnRenderResult>()
      const results = await renderer.render([...missing.values()], { ...ctx, key: keyOf({ missing: [...missing.keys()] }) })
      for (const [i, path] of [...missing.keys()].entries()) {
        const { bytes } = results[i]!
        if (bytes) writeFileSync(path, bytes)
        else failed.set(path, results[i]!)
      }
      return requests.map((one) => {
        const failure = failed.get(at(one))
        if (failure) return failure
        const bytes = readFileSync(at(one))
        return { bytes, hash: sha256Hex(bytes), renderMs: 0 }
      })
    },
  }
}

const keyOf = (what: unknown): string => createHash('sha256').update(JSON.stringify(what)).digest('hex').slice(0, 24)

/** Tasks of a run are numbered on. */
let tasks = 1

/** Renders frames as a farm does for a job: pictures come back, files beside them go among `files`. */
async function render(
  farm: Farm,
  bundle: BundleManifest,
  files: UnseenScene['files'],
  spec: RenderSpec,
  frames: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const key = keyOf({ root: bundle.root, spec, frames })
  const stage = await farm.stage(bundle, files, { key: `stage ${bundle.root}` })
  const task = { contract: 1, run: `deliver-${key}`, id: tasks++, attempt: 1, purpose: 'render', bundle, stage, spec } as const
  const ref = await farm.submit({ ...task, work: { kind: 'frames', frames } }, { key })
  const outputs: Output[] = []
  for (let cursor: string | undefined, state = ''; state !== 'succeeded';) {
    const page = await farm.poll({ scope: [ref], ...(cursor === undefined ? {} : { cursor }) }, { key: 'poll' })
    cursor = page.cursor
    for (const event of page.events) {
      if (event.type === 'output') outputs.push(event.output)
      if (event.type === 'state') state = event.state
      if (event.type === 'state' && ['failed', 'lost', 'incompatible', 'canceled'].includes(event.state))
        throw new Error(`the farm ended a task as ${event.state}: ${event.failure?.message ?? 'without a reason'}`)
    }
    if (state !== 'succeeded') await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const pictures = new Map<number, Uint8Array>()
  for (const output of outputs) {
    const body = await farm.open(output, { offset: 0 }, { key: 'open' })
    if (!('stream' in body)) throw new Error(`a delivered file is ${body.unavailable}`)
    const chunks: Uint8Array[] = []
    for await (const chunk of body.stream) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    if (output.layer === '') pictures.set(output.frame, bytes)
    else await files.put(bytes)
  }
  return pictures
}

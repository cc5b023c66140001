import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { folderArtifacts } from '../../../core/src/artifacts/index.ts'
import type { Artifacts, BundleManifest, Farm, FarmEvent, RenderSpec, Task, TaskRef } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'

/** Whether tests with a real Blender can run here; said aloud once. */
export const hasBlender: boolean = spawnSync('blender', ['--version']).status === 0
if (!hasBlender) console.log('skipped: Blender is not installed, tests that render do not run')

/** A temporary folder that goes with the test file. */
export function tempFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'pictor-selfhosted-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Builds the scenes of tiny-scene.py in `folder`. */
export function buildScenes(folder: string): void {
  const script = new URL('tiny-scene.py', import.meta.url).pathname
  execFileSync('blender', ['-b', '--factory-startup', '-Y', '--python-exit-code', '9', '-P', script, '--', folder], {
    stdio: 'pipe',
  })
}

export const TINY: RenderSpec = {
  software: 'blender',
  softwareVersion: '3.4',
  engine: 'CYCLES',
  scene: 'Scene',
  viewLayers: ['ViewLayer'],
  camera: 'Camera',
  samples: 2,
  adaptive: false,
  denoise: false,
  seed: 5,
  animatedSeed: false,
  output: { format: 'PNG', width: 32, height: 24, colorMode: 'RGB', bitDepth: 8 },
  checkClass: 'crop',
}

/** A bundle of one scene file. */
export async function bundleOf(
  folder: string,
  name: string,
): Promise<{ readonly files: Artifacts; readonly bundle: BundleManifest }> {
  const files = folderArtifacts(join(folder, 'artifacts'))
  const one = { path: name, ...(await files.put({ path: join(folder, name) })) }
  return { files, bundle: { root: bundleRoot([one]), entry: name, files: [one] } }
}

/** Stages a bundle and makes tasks of it. */
export async function taskMaker(farm: Farm, files: Artifacts, bundle: BundleManifest): Promise<(change?: Partial<Task>) => Task> {
  const stage = await farm.stage(bundle, files, { key: 'stage' })
  let id = 0
  return (change = {}) => ({
    contract: 1,
    run: 'run',
    id: ++id,
    attempt: 1,
    purpose: 'render',
    bundle,
    stage,
    spec: TINY,
    work: { kind: 'frames', frames: [1, 2, 3] },
    ...change,
  })
}

/** Polls until `done`, and returns all events. */
export async function watch(
  farm: Farm,
  done: (events: readonly FarmEvent[]) => boolean,
  limitMs = 100_000,
): Promise<FarmEvent[]> {
  const events: FarmEvent[] = []
  const end = Date.now() + limitMs
  let cursor: string | undefined
  for (;;) {
    const page = await farm.poll(cursor === undefined ? {} : { cursor }, { key: 'poll' })
    cursor = page.cursor
    events.push(...page.events)
    if (done(events)) return events
    if (Date.now() > end) throw new Error(`nothing more within ${limitMs} ms: ${JSON.stringify(events.slice(-4))}`)
    await new Promise((resolve) => setTimeout(resolve, Math.max(5, Math.min(page.waitMs, 50))))
  }
}

const ENDS = ['succeeded', 'failed', 'canceled']

/** The last state of a task in what was watched. */
export function stateOf(events: readonly FarmEvent[], ref: TaskRef): string | undefined {
  return events.findLast((event) => event.type === 'state' && event.task.ref === ref.ref && 'state' in event)?.['state' as never]
}

/** Watches until all tasks have ended. */
export function finish(farm: Farm, ...refs: readonly TaskRef[]): Promise<FarmEvent[]> {
  return watch(farm, (events) => refs.every((ref) => ENDS.includes(stateOf(events, ref) ?? '')))
}

/** Bytes of an output. */
export async function bytesOf(
  farm: Farm,
  events: readonly FarmEvent[],
  ref: TaskRef,
  frame: number,
  part?: number,
): Promise<Buffer> {
  const found = events.find(
    (event) =>
      event.type === 'output' &&
      event.output.task.ref === ref.ref &&
      event.output.frame === frame &&
      (part === undefined || event.output.part === part),
  )
  if (found?.type !== 'output') throw new Error(`no output of frame ${frame}`)
  const body = await farm.open(found.output, { offset: 0 }, { key: 'open' })
  if (!('stream' in body)) throw new Error(`output is ${body.unavailable}`)
  const chunks: Uint8Array[] = []
  for await (const chunk of body.stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

import { realpath } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { PictorError, invalid } from '@pictor/core/contract'
import type { Inspector, RenderSpec } from '@pictor/core/contract'
import { bundleRoot } from '@pictor/core/proof'
import { isPlainPath } from '../paths.ts'
import { plainFile } from '../inspect/bundle.ts'
import type { CommandRenderer } from './template.ts'

/** What a person says of scenes that no inspector can read. */
export interface CommandInspectorOptions {
  readonly renderer: CommandRenderer
  readonly frames: string
  readonly output: RenderSpec['output']
  /** Files that the scene needs, relative to its folder. Missing ones are named before any money moves. */
  readonly needs?: readonly string[]
  readonly samples?: number
  readonly framesPerSecond?: number
  /** Default 1024. */
  readonly memoryMiB?: number
}

/** Orders scenes of a command-line renderer by what it is told, since it cannot look into them. They are checked by rendering frames again (class `replica`). */
export function commandInspector(options: CommandInspectorOptions): Inspector {
  const { renderer, output, needs = [] } = options
  for (const [i, path] of needs.entries())
    if (!isPlainPath(path)) throw invalid(`needs[${i}]`, 'a plain path below the scene’s folder', path)
  const found = async (path: string): Promise<boolean> =>
    realpath(path).then(
      () => true,
      () => false,
    )
  return {
    async inspect(scene, wishes, ctx) {
      ctx.signal?.throwIfAborted()
      const path = await realpath(scene).catch(() => {
        throw new PictorError('scene-missing', `there is no scene ${scene}`, { details: { path: 'scene' } })
      })
      const external = await Promise.all(
        needs.map(async (need) => ({ kind: 'file', path: need, missing: !(await found(join(dirname(path), need))) })),
      )
      return {
        path,
        bytes: 0,
        frames: options.frames,
        framesPerSecond: options.framesPerSecond ?? 24,
        spec: {
          software: renderer.software,
          softwareVersion: renderer.version,
          engine: renderer.engines[0]!,
          scene: '',
          viewLayers: [],
          camera: wishes.camera ?? '',
          samples: wishes.samples ?? options.samples ?? 1,
          adaptive: false,
          denoise: false,
          seed: 0,
          animatedSeed: false,
          output: { ...output, ...(wishes.format ? { format: wishes.format } : {}) },
          checkClass: 'replica',
        },
        external,
        memoryMiB: options.memoryMiB ?? 1024,
        warnings: [],
      }
    },
    async bundle(inspection, files, ctx) {
      const missing = inspection.external.filter((one) => one.missing).map((one) => one.path)
      if (missing.length > 0)
        throw new PictorError('asset-missing', `the scene needs files that are not there: ${missing.join(', ')}`, {
          details: { path: 'scene', files: missing },
        })
      const folder = dirname(inspection.path)
      const bundled = []
      for (const path of [basename(inspection.path), ...needs]) {
        ctx.signal?.throwIfAborted()
        bundled.push({ path: relative('.', path), ...(await files.put({ path: await plainFile(join(folder, path), folder) })) })
      }
      return { root: bundleRoot(bundled), entry: basename(inspection.path), files: bundled }
    },
  }
}

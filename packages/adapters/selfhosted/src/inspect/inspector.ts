import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PictorError } from '@pictor/core/contract'
import type { CallContext, Inspection, Inspector } from '@pictor/core/contract'
import { openScene, readBlend } from '../blend/header.ts'
import type { WalkedBlend } from '../blend/header.ts'
import { chooseBlender, installedBlenders } from '../blender/installed.ts'
import type { InstalledBlender } from '../blender/installed.ts'
import { startWorker } from '../blender/worker.ts'
import type { Fault } from '../blender/worker.ts'
import { requireSandbox } from '../sandbox/bubblewrap.ts'
import { tileMerge } from '../merge.ts'
import { bundleScene } from './bundle.ts'
import { findMoved } from './moved-files.ts'
import type { PathMap } from './moved-files.ts'
import { isMissing } from './report.ts'
import type { SceneReport } from './report.ts'
import { chooseScene, looksOf, renderSpecOf } from './spec.ts'
import { memoryMiBOf, warningsOf } from './warnings.ts'

/** How scenes are inspected. */
export interface InspectorOptions {
  /** Path of a Blender, or of several versions side by side. Default: `blender` on PATH. */
  readonly blender?: string | readonly string[]
  /** Scenes of others are opened in a sandbox that sees only the scene's folder. Default `own`. */
  readonly trust?: 'own' | 'foreign'
  /** Opens scenes of others without a sandbox. */
  readonly unsafeNoSandbox?: boolean
  /** Where folders of other machines lie here, such as `{ 'D:\\assets': '/srv/assets' }`: for scenes that were saved elsewhere. */
  readonly pathMap?: PathMap
  /** Blender is killed when it takes longer to open and read the scene. Default 10 minutes. */
  readonly timeoutMs?: number
}

/** What an inspection says of .blend files beyond the contract, at `inspection.ext.blend`. */
export interface BlendFacts {
  readonly header: WalkedBlend
  readonly blender: string
  readonly report: SceneReport
}

/**
 * Reads .blend files: the header and all blocks in plain JavaScript first, so that damaged and newer files never reach Blender; then Blender in a process group
 * of its own, with scripts off.
 * @example
 * const inspection = await blendInspector().inspect('shot.blend', {}, { key: 'inspect' })
 * console.log(inspection.frames, inspection.spec.engine, inspection.warnings)
 */
export function blendInspector(options: InspectorOptions = {}): Inspector {
  let installed: ReturnType<typeof installedBlenders> | undefined
  return {
    async inspect(scene, wishes, ctx) {
      ctx.signal?.throwIfAborted()
      const path = await realpath(scene).catch(() => scene)
      const { bytes } = await openScene(path)
      const confined = options.trust === 'foreign' && options.unsafeNoSandbox !== true
      if (confined) await requireSandbox()
      const blenders = await (installed ??= installedBlenders(options.blender))
      let blender: InstalledBlender | undefined
      const header = await readBlend(path, (head) => {
        blender = chooseBlender(blenders, head.versionCode)
      })
      const found = await reportOf(path, blender!, { timeoutMs: options.timeoutMs ?? 600_000, confined }, ctx)
      const report = { ...found, external: await findMoved(found.external, dirname(path), options.pathMap ?? {}) }
      return inspectionOf(path, bytes, { header, blender: blender!.version, report }, wishes)
    },
    tiles: tileMerge,
    bundle: async (inspection, files, ctx) => await bundleScene(inspection, files, ctx.signal ? { signal: ctx.signal } : {}),
  }
}

function inspectionOf(path: string, bytes: number, facts: BlendFacts, wishes: Parameters<Inspector['inspect']>[1]): Inspection {
  const { report, header } = facts
  const scene = chooseScene(report, wishes)
  const looks = looksOf(scene, wishes)
  const { frameStart, frameEnd, frameStep } = scene
  const step = frameStep > 1 ? `:${frameStep}` : ''
  return {
    path,
    bytes,
    frames: frameEnd > frameStart ? `${frameStart}-${frameEnd}${step}` : String(frameStart),
    framesPerSecond: scene.fps,
    spec: renderSpecOf(scene, header.versionCode, wishes),
    external: report.external.map((one) => ({
      kind: one.kind,
      path: one.stored,
      missing: isMissing(one),
      ...(one.files.length > 0 ? { bytes: one.files.reduce((sum, file) => sum + file.bytes, 0) } : {}),
    })),
    memoryMiB: memoryMiBOf(scene, report),
    ...(looks ? { looks } : {}),
    warnings: warningsOf(scene, report),
    ext: { blend: facts },
  }
}

async function reportOf(
  path: string,
  blender: InstalledBlender,
  { timeoutMs, confined }: { readonly timeoutMs: number; readonly confined: boolean },
  ctx: CallContext,
): Promise<SceneReport> {
  const folder = await mkdtemp(join(tmpdir(), 'pictor-inspect-'))
  const started = await startWorker({
    blender: blender.path,
    threads: 1,
    cwd: folder,
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', HOME: folder, TMPDIR: folder },
    ...(confined ? { confined: { read: [dirname(path)] } } : {}),
  })
  try {
    if (!started.ok) throw unreadable(path, started.fault)
    const worker = started.value
    const abort = () => worker.kill('canceled')
    ctx.signal?.addEventListener('abort', abort, { once: true })
    try {
      const loaded = await worker.load({ file: path }, timeoutMs)
      if (!loaded.ok) throw unreadable(path, loaded.fault)
      const report = await worker.request('report', {}, timeoutMs)
      if (!report.ok) throw unreadable(path, report.fault)
      return report.value as unknown as SceneReport
    } finally {
      ctx.signal?.removeEventListener('abort', abort)
      worker.kill('inspected')
      await worker.gone
      ctx.signal?.throwIfAborted()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function unreadable(path: string, fault: Fault): PictorError {
  const how = fault.kind === 'refused' ? fault.message : `Blender failed on it: ${fault.message}`
  return new PictorError('scene-invalid', `the scene ${path} cannot be opened: ${how}`, {
    details: { path: 'scene', fault: fault.kind, hint: 'open the file in Blender, save it anew and try again' },
  })
}

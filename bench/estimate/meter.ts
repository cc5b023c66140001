import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blendInspector, blenderAt } from '@pictor/adapter-selfhosted'
import { parseFrames } from '@pictor/core/contract'
import type { InspectOptions, Look, RenderSpec, Window } from '@pictor/core/contract'
import { orderFor } from '../../packages/adapters/selfhosted/src/blender/order.ts'
import { startWorker } from '../../packages/adapters/selfhosted/src/blender/worker.ts'

/** A scene open in a warm Blender of one thread. */
export interface Meter {
  readonly spec: RenderSpec
  /** Frames of the file's range. */
  readonly frames: readonly number[]
  readonly looks?: readonly Look[]
  /** Processor time of Blender for one picture, milliseconds: unlike wall time it hardly depends on what else the machine does. */
  cpuMs(frame: number, window?: Window): Promise<number>
  close(): Promise<void>
}

/** Opens a scene as a slot of the farm would. */
export async function openMeter(
  scene: string,
  wishes: InspectOptions = {},
  change: (spec: RenderSpec) => RenderSpec = (spec) => spec,
): Promise<Meter> {
  const inspection = await blendInspector().inspect(scene, wishes, { key: 'inspect' })
  const spec = change(inspection.spec)
  const folder = mkdtempSync(join(tmpdir(), 'pictor-meter-'))
  const started = await startWorker({
    blender: (await blenderAt('blender'))!.path,
    threads: 1,
    cwd: folder,
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', HOME: folder, TMPDIR: folder },
  })
  if (!started.ok) throw new Error(started.fault.message)
  const worker = started.value
  const loaded = await worker.load({ file: scene }, 600_000)
  if (!loaded.ok) throw new Error(loaded.fault.message)
  return {
    spec,
    frames: parseFrames(inspection.frames),
    ...(inspection.looks ? { looks: inspection.looks } : {}),
    async cpuMs(frame, window) {
      const reply = await worker.render(orderFor(spec, window, frame, 'CPU'), join(folder, 'frame'), { timeoutMs: 600_000 })
      if (!reply.ok) throw new Error(reply.fault.message)
      return reply.value.cpuMs
    },
    async close() {
      worker.kill('measured')
      await worker.gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

import { blendInspector } from '@pictor/adapter-selfhosted'
import { inspectionReport } from '../terminal/inspection-view.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'
import { wishesOf, type SceneOptions } from './scene-options.ts'

export interface InspectCommandOptions extends SceneOptions {
  /** The scene is somebody else's: it is opened in a sandbox that sees only its folder. */
  readonly foreign?: boolean
}

/** `pictor inspect`: reads a scene without rendering it. Exit code 4 when files are missing, so that scripts can stop there. */
export async function inspect(scene: string, options: InspectCommandOptions, context: CommandContext): Promise<number> {
  const blender = context.env.PICTOR_BLENDER
  const inspector = blendInspector({ ...(blender ? { blender } : {}), ...(options.foreign ? { trust: 'foreign' } : {}) })
  const inspection = await inspector.inspect(scene, wishesOf(options), { key: 'inspect' })
  context.emit({ type: 'inspection', ...inspection })
  context.screen.log(context.style.bold(scene))
  for (const line of inspectionReport(inspection, context)) context.screen.log(line)
  return inspection.external.some((file) => file.missing) ? EXIT.input : EXIT.ok
}

import { blendInspector } from '@pictor/adapter-selfhosted'
import { inspectionReport } from '../terminal/inspection-view.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

/** `pictor inspect`: reads a scene without rendering it. Exit code 4 when files are missing, so that scripts can stop there. */
export async function inspect(scene: string, context: CommandContext): Promise<number> {
  const blender = context.env.PICTOR_BLENDER
  const inspection = await blendInspector(blender ? { blender } : {}).inspect(scene, {}, { key: 'inspect' })
  context.emit({ type: 'inspection', ...inspection })
  context.screen.log(context.style.bold(scene))
  for (const line of inspectionReport(inspection, context)) context.screen.log(line)
  return inspection.external.some((file) => file.missing) ? EXIT.input : EXIT.ok
}

import { PictorError } from '@pictor/core/contract'
import type { RenderSpec } from '@pictor/core/contract'
import { chooseBlender, codeOfVersion } from './blender/installed.ts'
import type { InstalledBlender } from './blender/installed.ts'
import { whyNot } from './command/template.ts'
import type { CommandRenderer } from './command/template.ts'
import type { Settings } from './options.ts'

/**
 * The program that renders a spec: a Blender by the file's version, or the command-line renderer that the spec names.
 * @throws farm-refused when there is none, or it cannot do what is ordered; software-missing and scene-too-new as in `chooseBlender`
 */
export function requireProgram(
  { renderers }: Pick<Settings, 'renderers'>,
  blenders: readonly InstalledBlender[],
  spec: RenderSpec,
  region = false,
): InstalledBlender | CommandRenderer {
  if (spec.software === 'blender') return chooseBlender(blenders, codeOfVersion(spec.softwareVersion) ?? 0)
  const fitting = renderers.filter((one) => one.software === spec.software)
  const renderer = fitting.find((one) => whyNot(one, spec, region) === undefined)
  if (renderer) return renderer
  const message = fitting[0] ? whyNot(fitting[0], spec, region)! : `this farm has no ${spec.software}`
  throw new PictorError('farm-refused', message, { details: { path: 'task.spec.software' } })
}

import type { BlendFacts } from '@pictor/adapter-selfhosted'
import type { Inspection } from '@pictor/core/contract'
import type { CommandContext } from '../commands/context.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'

/** Files that are named one by one. */
const MOST_FILES = 12

const ENGINES: Readonly<Record<string, string>> = {
  CYCLES: 'Cycles',
  BLENDER_EEVEE: 'Eevee',
  BLENDER_EEVEE_NEXT: 'Eevee',
  BLENDER_WORKBENCH: 'Workbench',
}

const CHECKS: Readonly<Record<Inspection['spec']['checkClass'], string>> = {
  crop: 'parts of frames are rendered again and compared',
  sidecar: 'parts of the layers before denoising and compositing are rendered again and compared',
  replica: 'frames are rendered again whole and compared',
  'file-only': 'files and their sequence are looked at, then a person decides',
}

/** Everything that `pictor inspect` found, a line each: what it orders, what it needs, what a wrangler should know before money moves. */
export function inspectionReport(inspection: Inspection, { style }: CommandContext): string[] {
  const { spec, external, warnings } = inspection
  const { output } = spec
  const facts = inspection.ext?.['blend'] as BlendFacts | undefined
  const rows: [string, string][] = [
    ['scene', sceneLine(inspection, facts)],
    ['frames', `${inspection.frames} at ${Number(inspection.framesPerSecond.toFixed(2))} a second`],
    ['picture', `${output.width} x ${output.height}, ${output.format}, ${output.colorMode} of ${output.bitDepth} bit`],
    ['sampling', `${spec.samples} samples${spec.adaptive ? ' at most (adaptive)' : ''}${spec.denoise ? ', denoised' : ''}`],
    ...sceneRows(spec, facts),
    ['memory', `about ${inspection.memoryMiB} MiB to render`],
    ['checks', `${spec.checkClass}: ${CHECKS[spec.checkClass]}`],
    ['files', filesLine(external)],
  ]
  return [
    ...rows.map(([name, text]) => `  ${style.dim(name.padEnd(9))} ${printable(text)}`),
    ...fileLines(external, style),
    ...warnings.map((warning) => style.yellow(`  ! ${printable(warning.message)}`)),
  ]
}

function sceneLine({ spec }: Inspection, facts: BlendFacts | undefined): string {
  const others = (facts?.report.scenes ?? []).map((one) => one.name).filter((name) => name !== spec.scene)
  const also = others.length === 0 ? '' : `, beside ${others.join(', ')}`
  return `${spec.scene}${also}; ${ENGINES[spec.engine] ?? spec.engine}, saved by Blender ${facts?.report.savedWith ?? spec.softwareVersion}`
}

/** View layers, passes and cameras, which only Blender files tell. */
function sceneRows(spec: Inspection['spec'], facts: BlendFacts | undefined): [string, string][] {
  const scene = facts?.report.scenes.find((one) => one.name === spec.scene)
  if (!scene) return [['camera', spec.camera || 'as the file says']]
  const used = scene.layers.filter((layer) => spec.viewLayers.includes(layer.name))
  const passes = [...new Set(used.flatMap((layer) => layer.passes))].sort()
  const cameras =
    spec.camera !== ''
      ? `${spec.camera}${scene.cameras.length > 1 ? ` of ${scene.cameras.join(', ')}` : ''}`
      : scene.markers
          .toSorted((a, b) => a.frame - b.frame)
          .map((marker) => `${marker.camera} from ${marker.frame}`)
          .join(', ')
  return [
    ['camera', cameras],
    ['layers', `${used.map((layer) => layer.name).join(', ')}${passes.length > 0 ? ` with ${passes.join(', ')}` : ''}`],
    ...(facts!.report.addOns.length > 0 ? ([['add-ons', facts!.report.addOns.join(', ')]] as [string, string][]) : []),
  ]
}

function filesLine(external: Inspection['external']): string {
  if (external.length === 0) return 'none beside the scene'
  const missing = external.filter((file) => file.missing).length
  const total = external.reduce((sum, file) => sum + (file.bytes ?? 0), 0)
  return `${external.length} beside the scene, ${size(total)}${missing > 0 ? `; ${missing} missing` : ''}`
}

/** Missing ones first, since they stop the job. */
function fileLines(external: Inspection['external'], style: Style): string[] {
  const sorted = external.toSorted((a, b) => Number(b.missing) - Number(a.missing))
  const lines = sorted.slice(0, MOST_FILES).map((file) => {
    const text = `${' '.repeat(12)}${file.kind.padEnd(11)} ${printable(file.path)}`
    return file.missing
      ? style.red(`${text}  missing`)
      : style.dim(`${text}${file.bytes === undefined ? '' : `  ${size(file.bytes)}`}`)
  })
  const more = sorted.length - lines.length
  return more === 0 ? lines : [...lines, style.dim(`${' '.repeat(12)}and ${more} more (--json lists all)`)]
}

function size(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}

import { isAbsolute } from 'node:path'
import { invalid } from '@pictor/core/contract'
import type { RenderSpec } from '@pictor/core/contract'
import type { RenderOrder } from '../blender/order.ts'

/**
 * A renderer that is run once a frame from the command line. Arguments may hold fields in braces, see {@link COMMAND_FIELDS}; no shell reads them, so nothing in a
 * scene's name can become a command.
 * @example
 * const povray: CommandRenderer = {
 *   software: 'povray', version: '3.7', engines: ['POVRAY'], formats: ['PNG'],
 *   command: ['povray', '+I{scene}', '+O{output}', '+W{width}', '+H{height}', '+FN8', '-D', '+WT{threads}', '+K{frame}'],
 * }
 */
export interface CommandRenderer {
  /** What `RenderSpec.software` says. */
  readonly software: string
  /** As `RenderSpec.softwareVersion` says; tasks for another version are refused. */
  readonly version: string
  /** What `RenderSpec.engine` may say. */
  readonly engines: readonly string[]
  /** Formats that it writes with this template. */
  readonly formats: readonly RenderSpec['output']['format'][]
  /** Program (a path, or a name on PATH) and arguments. */
  readonly command: readonly string[]
  /** Further arguments when only a region is rendered, into a file of exactly that size. Left out: regions are refused. */
  readonly regionArguments?: readonly string[]
  /** Folders besides the system's libraries that the program reads, absolute. Only matters in the sandbox. */
  readonly read?: readonly string[]
  /** Exit codes that mean a fault in the scene, which another try does not mend. Default: 1. */
  readonly sceneFaultCodes?: readonly number[]
}

/** Fields of a template and what stands for them. Sizes in pixels, of the picture after `resolutionPct`. */
export const COMMAND_FIELDS: Readonly<Record<string, (call: CommandCall) => string | number>> = {
  scene: ({ scene }) => scene,
  output: ({ output }) => output,
  frame: ({ order }) => order.frame,
  width: ({ order }) => Math.floor((order.width * order.pct) / 100),
  height: ({ order }) => Math.floor((order.height * order.pct) / 100),
  samples: ({ order }) => order.samples,
  seed: ({ order }) => order.seed,
  camera: ({ order }) => order.camera,
  engine: ({ order }) => order.engine,
  format: ({ order }) => order.format,
  depth: ({ order }) => order.bitDepth,
  threads: ({ threads }) => threads,
  x: ({ order }) => order.region?.x ?? 0,
  y: ({ order }) => order.region?.y ?? 0,
  regionWidth: ({ order }) => order.region?.width ?? 0,
  regionHeight: ({ order }) => order.region?.height ?? 0,
}

/** What one run of the program is for. */
export interface CommandCall {
  readonly order: RenderOrder
  /** Absolute path of the staged scene. */
  readonly scene: string
  /** Absolute path that the picture must be written to. */
  readonly output: string
  readonly threads: number
}

/** The command line of one frame. */
export function commandLine(renderer: CommandRenderer, call: CommandCall): string[] {
  const words = [...renderer.command, ...(call.order.region ? (renderer.regionArguments ?? []) : [])]
  return words.map((word) => word.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(COMMAND_FIELDS[name]!(call))))
}

/** @throws invalid-input naming the field of the option that cannot be used */
export function checkRenderer(renderer: CommandRenderer, path: string): void {
  const { software, command, regionArguments = [], formats, read = [] } = renderer
  if (software === 'blender' || !/^[\w.-]{1,64}$/.test(software))
    throw invalid(`${path}.software`, 'a name other than blender', software)
  if (command.length === 0) throw invalid(`${path}.command`, 'a program and its arguments', command)
  if (formats.length === 0) throw invalid(`${path}.formats`, 'at least one format', formats)
  for (const [i, word] of [...command, ...regionArguments].entries())
    for (const [, name] of word.matchAll(/\{(\w*)\}/g))
      if (!Object.hasOwn(COMMAND_FIELDS, name!))
        throw invalid(`${path}.command[${i}]`, `fields among ${Object.keys(COMMAND_FIELDS).join(', ')}`, `{${name}}`)
  for (const field of ['scene', 'output'])
    if (!command.some((word) => word.includes(`{${field}}`)))
      throw invalid(`${path}.command`, `the field {${field}}`, command.join(' '))
  for (const [i, folder] of read.entries())
    if (!isAbsolute(folder)) throw invalid(`${path}.read[${i}]`, 'an absolute path', folder)
}

/** Why a renderer cannot do what a spec and window order; undefined when it can. */
export function whyNot(renderer: CommandRenderer, spec: RenderSpec, region: boolean): string | undefined {
  if (spec.softwareVersion !== renderer.version)
    return `this farm has ${renderer.software} ${renderer.version}, not ${spec.softwareVersion}`
  if (!renderer.engines.includes(spec.engine))
    return `${renderer.software} here has the engines ${renderer.engines.join(', ')}, not ${spec.engine}`
  if (!renderer.formats.includes(spec.output.format))
    return `${renderer.software} here writes ${renderer.formats.join(', ')}, not ${spec.output.format}`
  if (region && !renderer.regionArguments) return `${renderer.software} here renders whole frames only`
  return undefined
}

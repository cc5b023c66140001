import { invalid } from '@pictor/core/contract'
import type { Region, RenderSpec, Window } from '@pictor/core/contract'

/** One picture as the worker is asked for it. */
export interface RenderOrder {
  readonly frame: number
  readonly scene: string
  readonly viewLayers: readonly string[]
  /** Empty: the scene's own camera, switched by timeline markers. */
  readonly camera: string
  readonly engine: string
  readonly device: 'CPU' | 'GPU'
  readonly width: number
  readonly height: number
  /** Percentage of width and height, 1..100. */
  readonly pct: number
  readonly region: Region | null
  readonly samples: number
  readonly sampleOffset: number
  readonly seed: number
  readonly animatedSeed: boolean
  readonly adaptive: boolean
  readonly denoise: boolean
  /** Whether the picture before denoising is kept as a pass. */
  readonly noisyPasses: boolean
  readonly format: RenderSpec['output']['format']
  readonly colorMode: RenderSpec['output']['colorMode']
  readonly bitDepth: 8 | 16 | 32
}

/** Formats with the bit depths that Blender writes, and the usual ending of the file's name. */
const FORMATS: Readonly<Record<string, { readonly depths: readonly number[]; readonly ending: string }>> = {
  PNG: { depths: [8, 16], ending: 'png' },
  OPEN_EXR: { depths: [16, 32], ending: 'exr' },
  OPEN_EXR_MULTILAYER: { depths: [16, 32], ending: 'exr' },
  JPEG: { depths: [8], ending: 'jpg' },
  TIFF: { depths: [8, 16], ending: 'tif' },
  WEBP: { depths: [8], ending: 'webp' },
}

/** Ending of a format's file names, without a dot. */
export function endingOf(format: string): string {
  return FORMATS[format]?.ending ?? 'bin'
}

/** Pixels of the whole picture under a window (Blender truncates the percentage). */
export function pictureSize(spec: RenderSpec, window: Window | undefined): { readonly width: number; readonly height: number } {
  const pct = window?.resolutionPct ?? 100
  return { width: Math.floor((spec.output.width * pct) / 100), height: Math.floor((spec.output.height * pct) / 100) }
}

/** The order for one frame of a spec under a window. @throws invalid-input naming the field of spec or window that cannot be rendered */
export function orderFor(spec: RenderSpec, window: Window | undefined, frame: number, device: 'CPU' | 'GPU'): RenderOrder {
  checkSpec(spec)
  whole('task.work.frames', frame, -1_048_574, 1_048_574)
  const pct = whole('task.window.resolutionPct', window?.resolutionPct ?? 100, 1, 100)
  const size = pictureSize(spec, window)
  if (size.width < 1 || size.height < 1)
    throw invalid('task.window.resolutionPct', 'a percentage that leaves at least one pixel', pct)
  if (window?.region) checkRegion(window.region, size)
  return {
    frame,
    scene: spec.scene,
    viewLayers: spec.viewLayers,
    camera: spec.camera,
    engine: spec.engine,
    device,
    width: spec.output.width,
    height: spec.output.height,
    pct,
    region: window?.region ?? null,
    samples: whole('task.window.samples', window?.samples ?? spec.samples, 1, 1 << 24),
    sampleOffset: 0,
    seed: whole('task.window.seed', window?.seed ?? spec.seed, 0, 2 ** 31 - 1),
    animatedSeed: spec.animatedSeed,
    adaptive: spec.adaptive,
    denoise: spec.denoise,
    noisyPasses: spec.denoise && spec.checkClass === 'sidecar',
    format: spec.output.format,
    colorMode: spec.output.colorMode,
    bitDepth: spec.output.bitDepth,
  }
}

function checkSpec(spec: RenderSpec): void {
  const { format, bitDepth, width, height } = spec.output
  const rules = FORMATS[format]
  if (!rules) throw invalid('task.spec.output.format', `one of ${Object.keys(FORMATS).join(', ')}`, format)
  if (!rules.depths.includes(bitDepth)) throw invalid('task.spec.output.bitDepth', rules.depths.join(' or '), bitDepth)
  // Blender's own limits: 4..65536 pixels a side, colour modes of the format.
  whole('task.spec.output.width', width, 4, 65_536)
  whole('task.spec.output.height', height, 4, 65_536)
  if (format === 'JPEG' && spec.output.colorMode === 'RGBA')
    throw invalid('task.spec.output.colorMode', 'RGB or BW, JPEG has no alpha', 'RGBA')
}

function checkRegion(region: Region, size: { readonly width: number; readonly height: number }): void {
  whole('task.window.region.x', region.x, 0, size.width - 1)
  whole('task.window.region.y', region.y, 0, size.height - 1)
  whole('task.window.region.width', region.width, 1, size.width - region.x)
  whole('task.window.region.height', region.height, 1, size.height - region.y)
}

function whole(path: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw invalid(path, `a whole number from ${least} to ${most}`, value)
  return value
}

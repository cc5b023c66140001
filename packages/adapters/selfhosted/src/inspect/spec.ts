import { PictorError, invalid } from '@pictor/core/contract'
import type { CheckClass, InspectOptions, Look, OutputSpec, RenderSpec } from '@pictor/core/contract'
import { versionOfCode } from '../blender/installed.ts'
import type { SceneFacts, SceneReport } from './report.ts'

const FORMATS: readonly string[] = ['PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER', 'JPEG', 'TIFF', 'WEBP']

/** The scene that is rendered: the one asked for, else the one that was open when the file was saved. @throws invalid-input listing the scenes */
export function chooseScene(report: SceneReport, options: InspectOptions): SceneFacts {
  const name = options.scene ?? report.active
  const scene = report.scenes.find((one) => one.name === name)
  if (!scene)
    throw unknown(
      'scene',
      name,
      'the file',
      report.scenes.map((one) => one.name),
    )
  return scene
}

/** Names that an error lists; `details.names` has all. */
const MOST_NAMES = 20

function unknown(what: 'scene' | 'camera', name: string, where: string, names: readonly string[]): PictorError {
  const listed = names.slice(0, MOST_NAMES).map((one) => JSON.stringify(one))
  const more = names.length > listed.length ? ` and ${names.length - listed.length} more` : ''
  return new PictorError(
    'invalid-input',
    `${where} has no ${what} ${JSON.stringify(name.slice(0, 80))}; it has ${listed.join(', ') || 'none'}${more}`,
    {
      details: {
        path: `inspect.${what}`,
        names,
        hint: `choose one of them (names count capitals and spaces), or leave the ${what} to the file`,
      },
    },
  )
}

/** The order that a scene's settings make, with the changes of `options`. @throws scene-invalid without a camera, invalid-input on a bad option */
export function renderSpecOf(scene: SceneFacts, versionCode: number, options: InspectOptions = {}): RenderSpec {
  const { cycles } = scene
  const output = outputOf(scene, options)
  if (output.width < LEAST_PIXELS || output.height < LEAST_PIXELS)
    throw unfit(
      scene,
      `orders pictures of ${output.width}x${output.height} pixels`,
      'raise resolution or percentage in Blender’s output properties',
    )
  if (!scene.layers.some((layer) => layer.use))
    throw unfit(scene, 'has no view layer that is used for rendering', 'switch one on (View Layer > Use for Rendering)')
  return {
    software: 'blender',
    softwareVersion: versionOfCode(versionCode),
    engine: scene.engine,
    scene: scene.name,
    viewLayers: scene.layers.filter((layer) => layer.use).map((layer) => layer.name),
    camera: cameraOf(scene, options),
    samples: samplesOf(scene, options),
    adaptive: cycles?.use_adaptive_sampling ?? false,
    denoise: cycles?.use_denoising ?? false,
    seed: cycles?.seed ?? 0,
    // A seed that a curve or driver changes is meant to differ from frame to frame, which is all that anybody sees of it.
    animatedSeed: cycles !== undefined && (cycles.use_animated_seed || scene.animatedSettings.includes('cycles.seed')),
    ...(scene.motionBlur ? { motionBlur: true } : {}),
    output,
    checkClass: checkClassOf(scene, output.format),
  }
}

/** Smallest width and height of a picture that farms take. */
const LEAST_PIXELS = 4

function unfit(scene: SceneFacts, what: string, hint: string): PictorError {
  return new PictorError('scene-invalid', `scene ${JSON.stringify(scene.name)} ${what}`, { details: { path: 'scene', hint } })
}

/** Empty when timeline markers switch cameras: then the file decides, frame by frame. */
function cameraOf(scene: SceneFacts, options: InspectOptions): string {
  if (options.camera !== undefined) {
    if (!scene.cameras.includes(options.camera))
      throw unknown('camera', options.camera, `scene ${JSON.stringify(scene.name)}`, scene.cameras)
    return options.camera
  }
  if (scene.markers.length > 0) return ''
  if (scene.camera === null || !scene.cameras.includes(scene.camera))
    throw new PictorError('scene-invalid', `scene ${JSON.stringify(scene.name)} has no camera`, {
      details: {
        path: 'scene',
        cameras: scene.cameras,
        hint:
          scene.cameras.length > 0
            ? `choose one of its cameras (${scene.cameras.join(', ')}) (--camera on the command line), or make it the active camera in Blender`
            : 'add a camera in Blender and make it the active one',
      },
    })
  return scene.camera
}

/** Where the scene switches objects, or cameras unless the creator chose one. Undefined: nowhere. */
export function looksOf({ switched = [], markers, camera }: SceneFacts, options: InspectOptions = {}): Look[] | undefined {
  const cuts = options.camera === undefined ? markers.toSorted((a, b) => a.frame - b.frame) : []
  const starts = [...new Set([...switched, ...cuts].map((one) => one.frame))].sort((a, b) => a - b)
  const looks = starts.map((from) => ({
    from,
    shown: (switched.findLast((one) => one.frame <= from) ?? switched[0])?.shown ?? 0,
    camera: (cuts.findLast((one) => one.frame <= from) ?? cuts[0])?.camera ?? options.camera ?? camera ?? '',
  }))
  const changes = looks.filter(({ shown, camera: by }, i) => shown !== looks[i - 1]?.shown || by !== looks[i - 1]?.camera)
  return changes.length > 1 ? changes : undefined
}

function samplesOf(scene: SceneFacts, options: InspectOptions): number {
  const samples = options.samples ?? scene.cycles?.samples ?? scene.eeveeSamples
  if (!Number.isInteger(samples) || samples < 1 || samples > 1 << 24)
    throw invalid('options.samples', 'a whole number of at least 1', samples)
  return samples
}

function outputOf(scene: SceneFacts, options: InspectOptions): OutputSpec {
  const size = {
    width: Math.floor((scene.width * scene.percentage) / 100),
    height: Math.floor((scene.height * scene.percentage) / 100),
  }
  if (options.format !== undefined && !FORMATS.includes(options.format))
    throw invalid('options.format', `one of ${FORMATS.join(', ')}`, options.format)
  const own = FORMATS.includes(scene.format)
  const format = (options.format ?? (own ? scene.format : 'PNG')) as OutputSpec['format']
  const mode = scene.colorMode === 'BW' || scene.colorMode === 'RGB' ? scene.colorMode : 'RGBA'
  const colorMode = format === 'JPEG' && mode === 'RGBA' ? 'RGB' : mode
  const passes = format === 'OPEN_EXR_MULTILAYER' ? { passes: passesOf(scene) } : {}
  if (format === scene.format) return { format, ...size, colorMode, bitDepth: Number(scene.colorDepth) as 8 | 16 | 32, ...passes }
  return { format, ...size, colorMode, bitDepth: format.startsWith('OPEN_EXR') ? 16 : 8, ...passes }
}

function passesOf(scene: SceneFacts): string[] {
  return [...new Set(scene.layers.filter((layer) => layer.use).flatMap((layer) => layer.passes))].sort()
}

/** Formats whose files can carry the hash of their layers. */
const TAGGED: readonly string[] = ['PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER']

/**
 * How frames can be checked (PROTOCOL.md, step 5). `crop` needs that a region of the picture is the same as the region rendered alone: Cycles without denoising,
 * sequencer, or compositor nodes that reach over pixels. Where only denoising and nodes stand against it, the layers before them are delivered as well (`sidecar`).
 * All else is rendered again whole (`replica`).
 */
export function checkClassOf(scene: SceneFacts, format: OutputSpec['format']): CheckClass {
  if (scene.engine !== 'CYCLES' || scene.sequencer) return 'replica'
  if (!scene.cycles?.use_denoising && scene.compositor.wide.length === 0) return 'crop'
  return TAGGED.includes(format) ? 'sidecar' : 'replica'
}

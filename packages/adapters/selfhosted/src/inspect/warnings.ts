import type { SceneFacts, SceneReport } from './report.ts'
import { checkClassOf } from './spec.ts'

export interface SceneWarning {
  readonly code: string
  readonly message: string
}

type Rule = (scene: SceneFacts, report: SceneReport) => string | false | undefined

const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`
const POLL = 'this farm will not run them; bake what they do into keyframes'

/** What a render wrangler would say before he lets a scene on the farm. Each rule gives a message or nothing. */
const RULES: Readonly<Record<string, Rule>> = {
  'python-drivers': (_, { pythonDrivers: n }) => n > 0 && `${plural(n, 'driver')} run Python: ${POLL}`,
  'autorun-texts': (_, { autorunTexts: t }) =>
    t.length > 0 && `${plural(t.length, 'text')} would run when the file opens (${t.join(', ')}): ${POLL}`,
  'freestyle-scripts': ({ freestyleScripts: layers }) =>
    layers.length > 0 &&
    `Freestyle draws ${plural(layers.length, 'view layer')} by Python (${layers.join(', ')}): the lines are left out; use its Parameter Editor mode`,
  'animated-settings': ({ animatedSettings: paths }) =>
    paths.length > 0 &&
    `${plural(paths.length, 'render setting')} animated (${paths.join(', ')}): each is held as the order says`,
  'layer-samples': ({ layerSamples: layers = [] }) =>
    layers.length > 0 &&
    `${plural(layers.length, 'view layer')} with samples of ${layers.length === 1 ? 'its' : 'their'} own (${layers.join(', ')}): all layers are rendered with the samples of the scene`,
  'add-ons': (_, { addOns }) =>
    addOns.length > 0 &&
    `the file holds data of add-ons (${addOns.join(', ')}), which farms do not run; apply or bake what they make`,
  'unbaked-simulation': (_, { simulations }) => {
    const loose = simulations.filter((one) => !one.baked)
    return (
      loose.length > 0 &&
      `${plural(loose.length, 'simulation')} not baked (${loose[0]!.object}): frames rendered apart will not fit together`
    )
  },
  'movie-format': ({ movie, format }) =>
    movie && `the file asks for a movie (${format}); frames are rendered as PNG and the movie is made afterwards`,
  'format-changed': ({ movie, format }) =>
    !movie &&
    !['PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER', 'JPEG', 'TIFF', 'WEBP'].includes(format) &&
    `${format} is not delivered; frames are rendered as PNG`,
  'border-ignored': ({ border }) => border && 'a render border is set in the file; whole frames are rendered',
  'file-outputs': ({ compositor: { fileOutputs: n } }) =>
    n > 0 && `${plural(n, 'File Output node')} switched off: only the main picture is delivered`,
  'composite-missing': ({ compositor: { output } }) =>
    !output && 'the compositor is on and nothing reaches its Composite node: frames stay empty; connect it or switch it off',
  'single-layer': ({ singleLayer, layers }) =>
    singleLayer && layers.length > 1 && 'Render Single Layer is on; all view layers that are on are rendered',
  'stereo-ignored': ({ multiview }) => multiview && 'stereo rendering is on; one view is rendered',
  'time-limit': ({ cycles }) =>
    cycles && cycles.time_limit > 0 && 'a time limit a frame is set; it is ignored, since its result depends on the machine',
  'open-shading-language': ({ cycles }) =>
    cycles?.shading_system && 'Open Shading Language is on; it is switched off, since it runs code of the scene',
  'denoiser-missing': ({ cycles }, { denoiserBuilt }) =>
    cycles?.use_denoising &&
    cycles.denoiser === 'OPENIMAGEDENOISE' &&
    !denoiserBuilt &&
    'denoising is on, but this Blender was built without OpenImageDenoise',
  'whole-frame-checks': (scene) =>
    checkClassOf(scene, 'PNG') === 'replica' &&
    `checks must render whole frames again (${scene.engine === 'CYCLES' ? 'the sequencer is used' : 'the engine is not Cycles'}), which makes them dearer`,
  'layers-checked': (scene) =>
    checkClassOf(scene, 'PNG') === 'sidecar' &&
    `the layers before ${scene.cycles?.use_denoising ? 'denoising' : `the compositor (${scene.compositor.wide.join(', ')})`} are delivered too, for checks; JPEG, TIFF and WebP frames are rendered again whole`,
  sequencer: ({ sequencer }) => sequencer && 'the video sequencer shapes the picture',
  eevee: ({ engine }) => engine.startsWith('BLENDER_EEVEE') && 'Eevee needs a GPU or a display on the farm',
  'samples-high': ({ cycles }) =>
    cycles && cycles.samples > 2048 && !cycles.use_adaptive_sampling && `${cycles.samples} samples without adaptive sampling`,
  'samples-low': ({ cycles }) => cycles && cycles.samples < 8 && `only ${cycles.samples} samples`,
  'layer-off': ({ layers }) => {
    const off = layers.filter((layer) => !layer.use)
    return off.length > 0 && `${plural(off.length, 'view layer')} switched off (${off.map((layer) => layer.name).join(', ')})`
  },
  'moved-files': (_, { external }) => {
    const moved = external.filter((one) => one.moved)
    return (
      moved.length > 0 &&
      `${plural(moved.length, 'file')} found elsewhere than the scene says: ${moved[0]!.stored} is taken from ${moved[0]!.absolute}`
    )
  },
  'sound-missing': (_, { external }) => {
    const lost = external.filter((one) => one.kind === 'sound' && one.files.length === 0)
    return lost.length > 0 && `${plural(lost.length, 'sound')} not there (${lost[0]!.stored}); frames do not need them`
  },
  'absolute-paths': (_, { external }) => {
    const absolute = external.filter((one) => !one.stored.startsWith('//'))
    return (
      absolute.length > 0 &&
      `${plural(absolute.length, 'path')} absolute (${absolute[0]!.stored}); they are found again through the bundle`
    )
  },
}

/** The warnings of a scene, in a fixed order. */
export function warningsOf(scene: SceneFacts, report: SceneReport): SceneWarning[] {
  return Object.entries(RULES).flatMap(([code, rule]) => {
    const message = rule(scene, report)
    return typeof message === 'string' ? [{ code, message }] : []
  })
}

/**
 * Memory that a frame needs, MiB: geometry (220 bytes a triangle with BVH), textures, sixteen float buffers of the picture, and Blender itself. A rule of thumb
 * that was not measured against GPUs.
 */
export function memoryMiBOf(scene: SceneFacts, { complexity }: SceneReport): number {
  const pixels = (scene.width * scene.height * scene.percentage ** 2) / 10_000
  return Math.ceil(180 + (complexity.uniqueTriangles * 220 + complexity.textureBytes + pixels * 128) / 1e6)
}

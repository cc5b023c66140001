import type {
  BundleFile,
  BundleManifest,
  CheckClass,
  JobSpec,
  Money,
  OutputSpec,
  Region,
  RenderSpec,
  StageRef,
  TaskRef,
} from '@pictor/core/contract'
import { count, either, ext, flag, list, named, number, object, optional, text, word, type Schema } from '../schema.ts'
import { atMs, frames, hash, moneySchema, name, signature } from './basics.ts'

/** A farm’s handle on a task. */
export const taskRefSchema: Schema<TaskRef> = named(
  'TaskRef',
  object<TaskRef>({ farm: name, ref: name, leaseSignature: optional(signature) }),
)
/** A farm’s handle on staged files. */
export const stageRefSchema: Schema<StageRef> = named('StageRef', object<StageRef>({ farm: name, ref: name }))

const bundleFile = named(
  'BundleFile',
  object<BundleFile>({
    path: text({
      max: 4_096,
      // Relative, `/`-separated, without `.` or `..` parts, backslashes, drive letters or control characters.
      pattern: /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))(?!.*\/\/)(?![A-Za-z]:)[^\\/\p{Cc}][^\\\p{Cc}]*$/u,
      expected: 'a relative path with / and without ..',
    }),
    hash,
    bytes: count(),
  }),
)
/** The files of a render; paths stay inside the bundle. */
export const manifestSchema: Schema<BundleManifest> = named(
  'BundleManifest',
  object<BundleManifest>({ root: hash, entry: text({ max: 4_096 }), files: list(bundleFile, 200_000) }),
)

const outputSpec = object<OutputSpec>({
  format: word('PNG', 'OPEN_EXR', 'OPEN_EXR_MULTILAYER', 'JPEG', 'TIFF', 'WEBP'),
  width: number({ whole: true, min: 1, max: 65_536 }),
  height: number({ whole: true, min: 1, max: 65_536 }),
  colorMode: word('BW', 'RGB', 'RGBA'),
  bitDepth: word(8, 16, 32),
  passes: optional(list(name, 1_000)),
})
export const checkClass: Schema<CheckClass> = word('crop', 'sidecar', 'replica', 'file-only')

export const region: Schema<Region> = object<Region>({ x: count(), y: count(), width: count(1), height: count(1) })

/** What is rendered with what. */
export const renderSpecSchema: Schema<RenderSpec> = named(
  'RenderSpec',
  object<RenderSpec>({
    software: name,
    softwareVersion: name,
    engine: name,
    scene: name,
    viewLayers: list(name, 10_000),
    camera: name,
    samples: count(),
    adaptive: flag,
    denoise: flag,
    seed: number({ whole: true }),
    animatedSeed: flag,
    motionBlur: optional(flag),
    output: outputSpec,
    checkClass,
    tiles: optional(list(region, 256, 2)),
    legitBlackFrames: optional(frames),
    legitStatic: optional(flag),
    ext,
  }),
)

/** One creator’s order. */
export const jobSpecSchema: Schema<JobSpec> = named(
  'JobSpec',
  object<JobSpec>({
    name,
    frames: text({ max: 1_000_000 }),
    bundle: manifestSchema,
    render: renderSpecSchema,
    deadlineAtMs: atMs,
    budget: moneySchema,
    goal: either(
      word('cheapest', 'fastest'),
      object<{ hourValue: Money }>({ hourValue: moneySchema }),
      (value) => typeof value === 'string',
    ),
    allowHumanLanes: optional(flag),
    maxFarms: optional(count(1)),
    priority: optional(number()),
    ext,
  }),
)

/** What Blender says of an open file (python/scene_report.py). */
export interface SceneReport {
  readonly savedWith: string
  readonly active: string
  readonly scenes: readonly SceneFacts[]
  readonly external: readonly ExternalEntry[]
  readonly simulations: readonly { readonly object: string; readonly type: string; readonly baked: boolean }[]
  readonly autorunTexts: readonly string[]
  readonly pythonDrivers: number
  /** What shows that the file was made with add-ons: groups of their properties on scenes, nodes and an engine that this Blender does not have. */
  readonly addOns: readonly string[]
  readonly complexity: {
    readonly instances: number
    readonly triangles: number
    readonly uniqueTriangles: number
    readonly textureBytes: number
    readonly objects: number
  }
  readonly denoiserBuilt: boolean
}

/** One scene of a file. */
export interface SceneFacts {
  readonly name: string
  readonly engine: string
  readonly frameStart: number
  readonly frameEnd: number
  readonly frameStep: number
  readonly fps: number
  readonly width: number
  readonly height: number
  readonly percentage: number
  readonly border: boolean
  readonly format: string
  readonly colorMode: string
  readonly colorDepth: string
  readonly movie: boolean
  readonly output: string
  readonly motionBlur: boolean
  readonly simplify: boolean
  readonly multiview: boolean
  /** Only the view layer that was open would be rendered. */
  readonly singleLayer: boolean
  readonly camera: string | null
  readonly cameras: readonly string[]
  /** Timeline markers that switch the camera. */
  readonly markers: readonly { readonly frame: number; readonly camera: string }[]
  /** How many of the objects that keyframes switch on and off are rendered, from which frames on. */
  readonly switched?: readonly { readonly frame: number; readonly shown: number }[]
  readonly layers: readonly {
    readonly name: string
    readonly use: boolean
    readonly passes: readonly string[]
    readonly aovs: readonly string[]
  }[]
  readonly compositor: {
    readonly used: boolean
    readonly wide: readonly string[]
    readonly fileOutputs: number
    /** Whether anything reaches the picture. */ readonly output: boolean
  }
  readonly sequencer: boolean
  readonly eeveeSamples: number
  /** Paths of settings that the file animates and that an order decides: they are held still. */
  readonly animatedSettings: readonly string[]
  /** View layers whose lines (Freestyle) would be drawn by Python. */
  readonly freestyleScripts: readonly string[]
  /** View layers that ask for samples of their own. */
  readonly layerSamples?: readonly string[]
  readonly viewTransform: string
  readonly cycles?: {
    readonly samples: number
    readonly use_adaptive_sampling: boolean
    readonly time_limit: number
    readonly seed: number
    readonly use_animated_seed: boolean
    readonly use_denoising: boolean
    readonly denoiser: string
    readonly shading_system: boolean
    readonly sample_offset: number
  }
}

/** A path that the file stores, with the files that it stands for (none: missing). */
export interface ExternalEntry {
  readonly kind: string
  readonly owner: string
  readonly stored: string
  /** Name of the library whose data holds the path; empty for the file itself. */
  readonly library: string
  readonly absolute: string
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  /** Of a folder for caches: whether something was baked into it, so that frames would lack it. */
  readonly needed?: boolean
  /** Found elsewhere than the stored path says. */
  readonly moved?: boolean
}

/** Whether frames would lack the entry. They have no sound, and a folder for caches may never have been filled. */
export function isMissing(one: ExternalEntry): boolean {
  return one.files.length === 0 && one.kind !== 'sound' && one.needed !== false
}

import { createHash } from 'node:crypto'
import { encodePng } from '@pictor/image'
import type { Farm, FarmEvent, FarmInfo, Output, Region, SoftwareBuild, Task, TaskRef } from '@pictor/core/contract'

/** What is rendered, beside the frame number. Values other than the defaults are cheats. */
export interface NoiseScene {
  readonly width: number
  readonly height: number
  readonly samples: number
  readonly seed: number
  /** Brightness factor. */
  readonly gain?: number
  /** Adds this many 8-bit steps up and down by turns, as another device's arithmetic might. */
  readonly flicker?: number
  /** Noise on the disc only, as where an object stands before a plain background. */
  readonly flat?: boolean
  /** A bright square painted over the picture. */
  readonly mark?: Region
  /** An area multiplied by a factor. */
  readonly tile?: Region & { readonly gain: number }
  /** An area that small renders alone show 30 % brighter, as reflections resolved otherwise might. */
  readonly smallOnly?: Region
}

const inside = (x: number, y: number, area: Region): boolean =>
  x >= area.x && x < area.x + area.width && y >= area.y && y < area.y + area.height

/** A hash of integers to 0..1 with the quality of a noise generator, so that "samples" behave like a path tracer's. */
function random(...keys: readonly number[]): number {
  let h = 0x9e3779b9
  for (const key of keys) {
    h = Math.imul(h ^ key, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h ^= h >>> 16
  }
  return (h >>> 0) / 2 ** 32
}

const onDisc = (frame: number, x: number, y: number, { width, height }: NoiseScene): boolean =>
  Math.hypot(x - width * (0.3 + 0.05 * frame), y - height / 2) < height / 4

/** Level of the noiseless picture: a moving disc on a gradient. */
function level(frame: number, x: number, y: number, channel: number, scene: NoiseScene): number {
  const disc = onDisc(frame, x, y, scene) ? 0.25 : 0
  return 0.2 + 0.3 * (x / scene.width) + disc * (1 - 0.2 * channel)
}

/** Renders one frame (or a window of it) as a Monte Carlo picture: the mean of `samples` random values around the level, white noise between pixels. */
export function renderNoise(frame: number, scene: NoiseScene, region?: Region): Uint8Array {
  const { x: x0, y: y0, width, height } = region ?? { x: 0, y: 0, width: scene.width, height: scene.height }
  const out = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0
        for (let s = 0; s < scene.samples; s++) sum += random(scene.seed, x0 + x, y0 + y, c, s, frame)
        const plain = scene.flat && !onDisc(frame, x0 + x, y0 + y, scene)
        const noise = plain ? 0 : (sum / scene.samples - 0.5) * 0.5
        const { mark } = scene
        const marked = mark && inside(x0 + x, y0 + y, mark)
        const tile = scene.tile && inside(x0 + x, y0 + y, scene.tile) ? scene.tile.gain : 1
        const value = marked ? 0.95 : (level(frame, x0 + x, y0 + y, c, scene) + noise) * (scene.gain ?? 1) * tile
        out[(y * width + x) * 3 + c] = Math.max(
          0,
          Math.min(255, Math.round(value * 255 + ((x0 + x + y0 + y) % 2 === 0 ? 1 : -1) * (scene.flicker ?? 0))),
        )
      }
    }
  }
  return encodePng(width, height, 3, out)
}

const scaled = ({ x, y, width, height }: Region, by: number): Region & { gain: number } => ({
  x: Math.round(x * by),
  y: Math.round(y * by),
  width: Math.round(width * by),
  height: Math.round(height * by),
  gain: 1.3,
})

/** What the renderer says that it is; a farm that says the same makes the same noise. */
export const NOISE_BUILD: SoftwareBuild = { name: 'blender', version: '3.4.1', engines: ['CYCLES'], devices: ['CPU'] }

/** A renderer in memory behind the Farm port. With `ownSeed` it ignores the ordered seed, as a broken one might. */
export function noiseFarm(
  scene: NoiseScene,
  options: { readonly failing?: boolean; readonly ownSeed?: boolean } = {},
): Farm & { readonly rendered: Task[] } {
  const tasks = new Map<string, { ref: TaskRef; bytes: Uint8Array }>()
  const log: FarmEvent[] = []
  const rendered: Task[] = []
  const refuse = (): never => {
    throw new Error('not part of this farm')
  }
  return {
    contract: 1,
    id: 'noise',
    rendered,
    describe: async () => ({ software: [NOISE_BUILD] }) as unknown as FarmInfo,
    quote: refuse,
    stage: async () => ({ farm: 'noise', ref: 'stage' }),
    async submit(task, ctx) {
      const known = tasks.get(ctx.key)
      if (known) return known.ref
      const ref: TaskRef = { farm: 'noise', ref: ctx.key }
      if (options.failing) {
        log.push({
          type: 'state',
          task: ref,
          state: 'failed',
          raw: 'failed',
          atMs: 0,
          failure: { class: 'capacity', message: 'no GPU is free' },
        })
        return ref
      }
      rendered.push(task)
      const frame = task.work.kind === 'frames' ? task.work.frames[0]! : 0
      const scale = (task.window?.resolutionPct ?? 100) / 100
      const size = { width: Math.floor(scene.width * scale), height: Math.floor(scene.height * scale) }
      const bytes = renderNoise(
        frame,
        {
          ...scene,
          ...size,
          ...(scale < 1 && scene.smallOnly ? { tile: scaled(scene.smallOnly, scale) } : {}),
          seed: options.ownSeed ? scene.seed * 1000 + (task.window?.seed ?? 0) : (task.window?.seed ?? scene.seed),
        },
        task.window?.region,
      )
      tasks.set(ctx.key, { ref, bytes })
      const hash = `0x${createHash('sha256').update(bytes).digest('hex')}` as const
      const output: Output = {
        task: ref,
        frame,
        part: 0,
        layer: '',
        name: ctx.key,
        bytes: bytes.length,
        hash,
        completedAtMs: 0,
        renderMs: 10,
      }
      log.push({ type: 'output', output, atMs: 0 }, { type: 'state', task: ref, state: 'succeeded', raw: 'done', atMs: 0 })
      return ref
    },
    poll: async ({ cursor }) => ({ events: log.slice(Number(cursor ?? 0)), cursor: String(log.length), waitMs: 0 }),
    set: async () => 'done',
    async open(output) {
      const { bytes } = tasks.get(output.name)!
      return {
        bytes: bytes.length,
        stream: (async function* () {
          yield bytes
        })(),
      }
    },
  }
}

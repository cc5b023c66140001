// Synthetic picture sequences for campaign/check-sequences.ts and the tests: honest ones of many kinds, some of them nasty, and defects put into one frame of them. Scenes follow from
// a seed, so that any number of new ones can be held out.

import { encodeExr, encodePng } from '@pictor/image'

/** A linear picture: R, G, B one after another, row by row. */
export interface Shot {
  readonly width: number
  readonly height: number
  /** Interleaved RGB, 0..1 and above. */
  readonly rgb: Float32Array
  /** Bits that the file's values went through, where they are fewer than the file's own. */
  readonly bits?: number
}

/** What decides a scene. */
export interface SceneRecipe {
  readonly seed: number
  readonly width: number
  readonly height: number
  /** Standard deviation of the noise in mid grey. */
  readonly noise: number
  /** Whether each frame has noise of its own. */
  readonly animatedSeed: boolean
  /** Pixels a frame. */
  readonly pan: number
  readonly objects: readonly Thing[]
  readonly sky: readonly [number, number, number]
}

interface Thing {
  readonly x: number
  readonly y: number
  readonly size: number
  /** Pixels a frame. */
  readonly speed: number
  readonly round: boolean
  readonly colour: readonly [number, number, number]
  /** Period of its stripes, pixels. */
  readonly stripes: number
}

/** A deterministic generator of numbers in 0..1 (mulberry32). */
export function generator(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws a scene: textured discs and boxes that stand or move before a gradient, under a still or panning camera. */
export function drawScene(seed: number, width = 240, height = 136): SceneRecipe {
  const random = generator(seed * 7919 + 1)
  const colour = (): [number, number, number] => [0.05 + 0.8 * random(), 0.05 + 0.8 * random(), 0.05 + 0.8 * random()]
  return {
    seed,
    width,
    height,
    noise: 0.01 + 0.06 * random() ** 2,
    animatedSeed: random() < 0.5,
    pan: random() < 0.6 ? 0 : 4 * random() - 2,
    objects: Array.from({ length: 3 + Math.floor(5 * random()) }, () => ({
      x: width * random(),
      y: height * (0.2 + 0.7 * random()),
      size: height * (0.06 + 0.2 * random()),
      speed: random() < 0.5 ? 0 : 12 * random() - 6,
      round: random() < 0.5,
      colour: colour(),
      stripes: 3 + 20 * random(),
    })),
    sky: colour(),
  }
}

/** Another scene of the same size. */
const another = ({ seed, width, height }: SceneRecipe, by: number): SceneRecipe => drawScene(seed + by, width, height)

/** How a frame departs from its scene. */
export interface FrameOptions {
  /** Moment of the animation; the frame number when left out. */
  readonly time?: number
  /** Share of the ordered samples. */
  readonly samples?: number
  readonly gain?: number
  /** Seed of the noise. */
  readonly noiseSeed?: number
  /** Leaves the largest object out. */
  readonly without?: boolean
  /** Pixels by which the camera stands aside. */
  readonly aside?: number
  readonly recolour?: boolean
}

/** Renders a frame: the scene at its moment, and noise that grows with the root of the level. */
export function renderShot(scene: SceneRecipe, frame: number, options: FrameOptions = {}): Shot {
  const { width, height } = scene
  const { time = frame, samples = 1, gain = 1, aside = 0 } = options
  const random = generator(
    (options.noiseSeed ?? (scene.animatedSeed ? frame : 0)) * 104729 + scene.seed * 31 + Math.round(samples * 1000),
  )
  const largest = Math.max(...scene.objects.map(({ size }) => size))
  const objects = scene.objects.filter(({ size }) => !options.without || size < largest)
  const rgb = new Float32Array(width * height * 3)
  const shift = scene.pan * time + aside
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3
      const [u, v] = [x + shift, y]
      const thing = objects.findLast((one) => inside(one, u - one.x - one.speed * time, v - one.y))
      const ground = 0.7 + 0.3 * Math.sin(u / 9) * Math.sin(v / 7)
      const stripe = thing
        ? 0.75 + 0.25 * Math.sin(((u - thing.speed * time) / thing.stripes) * 2 * Math.PI)
        : ground * (0.4 + (0.6 * v) / height)
      for (let c = 0; c < 3; c++) {
        const base = thing ? thing.colour[c]! * (options.recolour && thing.size === largest ? 0.8 : 1) : scene.sky[c]!
        const level = base * stripe * gain
        // The sum of four uniforms is normal enough.
        const noise = (random() + random() + random() + random() - 2) * 1.73
        rgb[at + c] = Math.max(0, level + noise * scene.noise * Math.sqrt(level / samples))
      }
    }
  }
  return { width, height, rgb }
}

const inside = ({ size, round }: Thing, dx: number, dy: number): boolean =>
  round ? dx * dx + dy * dy < size * size : Math.abs(dx) < size && Math.abs(dy) < size * 0.8

/** Changes pixels: `change` gets the value, the place and the channel. */
export function changeShot({ width, height, rgb }: Shot, change: (v: number, x: number, y: number, c: number) => number): Shot {
  const out = rgb.map((v, i) => change(v, Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3))
  return { width, height, rgb: out }
}

const mix = (p: Shot, q: Shot, share: number): Shot => ({ ...p, rgb: p.rgb.map((v, i) => v * (1 - share) + q.rgb[i]! * share) })
const flat = ({ width, height }: SceneRecipe, rgb: readonly [number, number, number]): Shot => ({
  width,
  height,
  rgb: Float32Array.from({ length: width * height * 3 }, (_, i) => rgb[i % 3]!),
})

/** Frames of an honest sequence, numbered from 1. */
export type Sequence = (scene: SceneRecipe, frame: number) => Shot

/** Honest sequences by name, each of them a thing that films do. No frame of them may be refused. */
export const HONEST: Readonly<Record<string, Sequence>> = {
  'plain animation': (scene, frame) => renderShot(scene, frame),
  'still camera, still scene, one seed': (scene) => renderShot({ ...scene, animatedSeed: false }, 1, { time: 1 }),
  'still scene, new seed a frame': (scene, frame) => renderShot({ ...scene, animatedSeed: true }, frame, { time: 1 }),
  'on twos': (scene, frame) => renderShot({ ...scene, animatedSeed: false }, frame, { time: 2 * Math.floor(frame / 2) }),
  'on twos and ones': (scene, frame) =>
    renderShot({ ...scene, animatedSeed: false }, frame, { time: [0, 1, 1, 3, 4, 5, 5, 7, 8, 8, 10, 11, 12][frame]! }),
  'loop of four': (scene, frame) => renderShot({ ...scene, animatedSeed: false }, frame, { time: frame % 4 }),
  'ease out to a hold': (scene, frame) =>
    renderShot({ ...scene, animatedSeed: false }, frame, { time: frame < 6 ? frame - frame ** 2 / 12 : 3 }),
  'fade to black': (scene, frame) => renderShot(scene, frame, { gain: Math.max(0, 1 - frame / 8) }),
  'fade from black, squared': (scene, frame) => renderShot(scene, frame, { gain: Math.max(0, (frame - 2) / 10) ** 2 }),
  'fade to white': (scene, frame) => mix(renderShot(scene, frame), flat(scene, [1, 1, 1]), Math.min(1, frame / 8)),
  'cross-dissolve of stills': (scene, frame) =>
    mix(renderShot(scene, 1, { time: 1 }), renderShot(another(scene, 500), 1, { time: 1 }), frame / 12),
  'hard cut': (scene, frame) => renderShot(frame < 6 ? scene : another(scene, 500), frame),
  'cuts every two frames': (scene, frame) => renderShot(another(scene, 100 * Math.floor(frame / 2)), frame),
  'strobe: black every other frame': (scene, frame) => (frame % 2 ? renderShot(scene, frame) : flat(scene, [0, 0, 0])),
  'black frames between shots': (scene, frame) => (frame >= 5 && frame <= 7 ? flat(scene, [0, 0, 0]) : renderShot(scene, frame)),
  'lightning for one frame': (scene, frame) => renderShot(scene, frame, { gain: frame === 6 ? 2.5 : 1 }),
  'flickering fire': (scene, frame) => renderShot(scene, frame, { gain: 0.7 + 0.5 * generator(frame + scene.seed)() }),
  letterbox: (scene, frame) => changeShot(renderShot(scene, frame), (v, _x, y) => (y < 16 || y >= scene.height - 16 ? 0 : v)),
  'black screen on a wall': (scene, frame) =>
    changeShot(renderShot({ ...scene, pan: 0 }, frame), (v, x, y) => (x >= 64 && x < 144 && y >= 32 && y < 96 ? 0 : v)),
  'screen that blinks off': (scene, frame) =>
    changeShot(renderShot({ ...scene, pan: 0 }, frame), (v, x, y) =>
      frame % 3 === 0 && x >= 64 && x < 144 && y >= 32 && y < 96 ? 0 : v,
    ),
  'black card that flies by': (scene, frame) =>
    changeShot(renderShot(scene, frame), (v, x, y) =>
      x >= 64 * (frame - 4) && x < 64 * (frame - 4) + 48 && y >= 32 && y < 80 ? 0 : v,
    ),
  'black ground under a sky': (scene, frame) =>
    changeShot(renderShot({ ...scene, pan: 0 }, frame), (v, _x, y) => (y >= 96 ? 0 : v)),
  'title card': (scene, frame) => (frame < 5 ? flat(scene, [0.1, 0.2, 0.6]) : renderShot(scene, frame)),
  'pixel art': (scene, frame) =>
    changeShot(renderShot({ ...scene, noise: 0 }, frame), (v) => Math.round(v ** (1 / 2.2) * 7) ** 2.2 / 7 ** 2.2),
  'checker floor without noise': (scene, frame) =>
    changeShot(
      flat(scene, [0, 0, 0]),
      (_v, x, y) => ((Math.floor((x + frame) / 16) + Math.floor(y / 16)) % 2 ? 0.6 : 0.2) + 0.1 * Math.sin((x + frame) / 2),
    ),
  'the same picture twice, side by side': (scene, frame) => {
    const left = renderShot(scene, frame)
    return changeShot(left, (v, x, y, c) =>
      x < scene.width / 2 ? v : left.rgb[(y * scene.width + x - scene.width / 2) * 3 + c]!,
    )
  },
  'neon in magenta': (scene, frame) =>
    changeShot(renderShot(scene, frame), (v, x, y, c) => (x > 90 && x < 140 && y > 40 && y < 70 ? [0.95, 0.005, 0.9][c]! : v)),
  'frame counter burnt in': (scene, frame) =>
    changeShot(renderShot({ ...scene, pan: 0 }, frame), (v, x, y) =>
      y > 110 && y < 126 && x > 8 && x < 8 + 14 * 3 ? ((x * frame * 7 + y * (frame % 5)) % 11 < 5 ? 0.9 : 0) : v,
    ),
  'camera shake for one frame': (scene, frame) => renderShot(scene, frame, { aside: frame === 6 ? 5 : 0 }),
  'speed ramp': (scene, frame) => renderShot(scene, frame, { time: (frame / 4) ** 2 }),
  'fireworks of sparks': (scene, frame) => {
    const random = generator(frame * 13 + scene.seed)
    const sparks = new Set(
      Array.from({ length: 10 + Math.floor(60 * random()) }, () => Math.floor(random() * scene.width * scene.height)),
    )
    return changeShot(renderShot(scene, frame), (v, x, y) => (sparks.has(y * scene.width + x) ? 4 : v))
  },
}

/** Defects by name: frame `frame` of the plain animation, spoilt. */
export const DEFECTS: Readonly<Record<string, Sequence>> = {
  'samples 25 %': (scene, frame) => renderShot(scene, frame, { samples: 0.25 }),
  'samples 50 %': (scene, frame) => renderShot(scene, frame, { samples: 0.5 }),
  'samples 75 %': (scene, frame) => renderShot(scene, frame, { samples: 0.75 }),
  'copy of the frame before': (scene, frame) => renderShot(scene, frame - 1),
  'copy and noise': (scene, frame) => {
    const random = generator(frame)
    return changeShot(renderShot(scene, frame - 1), (v) => Math.max(0, v + 0.02 * (random() - 0.5)))
  },
  interpolated: (scene, frame) => mix(renderShot(scene, frame - 1), renderShot(scene, frame + 1), 0.5),
  'exposure -3 %': (scene, frame) => renderShot(scene, frame, { gain: 0.97 }),
  'exposure -10 %': (scene, frame) => renderShot(scene, frame, { gain: 0.9 }),
  'frame of another shot': (scene, frame) => renderShot(another(scene, 777), frame),
  'camera aside': (scene, frame) => renderShot(scene, frame, { aside: 3 }),
  'missing object': (scene, frame) => renderShot(scene, frame, { without: true }),
  'older material': (scene, frame) => renderShot(scene, frame, { recolour: true }),
  black: (scene) => flat(scene, [0, 0, 0]),
  'one colour': (scene) => flat(scene, [0.3, 0.3, 0.3]),
  'black tile': (scene, frame) =>
    changeShot(renderShot(scene, frame), (v, x, y) => (x >= 128 && x < 192 && y >= 64 && y < 128 ? 0 : v)),
  'repeated tile': (scene, frame) => {
    const shot = renderShot(scene, frame)
    return changeShot(shot, (v, x, y, c) =>
      x >= 128 && x < 192 && y >= 64 && y < 128 ? shot.rgb[((y - 64) * shot.width + x - 128) * 3 + c]! : v,
    )
  },
  'tile of 4 % more gain': (scene, frame) =>
    changeShot(renderShot(scene, frame), (v, x, y) => (x >= 128 && x < 192 && y >= 64 && y < 128 ? v * 1.04 : v)),
  'tile shifted by a pixel': (scene, frame) => {
    const shot = renderShot(scene, frame)
    return changeShot(shot, (v, x, y, c) =>
      x >= 128 && x < 192 && y >= 64 && y < 128 ? shot.rgb[(y * shot.width + x - 1) * 3 + c]! : v,
    )
  },
  'unfinished rows': (scene, frame) => changeShot(renderShot(scene, frame), (v, _x, y) => (y >= 90 ? 0 : v)),
  watermark: (scene, frame) =>
    changeShot(renderShot(scene, frame), (v, x, y) =>
      x > 20 && x < 100 && y > 20 && y < 40 && (x + y) % 12 < 6 ? 0.7 * v + 0.15 : v,
    ),
  fireflies: (scene, frame) => {
    const random = generator(frame + 5)
    const hot = new Set(Array.from({ length: 25 }, () => Math.floor(random() * scene.width * scene.height)))
    return changeShot(renderShot(scene, frame), (v, x, y) => (hot.has(y * scene.width + x) ? 20 : v))
  },
  'missing texture': (scene, frame) =>
    changeShot(renderShot(scene, frame), (v, x, y, c) => (x > 40 && x < 90 && y > 30 && y < 80 ? [1, 0, 1][c]! : v)),
  'red and blue swapped': (scene, frame) => {
    const shot = renderShot(scene, frame)
    return changeShot(shot, (v, x, y, c) => shot.rgb[(y * shot.width + x) * 3 + 2 - c] ?? v)
  },
  mirrored: (scene, frame) => {
    const shot = renderShot(scene, frame)
    return changeShot(shot, (_v, x, y, c) => shot.rgb[(y * shot.width + shot.width - 1 - x) * 3 + c]!)
  },
  'transfer curve twice': (scene, frame) => changeShot(renderShot(scene, frame), (v) => v ** (1 / 2.2)),
  blurred: (scene, frame) => blurred(renderShot(scene, frame)),
  'half the resolution, enlarged': (scene, frame) => {
    const shot = renderShot(scene, frame)
    return changeShot(shot, (_v, x, y, c) => shot.rgb[((y & ~1) * shot.width + (x & ~1)) * 3 + c]!)
  },
  'fewer bits': (scene, frame) => ({ ...renderShot(scene, frame), bits: 5 }),
}

function blurred(shot: Shot): Shot {
  const at = (x: number, y: number, c: number): number => shot.rgb[(y * shot.width + x) * 3 + c] ?? 0
  return changeShot(shot, (v, x, y, c) =>
    x === 0 || y === 0 || x === shot.width - 1 || y === shot.height - 1
      ? v
      : (2 * v + at(x - 1, y, c) + at(x + 1, y, c) + at(x, y - 1, c) + at(x, y + 1, c)) / 6,
  )
}

/** The file a renderer would write: 8-bit PNG with dither that starts from a number, or half EXR. */
export function encodeShot({ width, height, rgb, bits }: Shot, format: 'png' | 'exr', dither: number): Uint8Array {
  if (format === 'png') {
    let state = dither + 1
    const steps = 2 ** (bits ?? 8) - 1
    const level = (v: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      const shown = v <= 0 ? 0 : Math.max(0, Math.min(255, Math.floor(255 * v ** (1 / 2.2) + (state >>> 8) / 2 ** 24)))
      return Math.round((Math.round((shown / 255) * steps) * 255) / steps)
    }
    return encodePng(width, height, 3, Uint8Array.from(rgb, level))
  }
  const steps = bits === undefined ? 0 : 255
  const planes = ['R', 'G', 'B'].map((name, c) => ({
    name,
    type: 'half' as const,
    data: Float32Array.from({ length: width * height }, (_, i) => {
      const v = rgb[3 * i + c]!
      return steps === 0 ? v : (Math.round(Math.min(1, v) ** (1 / 2.2) * steps) / steps) ** 2.2
    }),
  }))
  return encodeExr(width, height, planes)
}

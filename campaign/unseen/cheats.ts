// What a farm may deliver instead of what was ordered: other renders, other frames, edited pictures, broken files.
import type { RenderSpec } from '@pictor/core/contract'
import { generator } from '../../packages/checker/calibration/sequences.ts'
import { enlarged, fileOf, filtered, jpegged, mapColour, medianFiltered, mixed, planesOf, type Planes } from './pixels.ts'
import type { UnseenScene } from './renders.ts'

/** Kinds of cheats, as a report groups them. */
export type CheatGroup = 'settings' | 'scene' | 'sequence' | 'edit' | 'file'

/** One spoilt frame. */
export interface Cheat {
  readonly group: CheatGroup
  readonly name: string
  readonly bytes: Uint8Array
}

/** Everything that spoils frame `frame` of a scene; `honest` holds the delivered frames by number. Some need renders of their own. */
export async function cheatsOf(
  scene: UnseenScene,
  honest: ReadonlyMap<number, Uint8Array>,
  frame: number,
): Promise<readonly Cheat[]> {
  const original = honest.get(frame)!
  const format = scene.spec.output.format === 'PNG' ? 'png' : 'exr'
  const settings = await otherSettings(scene, frame)
  const pictures: (readonly [CheatGroup, string, Planes, Uint8Array?])[] = []
  for (const [name, bytes] of settings) pictures.push(['settings', name, shown(bytes, name, scene.spec), bytes])
  for (const version of scene.versions) {
    const bytes = (await scene.deliver(version, scene.spec, [frame])).get(frame)!
    pictures.push(['scene', version, planesOf(bytes), bytes])
  }
  const planes = planesOf(original)
  const [before, after, later] = [frame - 1, frame + 1, frame + 2].map((one) => planesOf(honest.get(one)!)) as [
    Planes,
    Planes,
    Planes,
  ]
  // Another frame comes with the layers of its own.
  pictures.push(['sequence', 'frame before', before, honest.get(frame - 1)!])
  pictures.push(['sequence', 'frame after next', later, honest.get(frame + 2)!])
  for (const [name, made] of [
    ['frame before and noise', noisy(before, format, frame)],
    ['interpolated', mixed(before, after)],
    ['rows from the frame before', mapColour(planes, (v, x, y, c) => (y < 100 ? v : before.data[c]![y * planes.width + x]!))],
    [
      'tile from the frame before',
      mapColour(planes, (v, x, y, c) => (inTile(x, y) ? before.data[c]![y * planes.width + x]! : v)),
    ],
  ] as const)
    pictures.push(['sequence', name, made])
  for (const [name, made] of edits(planes, format, frame)) pictures.push(['edit', name, made])
  // A cheat of the settings keeps the layers of its own render, an edit those of the honest one.
  const files = pictures.map(([group, name, made, like = original]) => ({ group, name, bytes: fileOf(made, like, format) }))
  return [...files, ...broken(original, format, planes)]
}

/** Renders of the right scene under cheaper settings. */
async function otherSettings(scene: UnseenScene, frame: number): Promise<ReadonlyMap<string, Uint8Array>> {
  const { spec } = scene
  const made = new Map<string, Uint8Array>()
  const add = async (name: string, changed: Partial<RenderSpec>): Promise<void> => {
    made.set(name, (await scene.deliver('scene', { ...spec, ...changed }, [frame])).get(frame)!)
  }
  for (const percent of [75, 50, 25]) {
    const samples = Math.max(1, Math.round((spec.samples * percent) / 100))
    await add(`${percent} % of the samples`, { samples })
    // Another seed hides that the samples are the first of those ordered.
    if (percent < 75) await add(`${percent} % of the samples, other seed`, { samples, seed: spec.seed + 31_337 })
  }
  made.set('quarter of the samples, denoised', made.get('25 % of the samples')!)
  made.set('half of the samples, denoised', made.get('50 % of the samples')!)
  for (const percent of [75, 50]) {
    const { width, height } = spec.output
    const size = { width: Math.round((width * percent) / 100), height: Math.round((height * percent) / 100) }
    await add(`${percent} % of the resolution, enlarged`, { output: { ...spec.output, ...size } })
  }
  made.set('half the resolution, enlarged, sharpened, grained', made.get('50 % of the resolution, enlarged')!)
  return made
}

/** What is delivered of such a render: some are worked on to look right. */
function shown(bytes: Uint8Array, name: string, { output }: RenderSpec): Planes {
  const planes = planesOf(bytes)
  if (name.endsWith('denoised')) return denoised(planes)
  if (!name.includes('resolution')) return planes
  const large = enlarged(planes, output.width, output.height)
  return name.endsWith('grained') ? grained(large) : large
}

/** A bilateral filter, 5 x 5, which keeps edges: Debian's Blender has no denoiser. */
const denoised = (planes: Planes): Planes =>
  filtered(planes, 2, (difference, far) => Math.exp(-(difference ** 2) / 0.02 - far / 4))

/** Sharpened, with noise on top: what upscalers leave, in simple. */
function grained(planes: Planes): Planes {
  const soft = filtered(planes, 1, (_difference, far) => Math.exp(-far))
  const random = generator(7)
  return mapColour(planes, (v, x, y, c) => {
    const sharp = v + 0.7 * (v - soft.data[c]![y * planes.width + x]!)
    return Math.max(0, sharp * (1 + 0.06 * (random() - 0.5)))
  })
}

function noisy(planes: Planes, format: string, seed: number): Planes {
  const random = generator(seed)
  const strength = format === 'png' ? 0.02 : 0.05
  return mapColour(planes, (v) => Math.max(0, v + strength * (random() - 0.5) * (format === 'png' ? 1 : v + 0.1)))
}

const inTile = (x: number, y: number): boolean => x >= 96 && x < 160 && y >= 48 && y < 112
const inMark = (x: number, y: number): boolean => x >= 20 && x < 92 && y >= 16 && y < 34 && (x + 2 * y) % 14 < 7

/** Retouched pictures. Places are in pixels, whatever the size. */
export function* edits(planes: Planes, format: 'png' | 'exr', frame: number): Generator<readonly [string, Planes]> {
  const { width, height, data } = planes
  const at = (x: number, y: number, c: number): number =>
    data[c]![Math.max(0, Math.min(height - 1, y)) * width + Math.max(0, Math.min(width - 1, x))]!
  const random = generator(frame)
  const hot = new Set(Array.from({ length: 12 }, () => Math.floor(random() * width * height)))
  const change = (what: Parameters<typeof mapColour>[1]): Planes => mapColour(planes, what)
  yield ['denoised', denoised(planes)]
  yield ['median filter', medianFiltered(planes)]
  yield ['slightly blurred', filtered(planes, 1, (_difference, far) => Math.exp(-far / 0.5))]
  yield ['watermark', change((v, x, y) => (inMark(x, y) ? 0.8 * v + 0.1 : v))]
  yield ['black tile', change((v, x, y) => (inTile(x, y) ? 0 : v))]
  yield ['small black hole', change((v, x, y) => (x >= 120 && x < 144 && y >= 60 && y < 84 ? 0 : v))]
  yield ['area copied over another', change((v, x, y, c) => (inTile(x, y) ? at(x - 70, y, c) : v))]
  yield ['tile of 4 % more gain', change((v, x, y) => (inTile(x, y) ? 1.04 * v : v))]
  yield ['tile shifted by a pixel', change((v, x, y, c) => (inTile(x, y) ? at(x - 1, y, c) : v))]
  yield ['unfinished rows', change((v, _x, y) => (y < 115 ? v : 0))]
  yield ['exposure -3 %', change((v) => 0.97 * v)]
  yield ['exposure +10 %', change((v) => 1.1 * v)]
  yield ['gamma 1.05', change((v) => Math.max(0, v) ** 1.05)]
  yield ['red +3 %', change((v, _x, _y, c) => (c === 0 ? 1.03 * v : v))]
  yield ['red and blue swapped', change((_v, x, y, c) => at(x, y, 2 - c))]
  yield ['a tenth less saturation', change((v, x, y) => 0.9 * v + (0.1 * (at(x, y, 0) + at(x, y, 1) + at(x, y, 2))) / 3)]
  yield ['mirrored', change((_v, x, y, c) => at(width - 1 - x, y, c))]
  yield ['shifted by a pixel', change((_v, x, y, c) => at(x - 1, y, c))]
  yield ['twelve hot pixels', change((v, x, y) => (hot.has(y * width + x) ? (format === 'png' ? 1 : 40) : v))]
  yield ['black', change(() => 0)]
  yield ['one colour', change(() => 0.4)]
  const display = (v: number): number => Math.max(0, Math.min(1, v)) ** (1 / 2.2)
  if (format === 'png') {
    for (const quality of [90, 75]) yield [`through JPEG, quality ${quality}`, jpegged(planes, quality)]
    yield ['6 bits a channel', change((v) => Math.round(63 * v) / 63)]
    return
  }
  yield ['8 bits a channel', change((v) => (Math.round(255 * display(v)) / 255) ** 2.2)]
  yield ['NaN pixels', change((v, x, y) => (hot.has(y * width + x) ? Number.NaN : v))]
  yield ['infinite pixels', change((v, x, y) => (hot.has(y * width + x) ? Infinity : v))]
  yield ['clipped at white', change((v) => Math.min(1, v))]
}

/** Files that no picture can be read from, or not the ordered one. */
function broken(original: Uint8Array, format: 'png' | 'exr', planes: Planes): Cheat[] {
  const flipped = Uint8Array.from(original)
  flipped[Math.floor(original.length * 0.6)]! ^= 16
  const zeroed = Uint8Array.from(original).fill(0, Math.floor(original.length * 0.8))
  const half = enlarged(planes, planes.width / 2, planes.height / 2)
  const files: [string, Uint8Array][] = [
    ['empty', new Uint8Array(0)],
    ['an error page', new TextEncoder().encode('<!doctype html><title>502 Bad Gateway</title>')],
    ['truncated', original.subarray(0, Math.floor(original.length * 0.7))],
    ['last bytes missing', original.subarray(0, original.length - 9)],
    ['a bit flipped', flipped],
    ['zeros at its end', zeroed],
    ['half the size', fileOf(half, original, format)],
    ['a channel missing', fileOf({ ...planes, data: planes.data.slice(0, planes.data.length === 4 ? 3 : 1) }, original, format)],
    ['the other format', fileOf(planes, original, format === 'png' ? 'exr' : 'png')],
  ]
  return files.map(([name, bytes]) => ({ group: 'file', name, bytes }))
}

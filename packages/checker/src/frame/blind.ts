import type { ImageFile, ImageStats, PlaneStats } from '@pictor/image'
import type { Area, Picture } from '../compare/picture.ts'
import { finding, type WeighedFinding, type Weight } from '../verdict/finding.ts'
import type { FrameMeasures } from './measure.ts'

/** What the creator says is meant. */
export interface BlindOptions {
  readonly legitBlack: boolean
}

type Decode = () => Promise<{ readonly image: Pick<ImageFile, 'parts'>; readonly picture?: Picture }>

/** Looks at the pixels without any reference: NaN and infinity, black, constant, an empty pass, magenta. Decodes the file only where its statistics are odd. */
export async function checkPixels(
  stats: ImageStats,
  { part }: FrameMeasures,
  options: BlindOptions,
  decode: Decode,
): Promise<readonly WeighedFinding[]> {
  const main = stats.parts[part]!
  const colours = main.planes.filter((plane) => main.colorPlanes.includes(plane.name))
  const alpha = main.planes.find((plane) => plane.name === 'A')
  const hidden = alpha !== undefined && alpha.mean < 0.01
  const dark = main.blackFraction > 1 - 4e-4 || colours.every((plane) => plane.std < 1e-3) || hidden
  const notFinite = checkFinite(stats)
  const findings = [...notFinite.map(({ found }) => found), ...checkPasses(stats)]
  const looks = dark || main.magentaFraction > MAGENTA_SHARE || notFinite.some(({ found }) => found.weight === 'refuse')
  if (!looks) return findings
  const { image, picture } = await decode()
  for (const [i, { plane, part: index, found }] of notFinite.entries()) {
    const region = placeOf(image, index, plane.name, found.code)
    if (region) findings[i] = { ...found, region }
  }
  if (picture) findings.push(...checkLevels(picture, options), ...checkMagenta(picture))
  return findings
}

/** Passes that hold data: depth is infinite where the camera sees the sky, positions and vectors may be undefined there. */
const DATA_PASS = /(^|\.)(Z|Depth|Mist|Position|Vector|Normal|UV|IndexOB|IndexMA|Crypto\w*|Denoising\w*)(\.|$)/i

/** NaN and infinity prove a broken render in the picture itself; in other passes a node of the artist's may make them, so they are doubts there, and infinite data is usual. */
function weightOf(plane: PlaneStats, main: readonly string[], what: 'nan' | 'inf'): Weight {
  if (main.includes(plane.name)) return 'refuse'
  if (DATA_PASS.test(plane.name)) return what === 'inf' ? 'note' : 'doubt'
  return 'doubt'
}

function checkFinite({
  parts,
}: ImageStats): { readonly plane: PlaneStats; readonly part: number; readonly found: WeighedFinding }[] {
  return parts.flatMap(({ planes, colorPlanes }, part) =>
    planes.flatMap((plane) => {
      const say = (what: 'nan' | 'inf', count: number, words: string): WeighedFinding[] =>
        count === 0
          ? []
          : [
              finding(weightOf(plane, colorPlanes, what), what, `${count} pixels of ${plane.name} are ${words}`, {
                value: count,
                threshold: 0,
              }),
            ]
      return [...say('nan', plane.nan, 'not numbers'), ...say('inf', plane.inf, 'infinite')].map((found) => ({
        plane,
        part,
        found,
      }))
    }),
  )
}

/** Where the last such pixel lies. */
function placeOf(image: Pick<ImageFile, 'parts'>, part: number, name: string, what: string): Area | undefined {
  const { width, planes } = image.parts[part]!
  const data = planes.find((plane) => plane.name === name)?.data
  const at = data ? data.findLastIndex((v) => (what === 'nan' ? v !== v : v === Infinity || v === -Infinity)) : -1
  return at < 0 ? undefined : { x: at % width, y: Math.floor(at / width), width: 1, height: 1 }
}

/**
 * Black: fewer than 1 in 10,000 pixels above 1.5/255, so that dither and a hot pixel do not hide a black frame. Constant: the standard deviation of every
 * channel below 1e-4. Fades, titles and mattes are so honestly: doubts, which the neighbours may sharpen. A black picture whose alpha has content is a matte.
 */
function checkLevels(picture: Picture, options: BlindOptions): WeighedFinding[] {
  const pixels = picture.width * picture.height
  let lit = 0
  let deviation = 0
  for (let c = 0; c < picture.colour.length; c++) {
    const plane = picture.colour[c]!
    let sum = 0
    let squares = 0
    let above = 0
    const base = plane[0]!
    for (let i = 0; i < pixels; i++) {
      const v = plane[i]!
      if (v > 1.5 / 255) above++
      sum += v - base
      squares += (v - base) * (v - base)
    }
    lit = Math.max(lit, above)
    deviation = Math.max(deviation, Math.sqrt(Math.max(0, squares / pixels - (sum / pixels) ** 2)))
  }
  if (options.legitBlack) return []
  if (lit < pixels * 1e-4 && varies(picture.alpha)) {
    const message = 'all colours are black and only alpha has content: a matte or a shadow pass, or a picture that went missing'
    return [finding('doubt', 'black-matte', message, { value: lit / pixels, threshold: 1e-4 })]
  }
  if (lit < pixels * 1e-4) {
    return [
      finding('doubt', 'black-frame', 'the whole frame is black, and the order lists no black frame here', {
        value: lit / pixels,
        threshold: 1e-4,
      }),
    ]
  }
  if (deviation < 1e-4)
    return [finding('doubt', 'constant-frame', 'the whole frame has one colour', { value: deviation, threshold: 1e-4 })]
  return []
}

const varies = (alpha: Float32Array | undefined): boolean =>
  alpha !== undefined && alpha.some((v) => Math.abs(v - alpha[0]!) > 0.01)

/** Share of magenta pixels that is tolerated. */
const MAGENTA_SHARE = 0.004

/** Cycles paints missing textures (1, 0, 1). Lit surfaces mix it with light, so the test is relative: red and blue high and alike, green near none. */
function checkMagenta(picture: Picture): WeighedFinding[] {
  if (picture.colour.length < 3) return []
  const [r, g, b] = picture.raw as [Float32Array, Float32Array, Float32Array]
  const low = picture.hdr ? 0.05 : 0.12
  const high = picture.hdr ? 0.4 : 0.7
  let count = 0
  for (let i = 0; i < r.length; i++) {
    if (r[i]! > high && b[i]! > high && g[i]! < low) count++
  }
  const share = count / r.length
  if (share <= MAGENTA_SHARE) return []
  const percent = (share * 100).toFixed(1)
  return [
    finding('doubt', 'magenta', `${percent} % of the pixels have the magenta of a missing texture`, {
      value: share,
      threshold: MAGENTA_SHARE,
    }),
  ]
}

/** A pass that is zero everywhere was probably not rendered; some are honestly empty (no emission in the scene), so it is a note. */
function checkPasses({ parts }: ImageStats): WeighedFinding[] {
  const empty = parts
    .flatMap((part) => part.planes)
    .filter(({ name, samples, zeros }) => name.includes('.') && !/Combined/.test(name) && zeros === samples)
    .map(({ name }) => name)
  return empty.length === 0 ? [] : [finding('note', 'empty-pass', `these channels are zero everywhere: ${empty.join(', ')}`)]
}

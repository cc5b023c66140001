import type { ImageFile } from '@pictor/image'
import type { Picture } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** What the creator says is meant. */
export interface BlindOptions {
  readonly legitBlack: boolean
}

/** Looks at the pixels without any reference: NaN and infinity, black, constant, an empty pass, magenta. */
export function checkPixels(image: ImageFile, picture: Picture, options: BlindOptions): readonly WeighedFinding[] {
  return [...checkFinite(image), ...checkLevels(picture, options), ...checkMagenta(picture), ...checkPasses(image)]
}

function checkFinite(image: ImageFile): WeighedFinding[] {
  const findings: WeighedFinding[] = []
  for (const part of image.parts) {
    for (const plane of part.planes) {
      if (plane.type !== 'half' && plane.type !== 'float') continue
      // Depth passes hold infinity where the camera sees the sky.
      const depth = /(^|\.)(Z|Depth|Mist)(\.|$)/.test(plane.name)
      let nan = 0
      let inf = 0
      let at = 0
      for (let i = 0; i < plane.data.length; i++) {
        // v - v is 0 for every finite number: one test on the usual path.
        const v = plane.data[i]!
        if (v - v === 0) continue
        if (v !== v) nan++
        else inf++
        at = i
      }
      const region = { x: at % part.width, y: Math.floor(at / part.width), width: 1, height: 1 }
      if (nan > 0)
        findings.push(
          finding('refuse', 'nan', `${nan} pixels of ${plane.name} are not numbers`, { value: nan, threshold: 0, region }),
        )
      if (inf > 0 && !depth)
        findings.push(
          finding('refuse', 'inf', `${inf} pixels of ${plane.name} are infinite`, { value: inf, threshold: 0, region }),
        )
    }
  }
  return findings
}

/**
 * Black: fewer than 1 in 10,000 pixels above 1.5/255, so that dither and a hot pixel do not hide a black frame. Constant: the standard deviation of every
 * channel below 1e-4. Both are certain unless the creator listed the frame.
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
  if (lit < pixels * 1e-4) {
    return [
      finding('suspect', 'black-frame', 'the whole frame is black, and the order lists no black frame here', {
        value: lit / pixels,
        threshold: 1e-4,
      }),
    ]
  }
  if (deviation < 1e-4)
    return [finding('suspect', 'constant-frame', 'the whole frame has one colour', { value: deviation, threshold: 1e-4 })]
  return []
}

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
  if (share <= 0.004) return []
  const percent = (share * 100).toFixed(1)
  return [
    finding('suspect', 'magenta', `${percent} % of the pixels have the magenta of a missing texture`, {
      value: share,
      threshold: 0.004,
    }),
  ]
}

/** A pass that is zero everywhere was probably not rendered; some are honestly empty (no emission in the scene), so it is a note. */
function checkPasses(image: ImageFile): WeighedFinding[] {
  const empty: string[] = []
  for (const part of image.parts) {
    for (const plane of part.planes) {
      if (plane.name.includes('.') && !/Combined/.test(plane.name) && plane.data.every((v) => v === 0)) empty.push(plane.name)
    }
  }
  return empty.length === 0 ? [] : [finding('note', 'empty-pass', `these channels are zero everywhere: ${empty.join(', ')}`)]
}

import type { ImageFile } from '@pictor/image'
import type { OutputSpec } from '@pictor/core/contract'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** Compares what was delivered with what was ordered: size, windows, depth, channels, alpha, passes, colour tags. */
export function checkOrder(image: ImageFile, output: OutputSpec): readonly WeighedFinding[] {
  return [...checkSize(image, output), ...checkDepth(image, output), ...checkChannels(image, output), ...checkColour(image)]
}

function checkSize(image: ImageFile, output: OutputSpec): WeighedFinding[] {
  const findings: WeighedFinding[] = []
  const ordered = `${output.width} x ${output.height}`
  if (image.width !== output.width || image.height !== output.height) {
    findings.push(
      finding('refuse', 'wrong-size', `${ordered} pixels were ordered, the picture is ${image.width} x ${image.height}`, {
        value: image.width * image.height,
        threshold: output.width * output.height,
      }),
    )
  }
  for (const part of image.parts) {
    const { xMin, yMin } = part.displayWindow
    const { dataWindow } = part
    if (
      findings.length === 0 &&
      (part.width !== output.width || part.height !== output.height || dataWindow.xMin !== xMin || dataWindow.yMin !== yMin)
    ) {
      const name = part.name ? `part ${part.name}` : 'the picture'
      const where = `${part.width} x ${part.height} from (${dataWindow.xMin}, ${dataWindow.yMin})`
      findings.push(finding('refuse', 'wrong-window', `${ordered} pixels were ordered, but ${name} holds only ${where}`))
    }
  }
  return findings
}

function checkDepth(image: ImageFile, output: OutputSpec): WeighedFinding[] {
  if (image.bitDepth === output.bitDepth) return []
  const message = `${output.bitDepth} bits a channel were ordered, the file has ${image.bitDepth}`
  // More bits than ordered cost the creator nothing but space.
  const weight = image.bitDepth < output.bitDepth ? 'refuse' : 'doubt'
  return [finding(weight, 'wrong-bit-depth', message, { value: image.bitDepth, threshold: output.bitDepth })]
}

function checkChannels(image: ImageFile, output: OutputSpec): WeighedFinding[] {
  const names = new Set(image.parts.flatMap((part) => part.planes.map((plane) => plane.name)))
  const has = (channel: string): boolean => [...names].some((name) => name === channel || name.endsWith(`.${channel}`))
  const wanted = output.colorMode === 'BW' ? [] : output.colorMode === 'RGB' ? ['R', 'G', 'B'] : ['R', 'G', 'B', 'A']
  const missing = wanted.filter((channel) => !has(channel))
  const findings = missing.map((channel) => {
    const what = channel === 'A' ? 'the alpha channel' : `the ${channel} channel`
    return finding('refuse', 'missing-channel', `${output.colorMode} was ordered, ${what} is missing`)
  })
  for (const pass of output.passes ?? []) {
    if (!['Combined', 'Image'].includes(pass) && ![...names].some((name) => name.split('.').includes(pass))) {
      findings.push(finding('refuse', 'missing-pass', `the ordered pass ${pass} is missing`))
    }
  }
  return findings
}

/** A transfer curve other than sRGB's in a display-referred file means that viewers show other colours than the artist saw. */
function checkColour(image: ImageFile): WeighedFinding[] {
  const { gamma, iccName } = image.colorSpace
  if (image.format === 'png' && gamma !== undefined && (gamma < 0.4 || gamma > 0.56)) {
    const message = `the file declares the encoding exponent ${gamma.toFixed(3)}; renders for display carry 0.455`
    return [finding('doubt', 'colour-tag', message, { value: gamma, threshold: 0.4545 })]
  }
  return iccName && !/srgb/i.test(iccName)
    ? [finding('note', 'colour-tag', `the file carries the colour profile ${iccName}`)]
    : []
}

import type { ImageInfo } from '@pictor/image'
import type { OutputSpec } from '@pictor/core/contract'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** Compares what was delivered with what was ordered: size, windows, depth, channels, alpha, passes, colour tags. */
export function checkOrder(info: ImageInfo, output: OutputSpec): readonly WeighedFinding[] {
  return [...checkSize(info, output), ...checkDepth(info, output), ...checkChannels(info, output), ...checkColour(info)]
}

function checkSize(info: ImageInfo, output: OutputSpec): WeighedFinding[] {
  const findings: WeighedFinding[] = []
  const ordered = `${output.width} x ${output.height}`
  if (info.width !== output.width || info.height !== output.height) {
    findings.push(
      finding('refuse', 'wrong-size', `${ordered} pixels were ordered, the picture is ${info.width} x ${info.height}`, {
        value: info.width * info.height,
        threshold: output.width * output.height,
      }),
    )
  }
  for (const part of info.parts) {
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

function checkDepth(info: ImageInfo, output: OutputSpec): WeighedFinding[] {
  if (info.bitDepth === output.bitDepth) return []
  const message = `${output.bitDepth} bits a channel were ordered, the file has ${info.bitDepth}`
  // More bits than ordered cost the creator nothing but space.
  const weight = info.bitDepth < output.bitDepth ? 'refuse' : 'doubt'
  return [finding(weight, 'wrong-bit-depth', message, { value: info.bitDepth, threshold: output.bitDepth })]
}

function checkChannels(info: ImageInfo, output: OutputSpec): WeighedFinding[] {
  const names = new Set(info.parts.flatMap((part) => part.channels.map((channel) => channel.name)))
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

/** Transfer functions of ITU-T H.273 that screens show alike: BT.709, its two twins of BT.2020, and sRGB. */
const DISPLAY_TRANSFERS: ReadonlySet<number> = new Set([1, 13, 14, 15])

/** A transfer curve other than sRGB's in a display-referred file means that viewers show other colours than the artist saw. */
function checkColour(info: ImageInfo): WeighedFinding[] {
  const { gamma, iccName, cicp } = info.colorSpace
  if (cicp && !(cicp[0] === 1 && DISPLAY_TRANSFERS.has(cicp[1]!))) {
    const message = `the file declares primaries ${cicp[0]} and transfer ${cicp[1]} (ITU-T H.273); renders for display carry 1 and 13`
    return [finding('doubt', 'colour-tag', message, { value: cicp[1]!, threshold: 13 })]
  }
  if (info.format === 'png' && gamma !== undefined && (gamma < 0.4 || gamma > 0.56)) {
    const message = `the file declares the encoding exponent ${gamma.toFixed(3)}; renders for display carry 0.455`
    return [finding('doubt', 'colour-tag', message, { value: gamma, threshold: 0.4545 })]
  }
  return iccName && !/srgb/i.test(iccName)
    ? [finding('note', 'colour-tag', `the file carries the colour profile ${iccName}`)]
    : []
}

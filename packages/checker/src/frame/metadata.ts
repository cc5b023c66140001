import type { ImageInfo } from '@pictor/image'
import type { RenderSpec } from '@pictor/core/contract'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/**
 * Compares what the renderer wrote into the file with the order: Blender's `cycles.LAYER.samples`, `Frame`, `Scene`, `Camera`, and what pipelines add to it: a seed, the
 * program's version. The farm can write these itself, so agreement proves nothing; a contradiction is a fair and cheap reason to doubt, and fewer samples than ordered is an
 * admission. Missing tags are normal: farms strip them because they carry paths.
 */
export function checkMetadata(metadata: ImageInfo['metadata'], spec: RenderSpec, frame: number): readonly WeighedFinding[] {
  const findings: WeighedFinding[] = []
  for (const [key, value] of Object.entries(metadata)) {
    const samples = /^cycles\.(.+)\.samples$/.exec(key) ? Number(value) : undefined
    if (samples !== undefined && Number.isFinite(samples) && spec.samples > 0 && samples !== spec.samples) {
      const message = `the file says ${samples} samples, ${spec.samples} were ordered`
      const short = samples < spec.samples
      findings.push(finding(short ? 'refuse' : 'note', 'declared-samples', message, { value: samples, threshold: spec.samples }))
    }
  }
  const said = (name: string): string | undefined => {
    const value = metadata[name]
    return value === undefined ? undefined : String(value)
  }
  const frameSaid = said('Frame') ?? said('frame')
  if (frameSaid !== undefined && /^-?\d+$/.test(frameSaid.trim()) && Number(frameSaid) !== frame) {
    findings.push(finding('doubt', 'declared-frame', `the file says frame ${Number(frameSaid)}, frame ${frame} was ordered`))
  }
  for (const [tag, ordered] of [
    ['Scene', spec.scene],
    ['Camera', spec.camera],
  ] as const) {
    const value = said(tag)
    if (value !== undefined && ordered !== '' && value !== ordered) {
      findings.push(finding('doubt', `declared-${tag.toLowerCase()}`, `the file says ${tag} ${value}, ordered was ${ordered}`))
    }
  }
  return [...findings, ...checkSeed(metadata, spec, frame), ...checkVersion(metadata, spec)]
}

/** Names under which a seed is written: `seed`, `Seed`, `cycles.seed`, `cycles.LAYER.seed`. */
const SEED_TAG = /^(?:cycles\.(?:.+\.)?)?seed$/i

/** A frame of another seed may be as good as the ordered one: a note. The statistics judge it. With an animated seed, either the scene's or that of the frame is right. */
function checkSeed(metadata: ImageInfo['metadata'], { seed, animatedSeed }: RenderSpec, frame: number): WeighedFinding[] {
  const tag = Object.keys(metadata).find((key) => SEED_TAG.test(key))
  const said = tag === undefined ? Number.NaN : Number(metadata[tag])
  if (!Number.isInteger(said) || said === seed || (animatedSeed && said === seed + frame)) return []
  return [finding('note', 'declared-seed', `the file says seed ${said}, ${seed} was ordered`, { value: said, threshold: seed })]
}

/** Names under which a program and its version are written: PNG's keyword `Software`, EXR's `software`, and what scripts call it. */
const VERSION_TAG = /^(?:software|creator|renderer|(?:blender ?)?version)$/i

/** Versions of one family (major and minor) render alike as far as the order can say; those of another are doubtful. Other programs, such as a converter, are none of our business. */
function checkVersion(metadata: ImageInfo['metadata'], { software, softwareVersion }: RenderSpec): WeighedFinding[] {
  const ordered = /^(\d+\.\d+)/.exec(softwareVersion)?.[1]
  if (ordered === undefined) return []
  for (const [key, value] of Object.entries(metadata)) {
    if (!VERSION_TAG.test(key)) continue
    const text = String(value)
    const named = text.toLowerCase().includes(software.toLowerCase()) || /version/i.test(key)
    const said = named ? /(\d+\.\d+)(?:\.\d+)?/.exec(text) : null
    if (said && said[1] !== ordered)
      return [finding('doubt', 'declared-version', `the file says ${software} ${said[0]}, ${softwareVersion} was ordered`)]
  }
  return []
}

/** Seconds that the renderer says it took, without the scene's loading: the longest of Blender's `cycles.LAYER.render_time`, else `RenderTime`. Undefined where no file says. */
export function declaredSeconds(metadata: ImageInfo['metadata']): number | undefined {
  const times = Object.entries(metadata).flatMap(([key, value]) => {
    const seconds = /^cycles\..+\.render_time$/.test(key) ? secondsOf(value) : undefined
    return seconds === undefined ? [] : [seconds]
  })
  return times.length > 0 ? Math.max(...times) : secondsOf(metadata['RenderTime'])
}

/** `[HH:]MM:SS.ss` as Blender writes it. */
function secondsOf(value: string | number | undefined): number | undefined {
  const match = /^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(String(value ?? '').trim())
  return match ? Number(match[1] ?? 0) * 3600 + Number(match[2]) * 60 + Number(match[3]) : undefined
}

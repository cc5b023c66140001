import type { ImageInfo } from '@pictor/image'
import type { RenderSpec } from '@pictor/core/contract'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/**
 * Compares what the renderer wrote into the file with the order (Blender: `cycles.LAYER.samples`, `cycles.LAYER.render_time`, `Frame`, `Scene`, `Camera`).
 * The farm can write these itself, so agreement proves nothing; a contradiction is a fair and cheap reason to doubt, and fewer samples than
 * ordered is an admission. Missing tags are normal: farms strip them because they carry paths.
 */
export function checkMetadata(metadata: ImageInfo['metadata'], spec: RenderSpec, frame: number): readonly WeighedFinding[] {
  const findings: WeighedFinding[] = []
  for (const [key, value] of Object.entries(metadata)) {
    const samples = /^cycles\.(.+)\.samples$/.exec(key) ? Number(value) : undefined
    if (samples !== undefined && Number.isFinite(samples) && samples !== spec.samples) {
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
  return findings
}

import type { Region, RenderSpec } from '@pictor/core/contract'
import { judgeSeedLocked } from '../compare/judge.ts'
import { cut, enclosing, type Area } from '../compare/picture.ts'
import { compareWithProbe, PROBE_LIMIT } from '../compare/probe.ts'
import { compareSeedLocked, seedLockedTolerance } from '../compare/seed-locked.ts'
import { suspectAreas } from '../compare/suspicion.ts'
import type { CropSize } from '../sampling/crop-size.ts'
import { finding } from '../verdict/finding.ts'
import { inFrame, noReference, pictureOf, told, type Made } from './compared.ts'
import { placesOf } from './judge-places.ts'
import type { Compared, DirectedCrop, ReferenceRequest } from './reference-check.ts'

/** A crop at the ordered seed. An alarm is no refusal: it asks for the full frame. */
export function judgeCrop(spec: RenderSpec, one: Compared, [render]: Made): Compared {
  const { request, result } = one
  const crop = request.crop!
  const own = pictureOf(render!, request)
  if (!own || own.width !== crop.width || own.height !== crop.height)
    return told(one, { findings: [...result.findings, noReference(render!, 'crop')] })
  const limit = seedLockedTolerance(spec.output.bitDepth)
  const found = compareSeedLocked(cut(request.picture, crop), own, limit)
  const where = `the crop at (${crop.x}, ${crop.y})`
  const alarms = judgeSeedLocked(found, limit, where).map((alarm) => ({ ...alarm, region: inFrame(alarm.region, crop) }))
  if (alarms.length > 0)
    return { ...told(one, { findings: [...result.findings, ...alarms], checked: true, places: [crop] }, 'full'), cropAlarm: true }
  const facts = { value: found.rms, threshold: limit.rms, region: crop }
  const note = finding('note', 'crop-agrees', `${where} agrees with the checker's own render`, facts)
  const open = result.findings.some(({ weight }) => weight === 'suspect' || weight === 'doubt')
  const next = open ? 'full' : request.probe ? 'probe' : placesOf(one).length > 0 ? 'places' : undefined
  return told(one, { findings: [...result.findings, note], checked: true, places: [crop] }, next)
}

/**
 * A small render of the whole frame. It refuses nothing: it says where to look at the ordered seed. Areas that are off and fit into a few crops are looked at there, more of them ask for the
 * full frame; where nothing is off, the most suspicious areas are looked at all the same. A probe that fails says nothing.
 */
export function judgeProbe(_spec: RenderSpec, one: Compared, [render]: Made): Compared {
  const { request, result } = one
  const { picture } = request
  const crop = request.crop!
  const probe = pictureOf(render!, request)
  if (!probe || probe.colour.length !== picture.colour.length || probe.width < 8 || probe.height < 8)
    return placesOf(one).length > 0 ? told(one, {}, 'places') : told(one, {})
  const { off, area, beyond } = compareWithProbe(picture, probe)
  const facts = { value: off, threshold: PROBE_LIMIT }
  const { shifted, smooth, visible } = suspectAreas(picture, probe)
  const small = { width: Math.min(DIRECTED, crop.width), height: Math.min(DIRECTED, crop.height) }
  const directed: DirectedCrop[] = [
    { region: around(shifted, small, request), why: 'where a small render of the whole lies most to one side of it' },
    { region: around(smooth, small, request), why: 'where it lacks most of the detail of a small render of the whole' },
    { region: around(visible, small, request), why: 'where it differs most from a small render of the whole' },
  ]
  if (off <= PROBE_LIMIT) {
    const note = finding('note', 'probe-agrees', 'the whole frame agrees with a small render of it', facts)
    return { ...told(one, { findings: [...result.findings, note] }, 'places'), directed }
  }
  const message = 'an area differs from a small render of the whole frame'
  const suspicion = finding('suspect', 'probe-differs', message, { ...facts, region: area })
  const groups = grouped(beyond, crop)
  if (groups.length > MOST_SETTLED) return told(one, { findings: [...result.findings, suspicion] }, 'full')
  const why = 'where a small render of the whole differs'
  const settling = groups.map((group) => ({ region: around(group, crop, request), why, settles: suspicion }))
  return { ...told(one, {}, 'places'), directed: [...settling, ...directed] }
}

/** Crops that settle what a probe found, at most: more cost nearly what the whole frame does. */
const MOST_SETTLED = 3

/** Areas put together as long as a crop holds them, each to the first group that takes it. */
function grouped(areas: readonly Area[], crop: CropSize): readonly Area[] {
  const groups: Area[] = []
  for (const area of areas) {
    const fitting = groups.findIndex((group) => {
      const both = enclosing(group, area)
      return both.width <= crop.width && both.height <= crop.height
    })
    if (fitting < 0) groups.push(area)
    else groups[fitting] = enclosing(groups[fitting]!, area)
  }
  return groups
}

/** Side of a directed crop at most: it goes where a defect is, so that it need not be as large as one that must tell samples. */
const DIRECTED = 64

/** A crop of a size around an area, within the picture. */
function around(area: Area, { width, height }: CropSize, { picture }: ReferenceRequest): Region {
  const place = (from: number, size: number, crop: number, most: number): number =>
    Math.max(0, Math.min(most - crop, from + Math.floor((size - crop) / 2)))
  return {
    x: place(area.x, area.width, width, picture.width),
    y: place(area.y, area.height, height, picture.height),
    width,
    height,
  }
}

import { decodeImage } from '@pictor/image'
import type { Region } from '@pictor/core/contract'
import { toPicture, type Picture } from '../compare/picture.ts'
import type { OwnRenderResult } from '../render/own-renders.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import type { Compared, NextStep, ReferenceRequest, ReferenceResult } from './reference-check.ts'

/** What a step has rendered, in the order in which it asked. */
export type Made = readonly OwnRenderResult[]

/** The same frame with more known of it; no step left where `next` is not given. */
export const told = (one: Compared, result: Partial<ReferenceResult>, next?: NextStep): Compared => ({
  ...one,
  result: { ...one.result, ...result },
  next,
})

/** Whether two pictures can be compared pixel by pixel. */
export const sameShape = (p: Picture, q: Picture): boolean =>
  p.width === q.width && p.height === q.height && p.colour.length === q.colour.length

/** A region of a crop in the whole frame; the crop itself where there is none. */
export const inFrame = (region: Region | undefined, crop: Region): Region =>
  region ? { ...region, x: region.x + crop.x, y: region.y + crop.y } : crop

/** The picture in an own render, as the request reads it. */
export function pictureOf(render: OwnRenderResult, { read = beauty }: ReferenceRequest): Picture | undefined {
  if (!render.bytes) return undefined
  try {
    return read(render.bytes)
  } catch {
    // A broken own render is no reference; the finding says so.
    return undefined
  }
}

const beauty = (bytes: Uint8Array): Picture | undefined => toPicture(decodeImage(bytes))

/** Doubt about a frame that could not be compared. */
export const noReference = (render: OwnRenderResult, what: string): WeighedFinding =>
  finding(
    'doubt',
    'no-reference',
    `the checker could not render its own ${what} (${render.failure ?? 'its render has another shape'})`,
  )

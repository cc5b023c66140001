import { formatFrames } from '../contract/frames.ts'
import { invalid, PictorError } from '../contract/error.ts'
import type { TileMerge } from '../contract/inspect.ts'
import type { Estimate, OutputSpec, RenderSpec } from '../contract/job.ts'
import type { Region } from '../contract/task.ts'

/** Tiles are not made smaller than this, in pixels a side: a checker compares crops of up to 128 pixels, and below that fixed costs rule. */
const LEAST_SIDE = 128

/** The most tiles of one frame that `auto` makes. */
const MOST_TILES = 64

/** How frames of a job may be split: into so many tiles, or (`auto`) into enough to give every host one when the job has fewer frames than hosts. */
export type TileRequest = 'auto' | number

/**
 * The tiles that frames of an order are split into; undefined when they stay whole.
 * @throws invalid-input, unsupported when a number of tiles was asked for and the frames cannot be merged exactly
 */
export function tilesFor(
  request: TileRequest | undefined,
  spec: RenderSpec,
  frames: number,
  hosts: number,
  merge: TileMerge | undefined,
): readonly Region[] | undefined {
  if (request === undefined) return undefined
  if (request !== 'auto' && !(Number.isInteger(request) && request >= 2 && request <= MOST_TILES))
    throw invalid('tiles', `auto, or a whole number from 2 to ${MOST_TILES}`, request)
  const refusal = merge ? merge.refusal(spec) : `frames of ${spec.software} cannot be merged from tiles here`
  if (refusal !== undefined) {
    if (request === 'auto') return undefined
    throw new PictorError('unsupported', `tiles: ${refusal}`, { details: { path: 'tiles', hint: 'leave the frames whole' } })
  }
  const wanted = request === 'auto' ? Math.min(MOST_TILES, Math.ceil(hosts / frames)) : request
  const tiles = tileGrid(spec.output, wanted)
  return tiles.length < 2 ? undefined : tiles
}

/** A grid of at most `count` tiles that cover the picture exactly once, nearly square, row by row. Fewer where the picture is too small. */
export function tileGrid({ width, height }: Pick<OutputSpec, 'width' | 'height'>, count: number): Region[] {
  const mostColumns = Math.max(1, Math.floor(width / LEAST_SIDE))
  const mostRows = Math.max(1, Math.floor(height / LEAST_SIDE))
  let [columns, rows] = [1, 1]
  const oblong = (c: number, r: number): number => Math.abs(Math.log((width * r) / (height * c)))
  for (let c = 1; c <= Math.min(count, mostColumns); c++) {
    const r = Math.min(mostRows, Math.floor(count / c))
    if (c * r > columns * rows || (c * r === columns * rows && oblong(c, r) < oblong(columns, rows))) [columns, rows] = [c, r]
  }
  const cut = (length: number, pieces: number): number[] =>
    Array.from({ length: pieces + 1 }, (_, i) => Math.round((i * length) / pieces))
  const [xs, ys] = [cut(width, columns), cut(height, rows)]
  return ys
    .slice(1)
    .flatMap((bottom, r) =>
      xs.slice(1).map((right, c) => ({ x: xs[c]!, y: ys[r]!, width: right - xs[c]!, height: bottom - ys[r]! })),
    )
}

/**
 * Work of each tile, frame by frame: the frame's fixed cost (scene, BVH, file) comes again with every tile, the rest is spread by area. How unevenly a picture's pixels cost is
 * not known beforehand; late tiles are leased again like late frames.
 */
export function tileWork(estimate: Estimate, fixedWork: readonly number[], tiles: readonly Region[]): Estimate {
  const area = tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0)
  const share = tiles.map((tile) => (tile.width * tile.height) / area)
  return {
    ...estimate,
    work: estimate.work.flatMap((work, i) => share.map((part) => fixedWork[i]! + (work - fixedWork[i]!) * part)),
    ...(estimate.classOf ? { classOf: estimate.classOf.flatMap((one) => tiles.map(() => one)) } : {}),
    basis: [...estimate.basis, `each frame in ${tiles.length} tiles: its fixed cost once a tile, the rest by area`],
  }
}

/** Units of a split job (frame index x parts + part - 1) as tiles with their frames. */
export function tilesAt(
  frames: readonly number[],
  units: readonly number[],
  parts: number,
): { readonly part: number; readonly frames: string }[] {
  return Array.from({ length: parts }, (_, i) => ({
    part: i + 1,
    frames: formatFrames(units.filter((unit) => unit % parts === i).map((unit) => frames[Math.floor(unit / parts)]!)),
  })).filter((tile) => tile.frames !== '')
}

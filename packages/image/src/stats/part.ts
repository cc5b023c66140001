import type { ChannelInfo } from '../types.ts'
import { createPlaneAccumulator, type RowPlane } from './accumulate.ts'
import { createPixelCounter, createRowWatcher } from './pixels.ts'
import type { PartStats, PictureRow } from './types.ts'

/** Takes one row of a part: the planes that have samples in it, by channel index. */
export interface PartAccumulator {
  addRow(planes: readonly (RowPlane | undefined)[]): void
  finish(): PartStats
}

/** Starts the statistics of a part. */
export function createPartAccumulator(
  part: { readonly name?: string; readonly width: number; readonly height: number },
  channels: readonly ChannelInfo[],
  onRow?: (row: Omit<PictureRow, 'part'>) => void,
): PartAccumulator {
  const samples = part.width * part.height
  const planes = channels.map((channel) =>
    createPlaneAccumulator(channel.name, channel.type, samples / channel.xSampling / channel.ySampling),
  )
  const found = pictureChannels(channels)
  const colors = found?.colors ?? [0]
  const alpha = found?.alpha
  let y = 0
  const type = channels[colors[0]!]!.type
  const counter = createPixelCounter(type)
  const watcher = createRowWatcher(part.width, type)
  return {
    addRow: (row) => {
      for (let index = 0; index < planes.length; index++) if (row[index]) planes[index]!.add(row[index]!)
      const picture = colors.map((index) => row[index])
      if (picture.some((plane) => plane === undefined || plane.count === 0)) return
      counter.add(picture as RowPlane[])
      watcher.add(picture as RowPlane[])
      if (!onRow || !found) return
      const matte = alpha === undefined ? undefined : row[alpha]
      onRow({
        y: y++,
        width: part.width,
        height: part.height,
        type,
        colors: picture as RowPlane[],
        ...(matte ? { alpha: matte } : {}),
      })
    },
    finish: () => {
      const main = channels[colors[0]!]!
      const pixels = samples / main.xSampling / main.ySampling
      return {
        ...(part.name === undefined ? {} : { name: part.name }),
        width: part.width,
        height: part.height,
        planes: planes.map((plane) => plane.finish()),
        colorPlanes: colors.map((index) => channels[index]!.name),
        blackFraction: Math.min(1, counter.black / pixels),
        magentaFraction: Math.min(1, counter.magenta / pixels),
        ...watcher.finish(),
      }
    },
  }
}

/** The channels that make a picture, by index. */
export interface PictureChannels {
  /** R, G and B of one type and sampling, or one gray channel. */
  readonly colors: readonly number[]
  /** Alpha of the same layer and sampling. */
  readonly alpha?: number
}

/**
 * The picture among channels: R, G and B of the unnamed layer, else of a layer called Combined, rgba or beauty, else of the first layer that has them; without such a
 * layer Y, else the first channel that ends in `.Y`. Undefined where there is neither.
 */
export function pictureChannels(channels: readonly ChannelInfo[]): PictureChannels | undefined {
  const byName = new Map(channels.map((channel, index) => [channel.name, index]))
  const layers = channels.filter(({ name }) => /(^|\.)R$/.test(name)).map(({ name }) => name.slice(0, -1))
  const rank = (layer: string): number => (layer === '' ? 0 : /(^|\.)(combined|rgba?|beauty)\.$/i.test(layer) ? 1 : 2)
  const alike = (a: ChannelInfo, b: ChannelInfo | undefined): boolean =>
    b !== undefined && a.type === b.type && a.xSampling === b.xSampling && a.ySampling === b.ySampling
  const withAlpha = (colors: readonly number[], layer: string): PictureChannels => {
    const alpha = byName.get(`${layer}A`)
    return { colors, ...(alpha !== undefined && alike(channels[colors[0]!]!, channels[alpha]) ? { alpha } : {}) }
  }
  const complete = layers
    .map((layer, order) => ({ layer, order, colors: ['R', 'G', 'B'].map((color) => byName.get(layer + color)) }))
    .filter(({ colors }) => colors.every((index) => index !== undefined && alike(channels[colors[0]!]!, channels[index])))
    .toSorted((a, b) => rank(a.layer) - rank(b.layer) || a.order - b.order)
  if (complete[0]) return withAlpha(complete[0].colors as number[], complete[0].layer)
  const gray = byName.get('Y') ?? channels.findIndex(({ name }) => name.endsWith('.Y'))
  return gray < 0 ? undefined : withAlpha([gray], channels[gray]!.name.slice(0, -1))
}

import type { ChannelInfo } from '../types.ts'
import { createPlaneAccumulator, type RowPlane } from './accumulate.ts'
import { createPixelCounter, createRowWatcher } from './pixels.ts'
import type { PartStats } from './types.ts'

/** Takes one row of a part: the planes that have samples in it, by channel index. */
export interface PartAccumulator {
  addRow(planes: readonly (RowPlane | undefined)[]): void
  finish(): PartStats
}

/** Starts the statistics of a part. */
export function createPartAccumulator(
  part: { readonly name?: string; readonly width: number; readonly height: number },
  channels: readonly ChannelInfo[],
): PartAccumulator {
  const samples = part.width * part.height
  const planes = channels.map((channel) =>
    createPlaneAccumulator(channel.name, channel.type, samples / channel.xSampling / channel.ySampling),
  )
  const colors = colorChannels(channels)
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

/**
 * Indexes of the planes that make the picture: R, G, B of the unnamed layer, else of a layer called Combined, rgba or
 * beauty, else of the first layer that has them; without such a layer Y, else the first channel.
 */
export function colorChannels(channels: readonly ChannelInfo[]): readonly number[] {
  const byName = new Map(channels.map((channel, index) => [channel.name, index]))
  const layers = channels.filter(({ name }) => /(^|\.)R$/.test(name)).map(({ name }) => name.slice(0, -1))
  const rank = (layer: string): number => (layer === '' ? 0 : /(^|\.)(combined|rgba?|beauty)\.$/i.test(layer) ? 1 : 2)
  const complete = layers
    .map((layer) => ['R', 'G', 'B'].map((color) => byName.get(layer + color)))
    .map((indexes, order) => ({ indexes, order, rank: rank(layers[order]!) }))
    .filter(({ indexes }) => {
      const first = channels[indexes[0]!]!
      return indexes.every((index) => {
        const channel = index === undefined ? undefined : channels[index]
        return channel?.type === first.type && channel.xSampling === first.xSampling && channel.ySampling === first.ySampling
      })
    })
    .toSorted((a, b) => a.rank - b.rank || a.order - b.order)
  if (complete[0]) return complete[0].indexes as number[]
  return [byName.get('Y') ?? 0]
}

import { walkPng, type PngLayout } from './walk.ts'
import { readPngRaster } from './rows.ts'
import type { Limits } from '../limits.ts'
import type { Box, ImageFile, ImageInfo, Plane } from '../types.ts'

const boxOf = (width: number, height: number): Box => ({ xMin: 0, yMin: 0, xMax: width - 1, yMax: height - 1 })

/** Header, chunks, CRCs and order of a PNG, without inflating pixels. */
export function readPngInfo(bytes: Uint8Array, limits: Limits): ImageInfo {
  return pngInfo(walkPng(bytes, limits))
}

/** The public facts of a walked PNG. */
export function pngInfo(layout: PngLayout): ImageInfo {
  const { header, metadata, channels } = layout
  const { width, height } = header
  const box = boxOf(width, height)
  return {
    format: 'png',
    width,
    height,
    bitDepth: header.bitDepth,
    colorType: header.colorType,
    interlaced: header.interlaced,
    metadata: metadata.text,
    colorSpace: metadata.colorSpace,
    parts: [
      {
        kind: 'scanline',
        width,
        height,
        dataWindow: box,
        displayWindow: box,
        channels,
        compression: 'deflate',
        chunkCount: layout.idat.length,
      },
    ],
    decodedBytes: layout.decodedBytes,
    warnings: metadata.warnings,
  }
}

/** Decodes a PNG into planes of 0..1. */
export function decodePng(bytes: Uint8Array, limits: Limits): ImageFile {
  const layout = walkPng(bytes, limits)
  const raster = readPngRaster(layout)
  const { width, height } = layout.header
  notePaletteFault(layout, raster.badIndex)
  const planes = layout.channels.map(({ name, type }, channel): Plane => {
    const data = new Float32Array(width * height)
    const max = type === 'uint16' ? 65535 : 255
    for (let y = 0; y < height; y++) {
      let at = raster.offset + y * raster.rowStride + channel
      for (let i = y * width; i < (y + 1) * width; i++, at += raster.channels) data[i] = raster.samples[at]! / max
    }
    return { name, type, data }
  })
  const box = boxOf(width, height)
  return {
    format: 'png',
    width,
    height,
    bitDepth: layout.header.bitDepth,
    colorType: layout.header.colorType,
    metadata: layout.metadata.text,
    parts: [{ width, height, dataWindow: box, displayWindow: box, planes, compression: 'deflate' }],
    colorSpace: layout.metadata.colorSpace,
    warnings: layout.metadata.warnings,
  }
}

/** Adds the warning for palette indexes beyond the palette. */
export function notePaletteFault(layout: PngLayout, badIndex: number | undefined): void {
  if (badIndex === undefined) return
  const entries = layout.palette!.length / 3
  layout.metadata.warnings.push({ code: 'palette-index', message: `palette index ${badIndex} is beyond the ${entries} entries` })
}

import {
  decodeImage,
  decodeWithSharp,
  isImageError,
  scanImage,
  scanWithSharp,
  sniffFormat,
  type ImageErrorCode,
  type ImageFile,
  type ImageStats,
} from '@pictor/image'
import type { OutputSpec } from '@pictor/core/contract'
import { toPicture, type Picture } from '../compare/picture.ts'
import { finding, type WeighedFinding } from '../verdict/finding.ts'
import { frameMeter, type FrameMeasures } from './measure.ts'

/** A file as far as it could be read, in one pass that keeps no picture. */
export interface OpenedFrame {
  readonly stats?: ImageStats
  /** Undefined where the file holds no colour picture. */
  readonly measures?: FrameMeasures
  readonly findings: readonly WeighedFinding[]
}

const FORMAT_OF: Readonly<Record<OutputSpec['format'], string>> = {
  PNG: 'png',
  OPEN_EXR: 'exr',
  OPEN_EXR_MULTILAYER: 'exr',
  JPEG: 'jpeg',
  TIFF: 'tiff',
  WEBP: 'webp',
}

/** Words for each way a file can be damaged. */
const DAMAGE: Partial<Record<ImageErrorCode, string>> = {
  empty: 'the file is empty',
  'not-an-image': 'the file is no picture (an error page or a placeholder?)',
  truncated: 'the file ends too early: its upload or write was cut off',
  'bad-header': 'the header contradicts itself',
  'bad-order': 'the parts of the file are out of order',
  'bad-crc': 'a checksum inside the file does not match: bytes were damaged',
  'bad-length': 'the pixel data has another length than the header says',
  'bad-data': 'the pixel data cannot be decompressed: bytes were damaged',
  'missing-data': 'parts of the picture were never written',
}

/**
 * Reads a delivered file once: format by its first bytes, structure, checksums, exact lengths, statistics. Damage is a finding, never a throw; a format that
 * this machine cannot decode is a doubt, never a fault of the farm. JPEG, WebP and TIFF need the optional package sharp.
 */
export async function openFrame(bytes: Uint8Array, output: Pick<OutputSpec, 'format'>): Promise<OpenedFrame> {
  const expected = FORMAT_OF[output.format]
  const found = sniffFormat(bytes)
  if (bytes.length > 0 && found !== expected) {
    const shown = found === 'unknown' ? 'no picture (an error page or a placeholder?)' : found.toUpperCase()
    return { findings: [finding('refuse', 'wrong-format', `${output.format} was ordered, the file is ${shown}`)] }
  }
  const meter = frameMeter()
  try {
    const own = bytes.length === 0 || found === 'png' || found === 'exr'
    const stats = own ? scanImage(bytes, {}, meter.add) : await scanWithSharp(bytes, {}, meter.add)
    const measures = meter.finish()
    const findings = stats.info.warnings.map((warning) => finding(warningWeight(warning.code), warning.code, warning.message))
    return { stats, ...(measures ? { measures } : {}), findings }
  } catch (error) {
    if (!isImageError(error)) throw error
    if (error.code === 'unsupported' || error.code === 'limit') {
      return { findings: [finding('doubt', 'not-decoded', `the file could not be decoded here: ${error.message}`)] }
    }
    const what = DAMAGE[error.code] ?? 'the file is damaged'
    return { findings: [finding('refuse', error.code, error.message === what ? what : `${what} (${error.message})`)] }
  }
}

/** Decodes a file that {@link openFrame} could read. */
export async function decodeFrame(bytes: Uint8Array): Promise<{ image: Pick<ImageFile, 'parts'>; picture?: Picture }> {
  const format = sniffFormat(bytes)
  const image = format === 'png' || format === 'exr' ? decodeImage(bytes) : await decodeWithSharp(bytes)
  const picture = toPicture(image)
  return { image, ...(picture ? { picture } : {}) }
}

/** Bytes after the end and surplus data are what sparse uploads and two writers in one file leave behind. */
const warningWeight = (code: string): 'doubt' | 'note' => (code === 'bad-metadata' ? 'note' : 'doubt')

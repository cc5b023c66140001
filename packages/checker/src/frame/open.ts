import { decodeImage, isImageError, sniffFormat, type ImageErrorCode, type ImageFile } from '@pictor/image'
import type { OutputSpec } from '@pictor/core/contract'
import { finding, type WeighedFinding } from '../verdict/finding.ts'

/** A file as far as it could be opened. */
export interface OpenedFrame {
  readonly image?: ImageFile
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
 * Opens a delivered file: format by its first bytes, structure, checksums, exact lengths, then pixels. Damage is a finding, never a throw; a format that
 * this machine cannot decode is a doubt, never a fault of the farm.
 */
export function openFrame(bytes: Uint8Array, output: Pick<OutputSpec, 'format'>): OpenedFrame {
  const expected = FORMAT_OF[output.format]
  const found = sniffFormat(bytes)
  if (bytes.length > 0 && found !== expected) {
    const shown = found === 'unknown' ? 'no picture format (an error page or a placeholder?)' : found.toUpperCase()
    return { findings: [finding('refuse', 'wrong-format', `${output.format} was ordered, the file is ${shown}`)] }
  }
  if (bytes.length > 0 && expected !== 'png' && expected !== 'exr') {
    return { findings: [finding('doubt', 'not-decoded', `${output.format} files are not decoded here; a person must look`)] }
  }
  try {
    const image = decodeImage(bytes)
    const findings = image.warnings.map((warning) => finding(warningWeight(warning.code), warning.code, warning.message))
    return { image, findings }
  } catch (error) {
    if (!isImageError(error)) throw error
    if (error.code === 'unsupported' || error.code === 'limit') {
      return { findings: [finding('doubt', 'not-decoded', `the file could not be decoded here: ${error.message}`)] }
    }
    return { findings: [finding('refuse', error.code, `${DAMAGE[error.code] ?? 'the file is damaged'} (${error.message})`)] }
  }
}

/** Bytes after the end and surplus data are what sparse uploads and two writers in one file leave behind. */
const warningWeight = (code: string): 'doubt' | 'note' => (code === 'bad-metadata' ? 'note' : 'doubt')

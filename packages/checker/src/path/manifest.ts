import { readFile } from 'node:fs/promises'
import { dirname, join, normalize, isAbsolute } from 'node:path'
import { invalid, PictorError, type RenderSpec } from '@pictor/core/contract'
import type { Area } from '../compare/picture.ts'

/** A frame to check, with what is known about it. */
export interface FrameEntry {
  /** As the manifest or folder names it. */
  readonly file: string
  readonly path: string
  readonly frame: number
  /** Groups frames of one picture sequence. */
  readonly sequence: string
  readonly spec: RenderSpec
  /** sha256 in lower-case hex, where the manifest says it. */
  readonly sha256?: string
  /** Who rendered it, where the manifest says it. */
  readonly farm?: string
}

/** Reference renders of one frame of a sequence. */
export interface ReferenceFiles {
  readonly sequence: string
  readonly frame: number
  /** Two renders of the whole frame at the ordered settings with independent seeds. */
  readonly checkers: readonly string[]
  /** Renders of a region at the ordered seed; the file is the region, or full size with content only there. */
  readonly crops: readonly { readonly path: string; readonly area: Area }[]
}

/** A job's files as a manifest or a folder describes them. */
export interface CheckSet {
  readonly frames: readonly FrameEntry[]
  readonly references: readonly ReferenceFiles[]
  /** Whether the files are all there are of their sequences, so that a gap in their numbers means something. */
  readonly complete: boolean
  /** What other frames of a sequence may not be told from this set alone; for people. */
  readonly basis: string
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Reads a manifest in the corpus format: `specs` by name, `files` with `file`, `sceneRef`, `specRef`, `frame`, `role` (candidate, checker, crop; others are left out) and
 * for crops a `note` with x, y, w, h; `farm` may name who rendered a candidate. Labels are not read.
 * @throws invalid-input naming the field, not-found when the manifest cannot be read
 */
export async function readManifest(path: string): Promise<CheckSet> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new PictorError('not-found', `${path} cannot be read: ${(cause as Error).message}`, { details: { path }, cause })
  })
  const manifest = parseObject(text, path)
  if (!('specs' in manifest && 'files' in manifest))
    throw invalid(path, 'a folder, a picture, or a manifest with specs and files', Object.keys(manifest).join(', '))
  const specs = new Map(
    Object.entries(fieldsOf(manifest['specs'], 'specs')).map(([name, value]) => [
      name,
      specOf(name, fieldsOf(value, `specs.${name}`)),
    ]),
  )
  const files = manifest['files']
  if (!Array.isArray(files)) throw invalid('files', 'a list', files)
  const frames: FrameEntry[] = []
  const references = new Map<
    string,
    { sequence: string; frame: number; checkers: string[]; crops: { path: string; area: Area }[] }
  >()
  for (const [i, value] of files.entries()) {
    const entry = fieldsOf(value, `files[${i}]`)
    const file = textOf(entry['file'], `files[${i}].file`)
    if (isAbsolute(file) || normalize(file).startsWith('..'))
      throw invalid(`files[${i}].file`, 'a path inside the folder of the manifest', file)
    const frame = entry['frame']
    const role = entry['role'] ?? 'candidate'
    if (role !== 'candidate' && role !== 'checker' && role !== 'crop') continue
    if (typeof frame !== 'number' || !Number.isInteger(frame)) throw invalid(`files[${i}].frame`, 'a whole number', frame)
    const sequence = textOf(entry['sceneRef'] ?? entry['specRef'], `files[${i}].sceneRef`)
    const at = join(dirname(path), file)
    if (role === 'candidate') {
      const name = textOf(entry['specRef'] ?? entry['sceneRef'], `files[${i}].specRef`)
      const spec = specs.get(name)
      if (!spec) throw invalid(`files[${i}].specRef`, `one of ${[...specs.keys()].join(', ')}`, name)
      const sha256 = entry['sha256']
      if (sha256 !== undefined && typeof sha256 !== 'string') throw invalid(`files[${i}].sha256`, 'hexadecimal text', sha256)
      const farm = entry['farm'] === undefined ? undefined : textOf(entry['farm'], `files[${i}].farm`)
      frames.push({
        ...(farm === undefined ? {} : { farm }),
        file,
        path: at,
        frame,
        sequence,
        spec,
        ...(typeof sha256 === 'string' ? { sha256: sha256.toLowerCase().replace(/^0x/, '') } : {}),
      })
      continue
    }
    const key = `${sequence} ${frame}`
    const found = references.get(key) ?? { sequence, frame, checkers: [], crops: [] }
    references.set(key, found)
    if (role === 'checker') found.checkers.push(at)
    else found.crops.push({ path: at, area: areaOf(entry['note'], `files[${i}].note`) })
  }
  return { frames, references: [...references.values()], complete: false, basis: `manifest ${path}` }
}

function specOf(name: string, fields: Fields): RenderSpec {
  const at = `specs.${name}`
  const number = (field: string): number => {
    const value = fields[field]
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw invalid(`${at}.${field}`, 'a whole number of 0 or more', value)
    return value
  }
  const format = textOf(fields['format'], `${at}.format`).toUpperCase()
  const exr = fields['multilayer'] === true ? 'OPEN_EXR_MULTILAYER' : 'OPEN_EXR'
  const kind = format === 'EXR' || format === 'OPEN_EXR' ? exr : format
  if (
    kind !== 'PNG' &&
    kind !== 'OPEN_EXR' &&
    kind !== 'OPEN_EXR_MULTILAYER' &&
    kind !== 'JPEG' &&
    kind !== 'TIFF' &&
    kind !== 'WEBP'
  ) {
    throw invalid(`${at}.format`, 'PNG, EXR, JPEG, TIFF or WEBP', format)
  }
  const colorMode = fields['channels']
  if (colorMode !== 'BW' && colorMode !== 'RGB' && colorMode !== 'RGBA')
    throw invalid(`${at}.channels`, 'BW, RGB or RGBA', colorMode)
  const bitDepth = number('bitDepth')
  if (bitDepth !== 8 && bitDepth !== 16 && bitDepth !== 32) throw invalid(`${at}.bitDepth`, '8, 16 or 32', bitDepth)
  const black = listOf(fields['legitBlackFrames'], `${at}.legitBlackFrames`, (value) => Number.isInteger(value), 'whole numbers')
  const passes = listOf(fields['passes'], `${at}.passes`, (value) => typeof value === 'string', 'texts')
  return {
    software: 'blender',
    softwareVersion: '',
    engine: typeof fields['engine'] === 'string' ? fields['engine'] : 'CYCLES',
    scene: '',
    viewLayers: [],
    camera: '',
    samples: number('samples'),
    adaptive: fields['adaptive'] === true,
    denoise: fields['denoise'] === true,
    seed: number('seed'),
    animatedSeed: false,
    output: {
      format: kind,
      width: number('width'),
      height: number('height'),
      colorMode,
      bitDepth,
      ...(passes ? { passes: passes as string[] } : {}),
    },
    checkClass: 'crop',
    ...(black ? { legitBlackFrames: black as number[] } : {}),
    legitStatic: fields['legitStatic'] === true,
  }
}

function areaOf(note: unknown, path: string): Area {
  const fields = typeof note === 'string' ? parseObject(note, path) : fieldsOf(note, path)
  const [x, y, width, height] = ['x', 'y', 'w', 'h'].map((key) => {
    const value = fields[key]
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      throw invalid(`${path}.${key}`, 'a whole number of pixels', value)
    return value
  }) as [number, number, number, number]
  return { x, y, width, height }
}

function parseObject(text: string, path: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(path, 'a JSON object', (cause as Error).message)
  }
  return fieldsOf(value, path)
}

function fieldsOf(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, 'an object', value)
  return value as Fields
}

function listOf(value: unknown, path: string, fits: (one: unknown) => boolean, what: string): readonly unknown[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || !value.every(fits)) throw invalid(path, `a list of ${what}`, value)
  return value
}

function textOf(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(path, 'a text', value)
  return value
}

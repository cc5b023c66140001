import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { readImageInfo, scanWithSharp, sniffFormat, type ImageInfo } from '@pictor/image'
import { invalid, PictorError, type OutputSpec, type RenderSpec } from '@pictor/core/contract'
import type { CheckSet, FrameEntry } from './manifest.ts'

const EXTENSIONS: ReadonlySet<string> = new Set(['.png', '.exr', '.jpg', '.jpeg', '.tif', '.tiff', '.webp'])
/**
 * The last run of digits before the extension, with its sign: `shot_-0003.png`, `shot.0042.exr`. A hyphen after a letter or digit parts name and number, as in `shot-0042.png`.
 * `.p2` marks a piece of a split frame.
 */
const FRAME = /^(.*?)((?:(?<![^\s._-])-)?\d{1,9})(?:\.p(\d+))?$/
/** A folder that holds a file of this name is a report, whose thumbnails are no frames. */
export const REPORT_MARK = '.pictor-report'
/** Folders inside folders are followed so far. */
const MOST_DEPTH = 8

/** What is known of an order; the rest is what most frames have in common. */
export type PartialSpec = Partial<Omit<RenderSpec, 'output'>> & { readonly output?: Partial<OutputSpec> }

/** Whether a file name has a picture's extension. */
export const isPictureName = (name: string): boolean => EXTENSIONS.has(extname(name).toLowerCase())

/** The sequence of a file of a folder: its name without its number, `shot_#.png`. */
export function sequenceOf(file: string): string {
  const extension = extname(file)
  const stem = FRAME.exec(basename(file, extension))?.[1] ?? basename(file, extension)
  return join(dirname(file), `${stem}#${extension.toLowerCase()}`)
}

/** The name that another frame of a file's sequence has, `shot_0004.png` beside `shot_0003.png`; empty where the file's name holds no number. */
export function siblingName(file: string, frame: number): string {
  const extension = extname(file)
  const match = FRAME.exec(basename(file, extension))
  if (!match) return ''
  const digits = match[2]!.replace('-', '').length
  const number = `${frame < 0 ? '-' : ''}${String(Math.abs(frame)).padStart(digits, '0')}`
  return join(dirname(file), `${match[1]}${number}${extension}`)
}

/**
 * Finds the picture sequences of a folder and the folders in it: files with one stem and extension whose last digits are the frame; a picture without a number is frame 0 of its own.
 * Hidden files and folders, folders that are links, and reports of earlier checks are left out. Without an order, what most frames of a sequence have in common is taken for it: a folder that is wrong
 * throughout passes, one frame that is unlike the others does not.
 * @throws not-found when the folder cannot be read, invalid-input when it holds no pictures
 */
export async function readFolder(folder: string, spec: PartialSpec = {}): Promise<CheckSet> {
  const files = await pictureFiles(folder)
  if (files.length === 0) throw invalid('path', 'a folder with pictures such as shot_0001.png', folder)
  return readFiles(folder, files, spec)
}

/** The same for one picture. */
export async function readPicture(path: string, spec: PartialSpec = {}): Promise<CheckSet> {
  return readFiles(dirname(path), [basename(path)], spec)
}

async function readFiles(folder: string, files: readonly string[], spec: PartialSpec): Promise<CheckSet> {
  const sequences = new Map<string, { file: string; frame: number }[]>()
  for (const file of files) {
    const match = FRAME.exec(basename(file, extname(file)))
    if (match?.[3] !== undefined) continue
    const key = sequenceOf(file)
    const sequence = sequences.get(key) ?? []
    sequences.set(key, sequence)
    sequence.push({ file, frame: match ? Number(match[2]) : 0 })
  }
  const frames: FrameEntry[] = []
  for (const [sequence, members] of sequences) {
    members.sort((a, b) => a.frame - b.frame || (a.file < b.file ? -1 : 1))
    const common = await commonSpec(folder, members, spec)
    for (const { file, frame } of members) frames.push({ file, path: join(folder, file), frame, sequence, spec: common })
  }
  return {
    frames,
    references: [],
    complete: true,
    basis: `folder ${folder}; what most frames of a sequence have in common was taken for the order`,
  }
}

/** Paths of all pictures below a folder, relative to it, in order of their names. */
async function pictureFiles(folder: string, inside = '', depth = 0): Promise<string[]> {
  const entries = await readdir(join(folder, inside), { withFileTypes: true }).catch((cause: unknown) => {
    // A folder inside that may not be read holds nothing for us; the one that was named must be readable.
    if (depth > 0) return []
    throw new PictorError('not-found', `${folder} cannot be read: ${(cause as Error).message}`, {
      details: { path: folder },
      cause,
    })
  })
  if (entries.some(({ name }) => name === REPORT_MARK)) return []
  const found: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const path = join(inside, entry.name)
    if (entry.isDirectory()) {
      if (depth < MOST_DEPTH) for (const one of await pictureFiles(folder, path, depth + 1)) found.push(one)
    } else if (isPictureName(entry.name)) found.push(path)
  }
  return found
}

/** Headers of at most this many frames decide what is common. */
const LOOK_AT = 11

/** What a file's header says of the order that it was made by. */
interface Said {
  readonly output: OutputSpec
  /** Samples that Blender wrote into it; 0 where it says none. */
  readonly samples: number
}

async function commonSpec(folder: string, files: readonly { file: string }[], given: PartialSpec): Promise<RenderSpec> {
  const said = new Map<string, Said & { count: number }>()
  const step = Math.max(1, Math.floor(files.length / LOOK_AT))
  for (let i = 0; i < files.length; i += step) {
    const one = await saidBy(join(folder, files[i]!.file))
    if (!one) continue
    const key = JSON.stringify(one)
    said.set(key, { ...one, count: (said.get(key)?.count ?? 0) + 1 })
  }
  const [best] = [...said.values()].sort((a, b) => b.count - a.count)
  const output = { ...(best?.output ?? unknownOutput(files[0]!.file)), ...given.output }
  return {
    software: 'blender',
    softwareVersion: '',
    engine: 'CYCLES',
    scene: '',
    viewLayers: [],
    camera: '',
    samples: best?.samples ?? 0,
    adaptive: false,
    denoise: false,
    seed: 0,
    animatedSeed: false,
    checkClass: 'file-only',
    ...given,
    output,
  }
}

/** What is expected of a sequence none of whose headers could be read: its format, by the extension. */
function unknownOutput(file: string): OutputSpec {
  const formats: Readonly<Record<string, OutputSpec['format']>> = { '.exr': 'OPEN_EXR', '.webp': 'WEBP', '.png': 'PNG' }
  const extension = extname(file).toLowerCase()
  const format = formats[extension] ?? (extension.startsWith('.t') ? 'TIFF' : 'JPEG')
  return { format, width: 1, height: 1, colorMode: 'RGB', bitDepth: 8 }
}

async function saidBy(path: string): Promise<Said | undefined> {
  try {
    // A pipe would keep the reader waiting for ever.
    const found = await stat(path)
    if (!found.isFile() || found.size > 2 ** 31 - 1) return undefined
    const bytes = await readFile(path)
    const format = sniffFormat(bytes)
    if (format === 'png' || format === 'exr') return saidIn(readImageInfo(bytes))
    return format === 'unknown' ? undefined : saidIn((await scanWithSharp(bytes)).info)
  } catch {
    // What is wrong with the file stands on its own line.
    return undefined
  }
}

const ORDERED_AS = { png: 'PNG', exr: 'OPEN_EXR', jpeg: 'JPEG', tiff: 'TIFF', webp: 'WEBP' } as const

function saidIn(info: ImageInfo): Said {
  const samples = Object.keys(info.metadata).find((key) => /^cycles\..+\.samples$/.test(key))
  return { output: outputOf(info), samples: samples === undefined ? 0 : Number(info.metadata[samples]) || 0 }
}

function outputOf(info: ImageInfo): OutputSpec {
  const names = info.parts.flatMap((part) => part.channels.map((channel) => channel.name))
  const has = (channel: string): boolean => names.some((name) => name === channel || name.endsWith(`.${channel}`))
  const multilayer = info.format === 'exr' && (info.parts.length > 1 || names.some((name) => name.includes('.')))
  return {
    format: multilayer ? 'OPEN_EXR_MULTILAYER' : ORDERED_AS[info.format],
    width: info.width,
    height: info.height,
    colorMode: !has('R') ? 'BW' : has('A') ? 'RGBA' : 'RGB',
    bitDepth: info.bitDepth > 16 ? 32 : info.bitDepth > 8 ? 16 : 8,
  }
}

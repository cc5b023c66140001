import { open, readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { isImageError, readImageInfo, sniffFormat, type ImageInfo } from '@pictor/image'
import { invalid, PictorError, type OutputSpec, type RenderSpec } from '@pictor/core/contract'
import type { CheckSet, FrameEntry } from './manifest.ts'

const EXTENSIONS: ReadonlySet<string> = new Set(['.png', '.exr', '.jpg', '.jpeg', '.tif', '.tiff', '.webp'])
/** The last run of digits before the extension, with its sign: `shot_-0003.png`, `shot.0042.exr`. */
const FRAME = /^(.*?)(-?\d+)(?:\.p(\d+))?$/

/**
 * Finds the picture sequences of a folder: files with one stem and extension whose last digits are the frame. Without an order, what most frames of a sequence have
 * in common is taken for it: a folder that is wrong throughout passes, one frame that is unlike the others does not.
 * @throws not-found when the folder cannot be read, invalid-input when it holds no numbered pictures
 */
export async function readFolder(folder: string, spec: Partial<RenderSpec> = {}): Promise<CheckSet> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new PictorError('not-found', `${folder} cannot be read: ${(cause as Error).message}`, {
      details: { path: folder },
      cause,
    })
  })
  const sequences = new Map<string, { file: string; frame: number }[]>()
  for (const file of names.sort()) {
    const extension = extname(file).toLowerCase()
    const match = EXTENSIONS.has(extension) ? FRAME.exec(file.slice(0, -extension.length)) : null
    if (!match || match[3] !== undefined) continue
    const key = `${match[1]}#${extension}`
    sequences.set(key, [...(sequences.get(key) ?? []), { file, frame: Number(match[2]) }])
  }
  if (sequences.size === 0) throw invalid('path', 'a folder with numbered pictures such as shot_0001.png', folder)
  const frames: FrameEntry[] = []
  for (const [sequence, files] of sequences) {
    const common = await commonSpec(folder, files, spec)
    for (const { file, frame } of files) frames.push({ file, path: join(folder, file), frame, sequence, spec: common })
  }
  return {
    frames,
    references: [],
    basis: `folder ${folder}; the order was taken from what most frames of a sequence have in common`,
  }
}

/** Headers of at most this many frames decide what is common. */
const LOOK_AT = 25

async function commonSpec(folder: string, files: readonly { file: string }[], given: Partial<RenderSpec>): Promise<RenderSpec> {
  const outputs = new Map<string, { output: OutputSpec; count: number }>()
  const step = Math.max(1, Math.floor(files.length / LOOK_AT))
  for (let i = 0; i < files.length; i += step) {
    const output = await outputOf(join(folder, files[i]!.file))
    if (!output) continue
    const key = JSON.stringify(output)
    outputs.set(key, { output, count: (outputs.get(key)?.count ?? 0) + 1 })
  }
  const [best] = [...outputs.values()].sort((a, b) => b.count - a.count)
  const output = given.output ?? best?.output ?? { format: 'PNG', width: 1, height: 1, colorMode: 'RGB', bitDepth: 8 }
  return {
    software: 'blender',
    softwareVersion: '',
    engine: 'CYCLES',
    scene: '',
    viewLayers: [],
    camera: '',
    samples: 0,
    adaptive: false,
    denoise: false,
    seed: 0,
    animatedSeed: false,
    checkClass: 'file-only',
    ...given,
    output,
  }
}

async function outputOf(path: string): Promise<OutputSpec | undefined> {
  const file = await open(path)
  try {
    const bytes = await file.readFile()
    const format = sniffFormat(bytes)
    if (format !== 'png' && format !== 'exr') return undefined
    return orderOf(readImageInfo(bytes))
  } catch (error) {
    if (isImageError(error)) return undefined
    throw error
  } finally {
    await file.close()
  }
}

function orderOf(info: ImageInfo): OutputSpec {
  const names = info.parts.flatMap((part) => part.channels.map((channel) => channel.name))
  const has = (channel: string): boolean => names.some((name) => name === channel || name.endsWith(`.${channel}`))
  const multilayer = info.format === 'exr' && (info.parts.length > 1 || names.some((name) => name.includes('.')))
  return {
    format: info.format === 'png' ? 'PNG' : multilayer ? 'OPEN_EXR_MULTILAYER' : 'OPEN_EXR',
    width: info.width,
    height: info.height,
    colorMode: !has('R') ? 'BW' : has('A') ? 'RGBA' : 'RGB',
    bitDepth: info.bitDepth > 16 ? 32 : info.bitDepth > 8 ? 16 : 8,
  }
}

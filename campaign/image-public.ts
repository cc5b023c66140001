// pnpm campaign image-public [--three EXRLoader.js] FOLDER...: reads every EXR and PNG of public test sets (openexr-images with its Damaged folder, PngSuite), which are not kept here.
// A valid file must equal what oiiotool (OpenEXR, libpng) and three's EXRLoader read, bit for bit; a damaged one must end in a typed error or in pixels, soon and in bounded memory.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { decodeImage, isImageError, pixelHash, scanImage, type ImageFile, type ImagePart, type Plane } from '@pictor/image'
import type { Campaign } from '../scripts/campaign.ts'

/** A file may take this long for each MiB that it decodes to, and this long in any case. */
const [MS_PER_MIB, MS_ALWAYS] = [100, 1000]

function* filesUnder(path: string): Generator<string> {
  if (!statSync(path).isDirectory()) yield path
  else for (const name of readdirSync(path).toSorted()) if (name !== '.git') yield* filesUnder(join(path, name))
}

/** Files that are damaged on purpose: the folder Damaged, whatever they are called, and PngSuite's names that start with x. */
const damaged = (file: string): boolean =>
  (/\/Damaged\//.test(file) && !file.endsWith('.rst')) || /^x[a-z0-9]{7}\.png$/.test(basename(file))

/** Names the first difference between a decoded picture and oiiotool's reading of it; undefined where they are equal. */
function difference(file: string, image: ImageFile, scratch: string): string | undefined {
  for (const [index, part] of image.parts.entries()) {
    for (const planes of byType(part)) {
      const read = readByOiiotool(file, image, index, planes, scratch)
      if (typeof read === 'string') return read
      for (const [channel, plane] of planes.entries()) {
        const at = firstDifference(plane, read, channel, planes.length)
        if (at >= 0) return `part ${index}, ${plane.name} differs at sample ${at}`
      }
    }
  }
  return undefined
}

/** Planes that oiiotool can write to one TIFF: of one type. */
function byType({ planes }: ImagePart): readonly (readonly Plane[])[] {
  const groups = new Map<string, Plane[]>()
  for (const plane of planes) groups.set(plane.type, [...(groups.get(plane.type) ?? []), plane])
  return [...groups.values()]
}

function readByOiiotool(
  file: string,
  image: ImageFile,
  part: number,
  planes: readonly Plane[],
  scratch: string,
): Samples | string {
  const out = join(scratch, 'out.tif')
  const png = image.format === 'png'
  const depth = { uint8: 'uint8', uint16: 'uint16', half: 'float', float: 'float', uint32: 'uint32' }[planes[0]!.type]
  // Under neutral names no channel is taken for alpha and divided by.
  const pick = png ? [] : ['--ch', planes.map(({ name }) => name).join(',')]
  const names = ['--chnames', planes.map((_, i) => `c${i}`).join(',')]
  const whole = ['--origin', '+0+0', '--fullpixels', '--scanline', '-d', depth, '--compression', 'none', '-o', out]
  const input = ['--native', '--iconfig', 'oiio:UnassociatedAlpha', '1', file, '--subimage', String(part), '--selectmip', '0']
  const { status, stderr, stdout } = spawnSync('oiiotool', [...input, ...pick, ...names, ...whole], { encoding: 'utf8' })
  if (status !== 0) return `oiiotool cannot read it: ${(stderr || stdout).trim().split('\n')[0]}`
  return readTiff(readFileSync(out), depth)
}

/** Whether oiiotool cannot read a file's pixels either: some test files are damaged on purpose and not named so. */
const refusedByOiiotool = (file: string): boolean => spawnSync('oiiotool', ['--stats', file]).status !== 0

type Samples = Uint8Array | Uint16Array | Uint32Array | Float32Array

/** Samples of an uncompressed little-endian TIFF as oiiotool writes it (TIFF 6.0): strips in order, channels interleaved. */
function readTiff(bytes: Buffer, depth: string): Samples {
  const at = bytes.readUInt32LE(4)
  const tag = (id: number): number[] => {
    for (let entry = at + 2; entry < at + 2 + 12 * bytes.readUInt16LE(at); entry += 12) {
      if (bytes.readUInt16LE(entry) !== id) continue
      const [short, count] = [bytes.readUInt16LE(entry + 2) === 3, bytes.readUInt32LE(entry + 4)]
      const from = count * (short ? 2 : 4) <= 4 ? entry + 8 : bytes.readUInt32LE(entry + 8)
      return Array.from({ length: count }, (_, i) =>
        short ? bytes.readUInt16LE(from + 2 * i) : bytes.readUInt32LE(from + 4 * i),
      )
    }
    return []
  }
  if (bytes.readUInt16LE(0) !== 0x4949 || tag(259)[0] !== 1 || (tag(284)[0] ?? 1) !== 1)
    throw new Error('not a plain little-endian TIFF')
  const sizes = tag(279)
  const data = Buffer.concat(tag(273).map((offset, i) => bytes.subarray(offset, offset + sizes[i]!)))
  const { buffer } = Uint8Array.from(data)
  if (depth === 'uint8') return new Uint8Array(buffer)
  return depth === 'uint16' ? new Uint16Array(buffer) : depth === 'uint32' ? new Uint32Array(buffer) : new Float32Array(buffer)
}

/** Index of the first sample that differs, -1 where none does. NaNs equal each other. */
function firstDifference(plane: Plane, read: Samples, channel: number, stride: number): number {
  const scale = { uint8: 255, uint16: 65535, half: 1, float: 1, uint32: 1 }[plane.type]
  const own = plane.uint ?? plane.data
  if (read.length !== own.length * stride) return 0
  for (let i = 0; i < own.length; i++) {
    const value = scale === 1 ? own[i]! : Math.round(own[i]! * scale)
    if (!Object.is(value + 0, read[i * stride + channel]! + 0)) return i
  }
  return -1
}

/** three's loader, as far as it is used here: floats of R, G, B and A (1 where the file has none), or of Y, from the bottom row up. */
interface ThreeLoader {
  setDataType(type: number): this
  parse(bytes: ArrayBuffer): { readonly width: number; readonly height: number; readonly data: Float32Array }
}
/** three's number of `FloatType`. */
const FLOATS = 1015

/** What three's EXRLoader reads of a file's first part beside what was read here, in words; undefined where it has no reading of the same thing. */
function besideThree(bytes: Uint8Array<ArrayBuffer>, { parts }: ImageFile, loader: ThreeLoader): string | undefined {
  const { planes, width, height, compression = '' } = parts[0]!
  const named = (name: string): Plane | undefined => planes.find((plane) => plane.name === name)
  const colours = ['R', 'G', 'B'].map(named)
  const own = colours.every((plane) => plane) ? [...colours, named('A')] : [named('Y')]
  const alike = own.every((plane) => !plane || (plane.type === own[0]?.type && plane.type !== 'uint32' && !plane.xSampling))
  if (!own[0] || !alike || named('RY')) return undefined
  let read: ReturnType<ThreeLoader['parse']>
  try {
    read = loader.setDataType(FLOATS).parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  } catch {
    return 'three: cannot read it'
  }
  if (read.width !== width || read.height !== height) return 'three: DIFFERS in size'
  const stride = read.data.length / (width * height)
  let most = 0
  for (const [channel, plane] of own.entries()) {
    if (!plane) continue
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [a, b] = [plane.data[y * width + x]!, read.data[((height - 1 - y) * width + x) * stride + channel]!]
        if (!Object.is(a + 0, b + 0)) most = Math.max(most, Math.abs(a - b) / (1 + Math.abs(a)) || Infinity)
      }
    }
  }
  if (most === 0) return 'three: equal'
  // DWA is lossy: where its cosines are rounded differs among readers.
  return compression.startsWith('dwa') && most < 2e-3 ? 'three: within 2e-3 (DWA)' : `three: DIFFERS by ${most}`
}

async function threeLoader(path: string | undefined): Promise<ThreeLoader | undefined> {
  if (path === undefined) return undefined
  const { EXRLoader } = (await import(pathToFileURL(resolve(path)).href)) as { EXRLoader: new () => ThreeLoader }
  return new EXRLoader()
}

export const campaign: Campaign = async (args) => {
  const at = args.indexOf('--three')
  const folders = args.filter((_, i) => at < 0 || (i !== at && i !== at + 1))
  if (folders.length === 0) {
    console.error('usage: pnpm campaign image-public [--three .../three/examples/jsm/loaders/EXRLoader.js] FOLDER...')
    return false
  }
  const loader = await threeLoader(at < 0 ? undefined : args[at + 1])
  const oracle = spawnSync('oiiotool', ['--version']).status === 0
  if (!oracle) console.log('oiiotool is not installed: pixels are not compared (apt install openimageio-tools)')
  const scratch = mkdtempSync(join(tmpdir(), 'image-public-'))
  const counts = new Map<string, number>()
  let failures = 0
  const count = (what: string, file?: string, why = ''): void => {
    counts.set(what, (counts.get(what) ?? 0) + 1)
    if (file) console.log(`${what.padEnd(28)} ${file}${why ? `: ${why}` : ''}`)
  }
  for (const file of folders.flatMap((folder) => [...filesUnder(folder)])) {
    const kind = damaged(file) ? 'damaged' : 'valid'
    if (kind === 'valid' && !/[._]exr$|\.png$/.test(file)) continue
    const bytes = readFileSync(file)
    const startedAt = performance.now()
    try {
      const stats = scanImage(bytes)
      const ms = performance.now() - startedAt
      const image = decodeImage(bytes)
      if (stats.pixelHash !== pixelHash(image)) throw new Error('scanImage and decodeImage read different pixels')
      const most = MS_ALWAYS + (MS_PER_MIB * stats.info.decodedBytes) / 2 ** 20
      if (ms > most) throw new Error(`took ${Math.round(ms)} ms, allowed ${Math.round(most)}`)
      if (kind === 'damaged' || !oracle) {
        count(`${kind}: read`)
        continue
      }
      const beside = loader && image.format === 'exr' ? besideThree(bytes, image, loader) : undefined
      if (beside) count(beside, beside.endsWith('equal') ? undefined : file)
      const why = difference(file, image, scratch)
      if (why?.startsWith('oiiotool')) count('valid: read here only', file, why)
      else if (why) {
        failures++
        count('valid: DIFFERS', file, why)
      } else count('valid: equal to oiiotool')
    } catch (error) {
      if (isImageError(error)) {
        const alone = kind === 'valid' && error.code !== 'unsupported' && !(oracle && refusedByOiiotool(file))
        if (alone) failures++
        count(`${kind}: ${error.code}${alone ? ', READ BY OIIOTOOL' : ''}`, kind === 'valid' ? file : undefined, error.message)
      } else {
        failures++
        count('FAILURE', file, (error as Error).message)
      }
    }
  }
  rmSync(scratch, { recursive: true })
  for (const [what, n] of [...counts].toSorted()) console.log(`${String(n).padStart(5)} ${what}`)
  console.log(`peak memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`)
  console.log(`failures    ${failures}`)
  return failures === 0
}

// CPU time of the image readers on UHD frames, beside what inflating the same bytes costs and beside oiiotool and idiff where
// they are on PATH. Each file is measured in a process of its own, as code compiled for one pixel type serves another worse.
// `pnpm bench image`; frames are made here (a lit scene with render noise), or given: `pnpm bench image -- a.exr b.png`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateSync } from 'node:zlib'
import { decodeImage, encodeExr, encodePng, readImageInfo, scanImage } from '@pictor/image'
import { walkExr } from '../packages/image/src/exr/walk.ts'
import { withDefaults } from '../packages/image/src/limits.ts'
import { readPngRaster } from '../packages/image/src/png/rows.ts'
import { unfilter } from '../packages/image/src/png/unfilter.ts'
import { walkPng } from '../packages/image/src/png/walk.ts'
import type { Bench } from '../scripts/bench.ts'

const [WIDTH, HEIGHT] = [3840, 2160]

/** Milliseconds of CPU (user and system, all threads of this process), by name. */
type Figures = Readonly<Record<string, number>>

/** Best of some runs, milliseconds of CPU. */
function cpuMs(run: () => void, times = 5): number {
  let best = Infinity
  for (let i = 0; i < times; i++) {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) / 1000)
  }
  return best
}

/** What sharp, where it is installed, takes to the same pixels of a PNG. */
async function sharpFigures(bytes: Uint8Array): Promise<Figures> {
  const name = 'sharp'
  const found = (await import(name).catch(() => undefined)) as { default: Sharp } | undefined
  if (!found || bytes[0] !== 0x89) return {}
  let best = Infinity
  for (let i = 0; i < 5; i++) {
    const start = process.cpuUsage()
    await found.default(bytes).raw().toBuffer()
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) / 1000)
  }
  return { sharp: best }
}

/** As much of sharp as is used here. */
type Sharp = (bytes: Uint8Array) => { raw(): { toBuffer(): Promise<Uint8Array> } }

/** The work that nobody who reads a PNG or zlib EXR can avoid: inflating it, and for PNG undoing its filters. */
export function unavoidable(bytes: Uint8Array): () => void {
  if (bytes[0] !== 0x89) {
    const part = walkExr(bytes, withDefaults()).parts[0]!
    // What is not a zlib stream was stored as it is.
    const chunks = Array.from(part.starts, (start, i) => bytes.subarray(start, start + part.sizes[i]!)).filter(
      (chunk) => chunk[0] === 0x78,
    )
    return () => chunks.forEach((chunk) => inflateSync(chunk, { chunkSize: 1 << 20 }))
  }
  const { idat, inflatedBytes, header } = walkPng(bytes, withDefaults())
  const pixelBytes = Math.max(1, (header.storedChannels * header.bitDepth) >> 3)
  return () => {
    const raw = inflateSync(Buffer.concat(idat), { chunkSize: inflatedBytes + 64 })
    unfilter(raw, 0, header.height, inflatedBytes / header.height - 1, pixelBytes)
  }
}

async function measure(file: string): Promise<Figures> {
  const bytes = readFileSync(file)
  const scan = cpuMs(() => scanImage(bytes), 8)
  const shared = {
    scan,
    walk: cpuMs(() => readImageInfo(bytes)),
    decode: cpuMs(() => decodeImage(bytes), 3),
    ...(await sharpFigures(bytes)),
    rssMiB: process.resourceUsage().maxRSS / 1024,
  }
  if (bytes[0] !== 0x89) {
    const part = walkExr(bytes, withDefaults()).parts[0]!
    if (!['zip', 'zips'].includes(part.header.compression)) return shared
    return { ...shared, inflate: cpuMs(unavoidable(bytes)) }
  }
  const layout = walkPng(bytes, withDefaults())
  const packed = Buffer.concat(layout.idat)
  let raw = new Uint8Array(0)
  const inflate = cpuMs(() => (raw = inflateSync(packed, { chunkSize: layout.inflatedBytes + 64 })))
  const rowBytes = layout.inflatedBytes / layout.header.height - 1
  const pixelBytes = Math.max(1, (layout.header.storedChannels * layout.header.bitDepth) >> 3)
  let undo = Infinity
  for (let i = 0; i < 5; i++) {
    const copy = raw.slice()
    undo = Math.min(
      undo,
      cpuMs(() => unfilter(copy, 0, layout.header.height, rowBytes, pixelBytes), 1),
    )
  }
  return { ...shared, inflate, unfilter: undo, raster: cpuMs(() => void readPngRaster(walkPng(bytes, withDefaults()))) }
}

/** Figures that the bench `name` measures of a file in a process of its own. */
export function measureApart(file: string, name = 'image'): Figures {
  const script = fileURLToPath(new URL('../scripts/bench.ts', import.meta.url))
  const { stdout, stderr } = spawnSync(process.execPath, ['--conditions=source', script, name, '--measure', file], {
    encoding: 'utf8',
  })
  const line = stdout.split('\n').find((text) => text.startsWith('{'))
  if (!line) throw new Error(`measuring ${file} failed: ${stderr}`)
  return JSON.parse(line) as Figures
}

/** CPU milliseconds of a command, best of three; undefined where it is not installed or fails. */
function commandMs(command: string, args: readonly string[]): number | undefined {
  let best: number | undefined
  for (let i = 0; i < 3; i++) {
    const { status, stderr } = spawnSync('bash', ['-c', 'TIMEFORMAT="%U %S"; time "$0" "$@" > /dev/null', command, ...args], {
      encoding: 'utf8',
    })
    const times = /([\d.]+) ([\d.]+)\s*$/.exec(stderr)
    if (status !== 0 || !times) return undefined
    best = Math.min(best ?? Infinity, (Number(times[1]) + Number(times[2])) * 1000)
  }
  return best
}

/** A lit scene: gradients, a textured disc, and noise of 3 % as a path tracer leaves it. Blue and red differ, alpha is 1. */
function renderLike(x: number, y: number, channel: number, noise: number): number {
  const inside = Math.hypot(x - 1900, y - 1000) < 900
  const base = inside
    ? 0.2 + 0.3 * Math.sin(x / 90 + channel) ** 2 + 0.1 * Math.sin(y / 7) ** 2
    : 0.05 + 0.02 * channel + (0.2 * y) / HEIGHT
  return base * (1 + 0.03 * noise)
}

/** Writes a UHD half-float ZIP EXR and an 8-bit PNG into a folder and returns their paths. */
export function makeFrames(dir: string): readonly string[] {
  let state = 0x2545f491
  const uniform = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  const planes = ['R', 'G', 'B', 'A'].map((name) => ({
    name,
    type: 'half' as const,
    data: new Float32Array(WIDTH * HEIGHT).fill(1),
  }))
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3)
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const noise = uniform() + uniform() + uniform() - 1.5
      for (let c = 0; c < 3; c++) {
        const value = renderLike(x, y, c, noise)
        planes[c]!.data[y * WIDTH + x] = value
        rgb[(y * WIDTH + x) * 3 + c] = Math.min(255, 255 * value ** (1 / 2.2))
      }
    }
  }
  const files = {
    'uhd-half-zip.exr': encodeExr(WIDTH, HEIGHT, planes),
    'uhd-8bit.png': encodePng(WIDTH, HEIGHT, 3, rgb, { filter: 1 }),
  }
  return Object.entries(files).map(([name, bytes]) => {
    writeFileSync(join(dir, name), bytes)
    return join(dir, name)
  })
}

export const bench: Bench = async (report, args) => {
  if (args[0] === '--measure') {
    console.log(JSON.stringify(await measure(args[1]!)))
    return
  }
  const dir = mkdtempSync(join(tmpdir(), 'pictor-bench-image-'))
  try {
    for (const file of args.length > 0 ? args : makeFrames(dir)) reportFile(file, report)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Rows of one file: pixels, statistics, structure, beside inflating it, sharp, oiiotool and idiff. */
export function reportFile(file: string, report: Parameters<Bench>[0]): void {
  const name = basename(file)
  const { scan = NaN, walk = NaN, decode = NaN, rssMiB = NaN, inflate, unfilter: undo, raster, sharp } = measureApart(file)
  const row = (what: string, value: number, peer?: string, peerValue?: number, note?: string): void =>
    report({
      name: `${name} ${what}`,
      value,
      unit: 'ms CPU',
      ...(peer && peerValue !== undefined ? { peer, peerValue } : {}),
      ...(note ? { note } : {}),
    })
  if (undo !== undefined && raster !== undefined) {
    row('to pixels', raster, 'inflate + unfilter', inflate! + undo, 'goal <= 1.5')
    if (sharp === undefined) console.log('(sharp is not installed: no comparison)')
    else row('to pixels', raster, 'sharp', sharp, 'goal <= 1.2')
    row('structure, pixels, statistics, sha256', scan, 'inflate + unfilter', inflate! + undo)
  } else row('structure, pixels, statistics, sha256', scan, 'inflate', inflate, 'goal <= 350 ms and <= 2')
  row('structure only', walk)
  row('decode to floats', decode, undefined, undefined, `peak memory of the process ${Math.round(rssMiB)} MiB`)
  for (const [command, ...before] of [
    ['oiiotool', '--stats'],
    ['idiff', file],
  ] as const) {
    const ms = commandMs(command, [...before, file])
    if (ms === undefined)
      report({ name: `${name} ${command}`, value: NaN, unit: '', note: 'not installed or cannot read it: no comparison' })
    else row(`against ${command}`, scan, command, ms, 'goal <= 0.4')
  }
}

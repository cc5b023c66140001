import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What the driver's own tool says of one GPU now; what it does not know is left out. MiB, Celsius, percent. */
export interface GpuMetrics {
  readonly name: string
  /** PCI address such as `0000:65:00`, the tail of Cycles' device id. */
  readonly bus: string
  readonly driver?: string
  readonly memoryMiB?: number
  readonly memoryUsedMiB?: number
  /** 0..100. */
  readonly utilizationPct?: number
  readonly temperatureC?: number
}

const NVIDIA_FIELDS = 'name,pci.bus_id,driver_version,memory.total,memory.used,utilization.gpu,temperature.gpu'
const AMD_FLAGS = '--showproductname --showbus --showdriverversion --showmeminfo vram --showuse --showtemp --json'.split(' ')

/** How long an answer stands for: asking costs up to a tenth of a second. */
const FRESH_MS = 1000

let last: { readonly atMs: number; readonly metrics: Promise<GpuMetrics[]> } | undefined

/** Load, memory and temperature of the GPUs, by nvidia-smi and rocm-smi; empty where neither is installed. Asks at most once a second. */
export function gpuMetrics(): Promise<GpuMetrics[]> {
  if (!last || Date.now() - last.atMs > FRESH_MS) last = { atMs: Date.now(), metrics: ask() }
  return last.metrics
}

async function ask(): Promise<GpuMetrics[]> {
  const [nvidia, amd] = await Promise.all([
    textOf('nvidia-smi', [`--query-gpu=${NVIDIA_FIELDS}`, '--format=csv,noheader,nounits']),
    textOf('rocm-smi', AMD_FLAGS),
  ])
  return [...parseNvidiaSmi(nvidia), ...parseRocmSmi(amd)]
}

async function textOf(command: string, args: readonly string[]): Promise<string> {
  return run(command, args, { timeout: 10_000, killSignal: 'SIGKILL' }).then(
    ({ stdout }) => stdout,
    () => '',
  )
}

/** Reads `nvidia-smi --query-gpu=... --format=csv,noheader,nounits`. Lines that are something else are left out, fields that are `[N/A]` too. */
export function parseNvidiaSmi(text: string): GpuMetrics[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(',').map((field) => field.trim())
    const [name, address, driver, ...numbers] = fields
    const bus = busOf(address ?? '')
    if (fields.length !== NVIDIA_FIELDS.split(',').length || !name || !bus) return []
    const [memoryMiB, memoryUsedMiB, utilizationPct, temperatureC] = numbers.map(numberOf)
    return [known({ name, bus, driver: driver || undefined, memoryMiB, memoryUsedMiB, utilizationPct, temperatureC })]
  })
}

/** Reads `rocm-smi ... --json`: one object a card, whose words differ a little between versions (`Card series`, `Card Series`). */
export function parseRocmSmi(text: string): GpuMetrics[] {
  let cards: Record<string, Record<string, unknown>>
  try {
    // Warnings may stand before the object.
    cards = JSON.parse(text.slice(text.indexOf('{'))) as typeof cards
  } catch {
    return []
  }
  const word = (card: Record<string, unknown> | undefined, pattern: RegExp): string | undefined => {
    const found = Object.entries(card ?? {}).find(([name]) => pattern.test(name))?.[1]
    return typeof found === 'string' && found !== 'N/A' ? found : undefined
  }
  const driver = word(cards['system'], /^driver version/i)
  return Object.entries(cards).flatMap(([id, card]) => {
    const bus = busOf(word(card, /^pci bus/i) ?? '')
    if (!/^card\d+$/.test(id) || !bus) return []
    const mib = (pattern: RegExp): number | undefined => {
      const bytes = numberOf(word(card, pattern))
      return bytes === undefined ? undefined : Math.round(bytes / 2 ** 20)
    }
    return [
      known({
        name: word(card, /^(card series|device name|card model)/i) ?? id,
        bus,
        driver,
        memoryMiB: mib(/^vram total memory/i),
        memoryUsedMiB: mib(/^vram total used memory/i),
        utilizationPct: numberOf(word(card, /^gpu use/i)),
        // The hottest place where it is told, else the edge of the chip.
        temperatureC: numberOf(word(card, /^temperature \(sensor junction/i) ?? word(card, /^temperature/i)),
      }),
    ]
  })
}

/** The PCI address in a text, as `domain:bus:device` in small letters with a domain of four digits; undefined when there is none. */
export function busOf(text: string): string | undefined {
  return /([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2})(\.[0-9a-f])?(_OptiX)?$/i.exec(text)?.[1]?.toLowerCase()
}

function numberOf(text: string | undefined): number | undefined {
  const value = text === undefined || text === '' ? NaN : Number(text)
  return Number.isFinite(value) ? value : undefined
}

function known(metrics: { readonly [K in keyof GpuMetrics]: GpuMetrics[K] | undefined }): GpuMetrics {
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => value !== undefined)) as unknown as GpuMetrics
}

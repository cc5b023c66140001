/** One channel to write for tests. */
export interface WriterChannel {
  readonly name: string
  readonly type: 'uint32' | 'half' | 'float'
  readonly xSampling?: number
  readonly ySampling?: number
}

/** An uncompressed EXR part: `sample(channel, x, y)` gives the stored bits at absolute coordinates. */
export interface WriterPart {
  readonly name?: string
  readonly channels: readonly WriterChannel[]
  readonly dataWindow: readonly [number, number, number, number]
  readonly displayWindow?: readonly [number, number, number, number]
  readonly tile?: { readonly width: number; readonly height: number; readonly mode: number }
  readonly sample: (channel: string, x: number, y: number) => number
}

const TYPES = { uint32: 0, half: 1, float: 2 } as const
const text = (value: string): Uint8Array => Buffer.from(`${value}\0`)
const ints = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer)
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer)
export const attribute = (name: string, type: string, data: Uint8Array): Uint8Array =>
  Buffer.concat([text(name), text(type), ints(data.length), data])

interface Chunk {
  readonly fields: readonly number[]
  readonly data: Uint8Array
}

function pixels(part: WriterPart, x0: number, x1: number, y0: number, y1: number): Uint8Array {
  const out: number[] = []
  for (let y = y0; y <= y1; y++) {
    for (const { name, type, xSampling = 1, ySampling = 1 } of part.channels) {
      if (y % ySampling !== 0) continue
      for (let x = x0; x <= x1; x++) {
        if (x % xSampling !== 0) continue
        const bits = part.sample(name, x, y)
        for (let byte = 0; byte < (type === 'half' ? 2 : 4); byte++) out.push((bits >>> (8 * byte)) & 255)
      }
    }
  }
  return Uint8Array.from(out)
}

function chunks(part: WriterPart): Chunk[] {
  const [xMin, yMin, xMax, yMax] = part.dataWindow
  const [width, height] = [xMax - xMin + 1, yMax - yMin + 1]
  if (!part.tile)
    return Array.from({ length: height }, (_, y) => ({ fields: [yMin + y], data: pixels(part, xMin, xMax, yMin + y, yMin + y) }))
  const { tile } = part
  const levels = tile.mode & 15
  const count = (size: number): number => Math.floor(Math.log2(size)) + 1
  const list: Chunk[] = []
  const level = (lx: number, ly: number): void => {
    const w = Math.max(1, width >> lx)
    const h = Math.max(1, height >> ly)
    for (let ty = 0; ty * tile.height < h; ty++) {
      for (let tx = 0; tx * tile.width < w; tx++) {
        const x0 = xMin + tx * tile.width
        const y0 = yMin + ty * tile.height
        const x1 = Math.min(xMin + w - 1, x0 + tile.width - 1)
        const y1 = Math.min(yMin + h - 1, y0 + tile.height - 1)
        list.push({ fields: [tx, ty, lx, ly], data: pixels(part, x0, x1, y0, y1) })
      }
    }
  }
  if (levels === 0) level(0, 0)
  else if (levels === 1) for (let l = 0; l < count(Math.max(width, height)); l++) level(l, l)
  else for (let ly = 0; ly < count(height); ly++) for (let lx = 0; lx < count(width); lx++) level(lx, ly)
  return list
}

/** Writes an uncompressed EXR; `shuffle` stores the chunks backwards. Names of more than one part make it multi-part. */
export function writeExr(
  parts: readonly WriterPart[],
  options: { shuffle?: boolean; longNames?: boolean; version?: number; type?: string } = {},
): Uint8Array {
  const multi = parts.length > 1
  const flags = (multi ? 0x1000 : parts[0]!.tile ? 0x200 : 0) | (options.longNames ? 0x400 : 0)
  const lists = parts.map(chunks)
  const headers = parts.map((part, index) =>
    Buffer.concat([
      attribute(
        'channels',
        'chlist',
        Buffer.concat([
          ...part.channels.map((c) => Buffer.concat([text(c.name), ints(TYPES[c.type], 0, c.xSampling ?? 1, c.ySampling ?? 1)])),
          Buffer.alloc(1),
        ]),
      ),
      attribute('compression', 'compression', Buffer.alloc(1)),
      attribute('dataWindow', 'box2i', ints(...part.dataWindow)),
      attribute('displayWindow', 'box2i', ints(...(part.displayWindow ?? part.dataWindow))),
      attribute('lineOrder', 'lineOrder', Buffer.from([part.tile && options.shuffle ? 2 : 0])),
      attribute('pixelAspectRatio', 'float', floats(1)),
      attribute('screenWindowCenter', 'v2f', floats(0, 0)),
      attribute('screenWindowWidth', 'float', floats(1)),
      ...(part.tile
        ? [
            attribute(
              'tiles',
              'tiledesc',
              Buffer.concat([ints(part.tile.width, part.tile.height), Buffer.from([part.tile.mode])]),
            ),
          ]
        : []),
      ...(part.name ? [attribute('name', 'string', Buffer.from(part.name))] : []),
      ...(multi || options.type
        ? [attribute('type', 'string', Buffer.from(options.type ?? (part.tile ? 'tiledimage' : 'scanlineimage')))]
        : []),
      ...(multi ? [attribute('chunkCount', 'int', ints(lists[index]!.length))] : []),
      Buffer.alloc(1),
    ]),
  )
  const head = Buffer.concat([
    Buffer.from([0x76, 0x2f, 0x31, 0x01]),
    ints(options.version ?? 2 | flags),
    ...headers,
    ...(multi ? [Buffer.alloc(1)] : []),
  ])
  const all = lists.flatMap((list, part) =>
    list.map((chunk) =>
      Buffer.concat([multi ? ints(part) : Buffer.alloc(0), ints(...chunk.fields, chunk.data.length), chunk.data]),
    ),
  )
  const order = all.map((_, index) => index)
  if (options.shuffle) order.reverse()
  const table = Buffer.alloc(all.length * 8)
  let offset = head.length + table.length
  for (const index of order) {
    table.writeBigUInt64LE(BigInt(offset), index * 8)
    offset += all[index]!.length
  }
  return Buffer.concat([head, table, ...order.map((index) => all[index]!)])
}

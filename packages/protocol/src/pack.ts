import { invalid, type BundleFile } from '@pictor/core/contract'
import { list, named, number, object, type Schema } from './schema.ts'
import { hashSchema } from './wire/answers.ts'

/** Largest file that is packed: larger ones go by themselves, in parts that resume. */
export const MAX_PACKED_FILE: number = 2 ** 18
/** Most files and bytes of one pack. */
export const MAX_PACK_FILES = 4_096
export const MAX_PACK_BYTES: number = 2 ** 23
const MAX_HEAD_BYTES = 2 ** 20

/** A file of a pack, in the order of its bytes. */
export type PackedFile = Pick<BundleFile, 'hash' | 'bytes'>

/** What stands before the bytes of a pack. */
export const packHeadSchema: Schema<{ files: PackedFile[] }> = named(
  'PackHead',
  object<{ files: PackedFile[] }>({
    files: list(
      object<PackedFile>({ hash: hashSchema, bytes: number({ min: 0, max: MAX_PACKED_FILE, whole: true }) }),
      MAX_PACK_FILES,
    ),
  }),
)

/**
 * Many small files as one body: four bytes length of the head (big-endian), the head as JSON, then the bytes of the files one after another. Nothing is compressed, so a pack
 * cannot unpack to more than was sent.
 */
export function packFiles(files: readonly { readonly hash: `0x${string}`; readonly data: Uint8Array }[]): Uint8Array {
  const head = Buffer.from(JSON.stringify({ files: files.map(({ hash, data }) => ({ hash, bytes: data.length })) }))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, ...files.map(({ data }) => data)])
}

/** Groups of files for packs within the limits; files that are too large for one are left out. */
export function packGroups<T extends PackedFile>(files: readonly T[]): T[][] {
  const groups: T[][] = []
  let bytes = Infinity
  for (const file of files) {
    if (file.bytes > MAX_PACKED_FILE) continue
    if (bytes + file.bytes > MAX_PACK_BYTES || groups.at(-1)!.length === MAX_PACK_FILES) {
      groups.push([])
      bytes = 0
    }
    groups.at(-1)!.push(file)
    bytes += file.bytes
  }
  return groups
}

/**
 * Files of a pack one by one as they arrive, so that those before a break are kept. The caller checks their hashes.
 * @throws invalid-input when the head breaks a rule or the body ends early or late
 */
export async function* unpackFiles(body: AsyncIterable<Uint8Array>): AsyncGenerator<PackedFile & { readonly data: Buffer }> {
  const source = takeFrom(body)
  const length = (await source.take(4, 'body')).readUInt32BE()
  if (length > MAX_HEAD_BYTES) throw invalid('body.head', `at most ${MAX_HEAD_BYTES} bytes`, length)
  const { files } = packHeadSchema.read(parsed(await source.take(length, 'body.head')), 'body.head')
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  if (total > MAX_PACK_BYTES) throw invalid('body.head.files', `at most ${MAX_PACK_BYTES} bytes in all`, total)
  for (const [i, file] of files.entries()) yield { ...file, data: await source.take(file.bytes, `body.files[${i}]`) }
  if (!(await source.ended())) throw invalid('body', `an end after ${files.length} files`, 'more bytes')
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw invalid('body.head', 'JSON', bytes.toString('latin1').slice(0, 40))
  }
}

/** Exact numbers of bytes from a stream of chunks. */
function takeFrom(body: AsyncIterable<Uint8Array>): {
  take(bytes: number, path: string): Promise<Buffer>
  ended(): Promise<boolean>
} {
  const chunks = body[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const more = async (): Promise<Buffer | undefined> => {
    const next = await chunks.next()
    return next.done === true ? undefined : Buffer.from(next.value)
  }
  return {
    async take(bytes, path) {
      const parts = [rest]
      let have = rest.length
      while (have < bytes) {
        const chunk = await more()
        if (!chunk) throw invalid(path, `${bytes} bytes`, `an end after ${have}`)
        parts.push(chunk)
        have += chunk.length
      }
      const all = Buffer.concat(parts)
      rest = all.subarray(bytes)
      return all.subarray(0, bytes)
    },
    async ended() {
      while (rest.length === 0) {
        const chunk = await more()
        if (!chunk) return true
        rest = chunk
      }
      return false
    },
  }
}

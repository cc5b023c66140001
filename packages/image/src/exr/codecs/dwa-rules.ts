import { ImageError, type ImageErrorWhere } from '../../error.ts'
import type { Cursor } from '../cursor.ts'
import type { BlockChannel } from '../layout.ts'

/** How DWA stores a channel. */
export type DwaScheme = 'unknown' | 'dct' | 'rle'

/** Names a suffix and type that are stored by a scheme. */
export interface DwaRule {
  readonly suffix: string
  readonly scheme: DwaScheme
  readonly type: 'uint32' | 'half' | 'float'
  /** Place in an RGB triple that is coded as Y'CbCr, or -1. */
  readonly color: number
  readonly anyCase: boolean
}

/** Schemes by channel, and the triples of channels coded together. */
export interface Classified {
  readonly schemes: readonly DwaScheme[]
  readonly triples: readonly (readonly number[])[]
}

const TYPES = ['uint32', 'half', 'float'] as const
const SCHEMES = ['unknown', 'dct', 'rle'] as const

const legacy = (suffixes: readonly string[], scheme: DwaScheme, color: number, types: readonly DwaRule['type'][]): DwaRule[] =>
  suffixes.flatMap((suffix) => types.map((type) => ({ suffix, scheme, type, color, anyCase: true })))

/** Rules of version 0 and 1 chunks, which do not carry their own (ImfDwaCompressor.cpp, `initializeLegacyChannelRules`). */
export const LEGACY_RULES: readonly DwaRule[] = [
  ...legacy(['r', 'red'], 'dct', 0, ['half', 'float']),
  ...legacy(['g', 'grn', 'green'], 'dct', 1, ['half', 'float']),
  ...legacy(['b', 'blu', 'blue'], 'dct', 2, ['half', 'float']),
  ...legacy(['y', 'by', 'ry'], 'dct', -1, ['half', 'float']),
  ...legacy(['a'], 'rle', -1, TYPES),
]

/** Reads the rules at the start of a version 2 chunk and moves the cursor behind them. */
export function readRules(cursor: Cursor, where: ImageErrorWhere): readonly DwaRule[] {
  const bad = (message: string): never => {
    throw new ImageError('bad-data', `DWA chunk: ${message}`, where)
  }
  const size = cursor.u8() | (cursor.u8() << 8)
  const end = cursor.offset + size - 2
  if (size < 2 || end > cursor.end) bad('its channel rules pass the end')
  const rules: DwaRule[] = []
  while (cursor.offset < end) {
    const suffix = cursor.text(128, 'a DWA channel rule')
    const value = cursor.u8()
    const type = TYPES[cursor.u8()]
    const scheme = SCHEMES[(value >> 2) & 3]
    const color = (value >> 4) - 1
    if (!type || !scheme || color > 2) return bad(`a channel rule for "${suffix}" is not valid`)
    rules.push({ suffix, scheme, type, color, anyCase: (value & 1) !== 0 })
  }
  if (cursor.offset !== end) bad('its channel rules have a wrong length')
  return rules
}

/** Applies the rules to the part of each name after its last dot; the last rule that matches counts. */
export function classifyChannels(channels: readonly BlockChannel[], rules: readonly DwaRule[]): Classified {
  const sets = new Map<string, number[]>()
  const schemes = channels.map(({ channel }, index): DwaScheme => {
    const dot = channel.name.lastIndexOf('.') + 1
    const prefix = channel.name.slice(0, dot)
    const suffix = channel.name.slice(dot)
    const set = sets.get(prefix) ?? [-1, -1, -1]
    sets.set(prefix, set)
    let scheme: DwaScheme = 'unknown'
    for (const rule of rules) {
      const same = rule.anyCase ? rule.suffix.toLowerCase() === suffix.toLowerCase() : rule.suffix === suffix
      if (!same || rule.type !== channel.type) continue
      scheme = rule.scheme
      if (rule.color >= 0) set[rule.color] = index
    }
    return scheme
  })
  const triples = [...sets.values()].filter((set) => {
    if (set.includes(-1) || set.some((index) => schemes[index] !== 'dct')) return false
    const [r, g, b] = set.map((index) => channels[index]!.channel)
    return [g!, b!].every((other) => other.xSampling === r!.xSampling && other.ySampling === r!.ySampling)
  })
  return { schemes, triples }
}

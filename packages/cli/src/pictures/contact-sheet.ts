import { PALETTE, farmColor, line, rect, svg, text } from './svg.ts'

/** One rendered frame on the sheet. */
export interface SheetFrame {
  readonly frame: number
  readonly farm: string
  readonly verdict: 'accept' | 'refuse' | 'unsure'
  /** Why it was refused, in a few words. */
  readonly reason?: string
  /** A PNG, shown scaled down; left out when the file cannot be shown. */
  readonly png?: Uint8Array
}

export interface SheetOptions {
  readonly title: string
  readonly subtitle: string
  /** Width to height of the frames. */
  readonly aspect: number
  readonly columns?: number
}

const TILE = 224
const GAP = 12
const LABEL = 26

/** Every frame with its farm and verdict; a refused frame stands directly before its replacement, tied to it by a bracket. */
export function contactSheet(frames: readonly SheetFrame[], options: SheetOptions): string {
  const farms = [...new Set(frames.map((frame) => frame.farm))].sort()
  const ordered = [...frames].sort((a, b) => a.frame - b.frame || rank(a) - rank(b))
  const columns = Math.min(options.columns ?? 6, Math.max(1, ordered.length))
  const height = TILE / options.aspect
  const width = GAP + columns * (TILE + GAP)
  const top = 84
  const cell = height + LABEL + GAP
  const content = [
    text(GAP, 32, options.title, { size: 20, bold: true }),
    text(GAP, 54, options.subtitle, { color: PALETTE.dim }),
    legend(farms, width),
  ]
  ordered.forEach((frame, i) => {
    const x = GAP + (i % columns) * (TILE + GAP)
    const y = top + Math.floor(i / columns) * cell
    const replacement = frame.verdict === 'refuse' && ordered[i + 1]?.frame === frame.frame && (i + 1) % columns !== 0
    content.push(...tile(frame, x, y, height, farmColor(farms, frame.farm)))
    if (replacement)
      content.push(
        line(x + TILE, y + height / 2, x + TILE + GAP, y + height / 2, PALETTE.refuse, 'stroke-width="3" stroke-dasharray="3 2"'),
      )
  })
  return svg(width, top + Math.ceil(ordered.length / columns) * cell, content)
}

/** Refused frames before the frame that replaced them. */
function rank(frame: SheetFrame): number {
  return frame.verdict === 'refuse' ? 0 : frame.verdict === 'unsure' ? 1 : 2
}

function legend(farms: readonly string[], width: number): string {
  let x = width - GAP
  const parts: string[] = []
  for (const farm of [...farms].reverse()) {
    x -= farm.length * 8 + 10
    parts.push(text(x, 32, farm, { color: PALETTE.dim }), rect(x - 18, 21, 12, 12, farmColor(farms, farm), 'rx="2"'))
    x -= 34
  }
  return parts.join('')
}

function tile(frame: SheetFrame, x: number, y: number, height: number, color: string): string[] {
  const refused = frame.verdict === 'refuse'
  const mark = frame.verdict === 'accept' ? '✓' : refused ? '✕' : '?'
  const parts = [rect(x, y, TILE, height + LABEL, PALETTE.panel, 'rx="3"')]
  if (frame.png)
    parts.push(
      `<image x="${x}" y="${y}" width="${TILE}" height="${height}" preserveAspectRatio="xMidYMid slice" xlink:href="data:image/png;base64,${Buffer.from(frame.png).toString('base64')}"/>`,
    )
  else parts.push(text(x + TILE / 2, y + height / 2, 'no picture', { color: PALETTE.dim, anchor: 'middle' }))
  if (refused) parts.push(rect(x + 1.5, y + 1.5, TILE - 3, height - 3, 'none', `stroke="${PALETTE.refuse}" stroke-width="3"`))
  parts.push(rect(x, y + height, TILE, 4, color))
  parts.push(text(x + 8, y + height + 20, String(frame.frame), { bold: true }))
  parts.push(
    text(x + 48, y + height + 20, refused && frame.reason ? `${frame.farm}: ${frame.reason}`.slice(0, 23) : frame.farm, {
      size: 12,
      color: refused ? PALETTE.refuse : PALETTE.dim,
    }),
  )
  parts.push(text(x + TILE - 8, y + height + 20, mark, { anchor: 'end', bold: true, color: PALETTE[frame.verdict] }))
  return parts
}

import { PALETTE, farmColor, line, rect, svg, text } from './svg.ts'

/** One frame's time on a farm. */
export interface Bar {
  readonly farm: string
  readonly frame: number
  readonly startMs: number
  readonly endMs: number
  readonly verdict: 'accept' | 'refuse' | 'unsure'
}

const LEFT = 130
const ROW = 26

/** When each farm rendered which frame: one lane for every frame that ran at the same time on a farm. Milliseconds since the job began. */
export function timeline(
  bars: readonly Bar[],
  options: { readonly title: string; readonly endMs: number; readonly deadlineMs?: number },
): string {
  const farms = [...new Set(bars.map((bar) => bar.farm))].sort()
  const span = Math.max(1, options.endMs)
  const width = 1200
  const scale = (width - LEFT - 24) / span
  const content = [text(16, 30, options.title, { size: 18, bold: true })]
  const front: string[] = []
  let y = 56
  for (const farm of farms) {
    const lanes = stack(bars.filter((bar) => bar.farm === farm))
    content.push(text(16, y + 17, farm, { bold: true, color: farmColor(farms, farm) }))
    for (const lane of lanes) {
      content.push(rect(LEFT, y, width - LEFT - 24, ROW - 4, PALETTE.panel))
      for (const bar of lane) {
        const x = LEFT + bar.startMs * scale
        const w = Math.max(3, (bar.endMs - bar.startMs) * scale - 1)
        front.push(
          rect(
            x,
            y,
            w,
            ROW - 4,
            bar.verdict === 'accept' ? farmColor(farms, farm) : PALETTE[bar.verdict],
            'rx="2" opacity="0.9"',
          ),
        )
        if (w > 16) front.push(text(x + w / 2, y + 15, String(bar.frame), { size: 11, color: PALETTE.ground, anchor: 'middle' }))
      }
      y += ROW
    }
    y += 8
  }
  content.push(...axis(span, scale, y), ...front)
  if (options.deadlineMs !== undefined && options.deadlineMs <= span)
    content.push(
      line(LEFT + options.deadlineMs * scale, 44, LEFT + options.deadlineMs * scale, y, PALETTE.refuse, 'stroke-dasharray="4 3"'),
    )
  return svg(width, y + 40, content)
}

/** Splits bars that overlap in time into lanes without overlap. */
function stack(bars: readonly Bar[]): Bar[][] {
  const lanes: Bar[][] = []
  for (const bar of [...bars].sort((a, b) => a.startMs - b.startMs)) {
    const lane = lanes.find((candidate) => candidate.at(-1)!.endMs <= bar.startMs + 1)
    if (lane) lane.push(bar)
    else lanes.push([bar])
  }
  return lanes
}

function axis(spanMs: number, scale: number, y: number): string[] {
  const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400]
  const step = (steps.find((seconds) => spanMs / 1000 / seconds <= 12) ?? 86_400) * 1000
  const parts: string[] = []
  for (let ms = 0; ms <= spanMs; ms += step) {
    parts.push(line(LEFT + ms * scale, 44, LEFT + ms * scale, y, PALETTE.line, 'opacity="0.6"'))
    parts.push(text(LEFT + ms * scale, y + 18, clock(ms), { size: 11, color: PALETTE.dim, anchor: 'middle' }))
  }
  return parts
}

function clock(ms: number): string {
  const s = Math.round(ms / 1000)
  return s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 360) / 10} h`
}

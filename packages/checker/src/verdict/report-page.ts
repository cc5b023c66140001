import { formatFrames, type Finding, type Verdict } from '@pictor/core/contract'

/** One frame on the page. */
export interface ReportRow {
  readonly file: string
  readonly frame: number
  /** Name of the picture sequence, where the page shows several. */
  readonly sequence?: string
  readonly verdict: Verdict
  readonly findings: readonly Finding[]
  readonly ms: number
  /** Path of a small picture, relative to the page. */
  readonly thumbnail?: string
  /** Path of the difference picture, relative to the page. */
  readonly difference?: string
}

/** What stands above the frames. */
export interface ReportHead {
  readonly title: string
  /** What the verdicts rest on, a sentence each. */
  readonly basis: readonly string[]
  readonly madeAtMs: number
}

const NAMES: Readonly<Record<Verdict, string>> = { accept: 'accepted', refuse: 'refused', unsure: 'unsure' }

/** The whole page as HTML: no script, no network, works from a folder. Rows that need eyes come first. All text is escaped. */
export function reportPage(head: ReportHead, rows: readonly ReportRow[]): string {
  const order: readonly Verdict[] = ['refuse', 'unsure', 'accept']
  const sequences = bySequence(rows).flatMap(([, group]) => [...group].sort((a, b) => a.frame - b.frame))
  const sorted = order.flatMap((verdict) => sequences.filter((row) => row.verdict === verdict))
  const places = new Map(rows.map((row, i) => [row, i]))
  const count = (verdict: Verdict): number => rows.filter((row) => row.verdict === verdict).length
  const summary = order.map((verdict) => `<span class="${verdict}">${count(verdict)} ${NAMES[verdict]}</span>`).join(' ')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(head.title)}</title>
<style>${STYLE}</style></head><body>
<h1>${text(head.title)}</h1>
<p class="summary">${summary}</p>
${head.basis.map((line) => `<p class="basis">${text(line)}</p>`).join('\n')}
<p class="basis">Made ${new Date(head.madeAtMs).toISOString()}</p>
${strip(rows, places)}
${toDo(rows)}
<main>
${sorted
  .filter((row) => !isPlain(row))
  .map((row) => card(row, places.get(row)!))
  .join('\n')}
</main>
<section>
${sorted
  .filter(isPlain)
  .map((row) => tile(row, places.get(row)!))
  .join('\n')}
</section></body></html>
`
}

/** The rows of each picture sequence, in the order in which the sequences come. A row of none, such as a missing frame's, belongs to the only one, or to the last group. */
function bySequence(rows: readonly ReportRow[]): readonly (readonly [string, readonly ReportRow[]])[] {
  const groups = new Map<string, ReportRow[]>()
  for (const row of rows) {
    if (row.sequence === undefined) continue
    const group = groups.get(row.sequence) ?? []
    groups.set(row.sequence, group)
    group.push(row)
  }
  const others = rows.filter((row) => row.sequence === undefined)
  if (groups.size === 1) return [...groups].map(([name, group]) => [name, [...group, ...others]] as const)
  return others.length > 0 ? [...groups, ['frames of no file', others]] : [...groups]
}

/** Every frame as a small square in the order of the shot, coloured by its verdict: holes and runs of bad frames show at a glance. */
function strip(rows: readonly ReportRow[], places: ReadonlyMap<ReportRow, number>): string {
  const groups = bySequence(rows)
  return groups
    .map(([name, group]) => {
      const cells = [...group]
        .sort((a, b) => a.frame - b.frame)
        .map(
          (row) => `<a class="${row.verdict}" href="#f${places.get(row)}" title="frame ${row.frame}: ${NAMES[row.verdict]}"></a>`,
        )
      return `${groups.length > 1 ? `<p class="basis">${text(name)}</p>` : ''}<nav>${cells.join('')}</nav>`
    })
    .join('\n')
}

/** What a wrangler does next: which frames to render again, which to look at, and how often each reason came up. */
function toDo(rows: readonly ReportRow[]): string {
  const groups = bySequence(rows)
  const framesOf = (verdict: Verdict): string =>
    groups
      .flatMap(([name, group]) => {
        const frames = [...new Set(group.filter((row) => row.verdict === verdict).map((row) => row.frame))].filter(
          Number.isInteger,
        )
        if (frames.length === 0) return []
        return [`<code>${formatFrames(frames)}</code>${groups.length > 1 ? ` of ${text(name)}` : ''}`]
      })
      .join(', ')
  const [again, look] = [framesOf('refuse'), framesOf('unsure')]
  const reasons = new Map<string, number>()
  for (const row of rows)
    if (row.verdict !== 'accept' && row.findings[0])
      reasons.set(row.findings[0].code, (reasons.get(row.findings[0].code) ?? 0) + 1)
  const counted = [...reasons].sort(([, a], [, b]) => b - a).map(([code, count]) => `${text(code)} ${count}`)
  return [
    again && `<p>Render again: ${again}</p>`,
    look && `<p>Look at: ${look}</p>`,
    counted.length > 0 && `<p class="basis">First reasons: ${counted.join(' · ')}</p>`,
  ]
    .filter((line) => line)
    .join('\n')
}

/** An accepted frame of which nothing is to be said: a small tile is enough. */
const isPlain = ({ verdict, findings }: ReportRow): boolean => verdict === 'accept' && findings.length === 0

function tile(row: ReportRow, index: number): string {
  return `<figure id="f${index}" title="${text(row.file)}">${image(row)}<figcaption>${row.frame}</figcaption></figure>`
}

function image({ thumbnail, frame }: ReportRow): string {
  return thumbnail ? `<img loading="lazy" src="${text(thumbnail)}" alt="frame ${frame}">` : '<div class="none">no picture</div>'
}

function card(row: ReportRow, index: number): string {
  const difference = row.difference
    ? `<a class="difference" href="${text(row.difference)}"><img loading="lazy" src="${text(row.difference)}" alt="the farm's frame, the checker's own render, and their difference"><small>the farm's frame · own render · difference, 8 times (yellow: what differs, blue: what was looked at first)</small></a>`
    : ''
  const items = row.findings.map((found) => `<li><b>${text(found.code)}</b> ${text(found.message)}${numbers(found)}</li>`)
  const [first, rest] = [items.slice(0, SHOWN), items.slice(SHOWN)]
  const more = rest.length > 0 ? `<details><summary>${rest.length} more</summary><ul>${rest.join('')}</ul></details>` : ''
  return `<article id="f${index}" class="${row.verdict}">${image(row)}<div><h2>Frame ${row.frame} <em>${NAMES[row.verdict]}</em></h2><p class="file">${text(row.file)}</p><ul>${first.join('')}</ul>${more}${difference}</div></article>`
}

/** Findings that are shown at once; the first are those that decided. */
const SHOWN = 3

function numbers({ value, threshold, region }: Finding): string {
  const parts = [
    value === undefined ? '' : `measured ${rounded(value)}`,
    threshold === undefined ? '' : `limit ${rounded(threshold)}`,
    region ? `at ${region.x}, ${region.y}, ${region.width} x ${region.height} px` : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : ` <small>(${parts.join(', ')})</small>`
}

/** Three digits are enough to see which side of a limit a value lies on. */
const rounded = (value: number): string => (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3))))

const text = (value: string): string =>
  value.replace(/[&<>"']/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character]!)

const STYLE = `
:root{color-scheme:light dark;font:15px/1.45 system-ui,sans-serif}body{margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1rem;margin:0}h2 em{font-style:normal;font-weight:400}
.summary span{display:inline-block;padding:.2rem .7rem;border-radius:1rem;margin-right:.4rem}
.basis,.file,small{opacity:.75}.basis{margin:.2rem 0}.file{margin:.1rem 0;word-break:break-all}ul{margin:.3rem 0 0;padding-left:1.1rem}
main{display:grid;gap:.8rem}article{display:grid;grid-template-columns:240px 1fr;gap:1rem;padding:.7rem;border-left:5px solid;border-radius:.3rem;background:#8881}
img,.none{width:240px;background:#8883;border-radius:.2rem}.none{height:5rem;display:grid;place-items:center;opacity:.6}
article.accept{border-color:#2a9d4a}article.unsure{border-color:#d99a00}article.refuse{border-color:#d33}
nav{display:flex;flex-wrap:wrap;gap:2px;margin:.6rem 0}nav a{width:.8rem;height:.8rem;border-radius:2px;background:#2a9d4a}nav a.unsure{background:#d99a00}nav a.refuse{background:#d33}
details{margin-top:.2rem}summary{cursor:pointer;opacity:.75}.difference{display:block;margin-top:.5rem;color:inherit;text-decoration:none}.difference img{width:100%;display:block}
section{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.5rem;margin-top:.8rem}figure{margin:0;border-bottom:3px solid #2a9d4a;background:#8881}figure img,figure .none{width:100%;display:block}figure .none{display:grid}figcaption{font-size:.85rem;padding:0 .3rem}
article:target,figure:target{outline:2px solid}code{user-select:all;background:#8882;padding:.1rem .3rem;border-radius:.2rem;word-break:break-all}
.summary .accept{background:#2a9d4a33}.summary .unsure{background:#d99a0033}.summary .refuse{background:#d3333333}
@media(max-width:40rem){article{grid-template-columns:1fr}}`

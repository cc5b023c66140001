import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import {
  formatFrames,
  type Artifacts,
  type JobEvent,
  type JobResult,
  type JobRun,
  type Pictor,
  type ReceiptMaterial,
} from '@pictor/core'
import { encodeReceipt } from '@pictor/core/proof'
import { contactSheet, type SheetFrame } from './pictures/contact-sheet.ts'
import { previewPng } from './pictures/preview.ts'
import { rasterize } from './pictures/svg.ts'
import { timeline, type Bar } from './pictures/timeline.ts'
import type { CommandContext } from './commands/context.ts'

/** What a finished run left in its output folder. */
export interface Results {
  readonly material: ReceiptMaterial
  readonly events: readonly JobEvent[]
  readonly receiptPath: string
}

/** Writes receipt, contact sheet and timeline beside the frames, and says where. */
export async function writeResults(
  pictor: Pictor,
  run: JobRun,
  result: JobResult,
  outDir: string,
  context: CommandContext,
): Promise<Results> {
  await mkdir(outDir, { recursive: true })
  const material = await result.material()
  const events: JobEvent[] = []
  for await (const event of run.events(0)) events.push(event)
  const receiptPath = join(outDir, 'receipt.json')
  await writeWhole(receiptPath, `${encodeReceipt(await pictor.receipt(run.id))}\n`)
  const sheet = join(outDir, 'contact-sheet.png')
  await writeWhole(sheet, rasterize(contactSheet(await sheetFrames(material, pictor.artifacts), sheetTitle(material, result))))
  const bars = timelineBars(events)
  const chart = join(outDir, 'timeline.png')
  if (bars.length > 0) {
    const drawn = timeline(bars, {
      title: `${material.spec.name}: who rendered which frame when`,
      endMs: Math.max(...bars.map((bar) => bar.endMs)),
    })
    await writeWhole(chart, rasterize(drawn))
  }
  const shown = (path: string) => relative(process.cwd(), path) || '.'
  context.emit({
    type: 'results',
    receipt: receiptPath,
    contactSheet: sheet,
    timeline: chart,
    frames: [...new Set(result.frames.map((frame) => frame.path))],
  })
  context.screen.log(`\n  frames in ${shown(outDir)}: ${formatFrames(framesOf(result)) || 'none'}`)
  context.screen.log(`  ${shown(sheet)}, ${shown(chart)}`)
  context.screen.log(`  ${shown(receiptPath)}: pictor verify ${shown(receiptPath)}`)
  return { material, events, receiptPath }
}

/** Delivered frames, each once: a split one came in tiles. */
function framesOf(result: JobResult): number[] {
  const missing = new Set(result.missing)
  return [...new Set(result.frames.map(({ frame }) => frame))].filter((frame) => !missing.has(frame))
}

async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, content)
  await rename(`${path}.part`, path)
}

function sheetTitle(material: ReceiptMaterial, result: JobResult): { title: string; subtitle: string; aspect: number } {
  const records = material.batches.flatMap(({ batch }) => batch.results.flatMap((entry) => entry.records))
  const count = (verdict: string) => records.filter((record) => record.verdict === verdict).length
  const { width, height } = material.spec.render.output
  const parts = [
    `${records.length} renders`,
    `${count('accept')} accepted`,
    `${count('refuse')} refused`,
    ...(count('unsure') ? [`${count('unsure')} unsure`] : []),
  ]
  return {
    title: `${material.spec.name} · ${framesOf(result).length} frame${framesOf(result).length === 1 ? '' : 's'}`,
    subtitle: parts.join(', '),
    aspect: width / height,
  }
}

async function sheetFrames(material: ReceiptMaterial, files: Artifacts): Promise<SheetFrame[]> {
  const frames: SheetFrame[] = []
  for (const { batch } of material.batches)
    for (const { lease, records } of batch.results) {
      const evidence = material.leases.find((entry) => entry.lease.id === lease.id)
      for (const record of records) {
        const reason = evidence?.reports.find(
          (report) => report.frame === record.frame && report.part === record.part && report.verdict === 'refuse',
        )?.findings[0]?.code
        const png = await files.path(record.outputHash).then(
          async (path) => previewPng(await readFile(path)),
          () => undefined,
        )
        frames.push({
          frame: record.frame,
          farm: evidence?.farm ?? lease.farm,
          verdict: record.verdict,
          ...(reason ? { reason } : {}),
          ...(png ? { png } : {}),
        })
      }
    }
  return frames
}

/** Bars of all frames that were rendered, from the run's events; times since the first of them. */
function timelineBars(events: readonly JobEvent[]): Bar[] {
  const verdicts = new Map<string, Bar['verdict']>()
  for (const event of events) if (event.type === 'frame-verdict') verdicts.set(`${event.task}/${event.frame}`, event.verdict)
  const rendered = events.filter((event) => event.type === 'frame-rendered')
  const start = Math.min(...rendered.map((event) => event.completedAtMs - (event.renderMs ?? 0)))
  return rendered.map((event) => ({
    farm: event.farm,
    frame: event.frame,
    startMs: event.completedAtMs - (event.renderMs ?? 0) - start,
    endMs: event.completedAtMs - start,
    verdict: verdicts.get(`${event.task}/${event.frame}`) ?? 'unsure',
  }))
}

// pnpm bench check [CORPUS_FOLDER | --only speed]: detection per kind of defect on the labelled corpus, with and without references, and the time a UHD frame takes beside inflating it, sharp, oiiotool and idiff.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { RenderSpec } from '@pictor/core/contract'
import type { Bench } from '../scripts/bench.ts'
import { checkFile, checkPath, type CheckLine } from '../packages/checker/src/index.ts'
import { makeFrames, measureApart, reportFile, unavoidable } from './image.ts'
import { replicationRows, sequentialRows } from './check-sampling.ts'

type Report = Parameters<Bench>[0]

/** Counts of one kind of defect. */
interface Tally {
  total: number
  refuse: number
  unsure: number
  codes: Map<string, number>
}

async function tally(manifest: string, labels: ReadonlyMap<string, string>, references: boolean): Promise<Map<string, Tally>> {
  const kinds = new Map<string, Tally>()
  for await (const line of checkPath(manifest, { references })) {
    const label = labels.get(line.file) ?? 'unlabelled'
    const kind = kinds.get(label) ?? { total: 0, refuse: 0, unsure: 0, codes: new Map<string, number>() }
    kinds.set(label, kind)
    kind.total++
    if (line.verdict === 'refuse') kind.refuse++
    if (line.verdict === 'unsure') kind.unsure++
    const code = reasonOf(line)
    if (code) kind.codes.set(code, (kind.codes.get(code) ?? 0) + 1)
  }
  return kinds
}

const reasonOf = (line: CheckLine): string | undefined => (line.verdict === 'accept' ? undefined : line.findings[0]?.code)

/** Lower end of the exact 95 % interval of a share (Clopper and Pearson) where all `n` were found: alpha/2 ^ (1/n); else by bisection of the binomial tail. */
export function lowerBound(found: number, n: number): number {
  if (found === 0) return 0
  let low = 0
  let high = found / n
  for (let i = 0; i < 60; i++) {
    const p = (low + high) / 2
    if (upperTail(found, n, p) < 0.025) low = p
    else high = p
  }
  return low
}

/** P(X >= k) of a binomial variable. */
function upperTail(k: number, n: number, p: number): number {
  let sum = 0
  let term = 0
  for (let i = 1; i <= n; i++) term += Math.log(i)
  let logChoose = 0
  for (let i = 0; i <= n; i++) {
    if (i > 0) logChoose += Math.log((n - i + 1) / i)
    if (i >= k) sum += Math.exp(logChoose + i * Math.log(p) + (n - i) * Math.log1p(-p))
  }
  return Math.min(1, sum)
}

async function corpus(report: Report, folder: string): Promise<void> {
  const manifest = join(folder, 'manifest.json')
  if (!existsSync(manifest)) {
    console.log(`(no corpus at ${folder}: detection skipped; name its folder as an argument)`)
    return
  }
  const { files } = JSON.parse(readFileSync(manifest, 'utf8')) as { files: { file: string; label: string }[] }
  const labels = new Map(files.map(({ file, label }) => [file, label]))
  for (const references of [true, false]) {
    const name = references ? 'with references' : 'file + sequence only'
    const kinds = await tally(manifest, labels, references)
    const honest = kinds.get('honest') ?? { total: 0, refuse: 0, unsure: 0, codes: new Map() }
    let total = 0
    let refused = 0
    let found = 0
    for (const [label, kind] of [...kinds].sort(([a], [b]) => a.localeCompare(b))) {
      if (label === 'honest') continue
      total += kind.total
      refused += kind.refuse
      found += kind.refuse + kind.unsure
      const codes = [...kind.codes].map(([code, count]) => `${code} ${count}`).join(', ')
      report({ name: `${label}, ${name}`, value: kind.refuse + kind.unsure, unit: `of ${kind.total}`, note: codes || 'missed' })
    }
    report({
      name: `TOTAL found, ${name}`,
      value: found,
      unit: `of ${total}`,
      note: `${((100 * found) / total).toFixed(1)} %, lower 95 % bound ${(100 * lowerBound(found, total)).toFixed(1)} %`,
    })
    report({
      name: `TOTAL refused outright, ${name}`,
      value: refused,
      unit: `of ${total}`,
      note: 'the rest of those found are unsure',
    })
    report({ name: `HONEST refused, ${name}`, value: honest.refuse, unit: `of ${honest.total}`, note: `${honest.unsure} unsure` })
  }
}

/** CPU milliseconds of one call. */
async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** All file checks of a UHD frame and inflating it, in turns, so that both meet the same machine; best of 12. */
async function measure(file: string): Promise<{ readonly check: number; readonly base: number }> {
  const bytes = readFileSync(file)
  const png = file.endsWith('.png')
  const output = png
    ? { format: 'PNG', bitDepth: 8, colorMode: 'RGB', width: 3840, height: 2160 }
    : { format: 'OPEN_EXR', bitDepth: 16, colorMode: 'RGBA', width: 3840, height: 2160 }
  const order = { output, samples: 0, scene: '', camera: '', softwareVersion: '' } as unknown as RenderSpec
  const { findings } = await checkFile(bytes, order, 1)
  if (findings.length > 0) throw new Error(`the test picture should pass: ${JSON.stringify(findings)}`)
  const inflate = unavoidable(bytes)
  let [check, base] = [Infinity, Infinity]
  for (let i = 0; i < 12; i++) {
    base = Math.min(base, await cpuMs(inflate))
    check = Math.min(check, await cpuMs(() => checkFile(bytes, order, 1)))
  }
  return { check, base }
}

/** Time of a UHD frame: the readers beside their peers (as `pnpm bench image`), and all file checks of a frame in one pass beside inflating the file. */
function speed(report: Report): void {
  const folder = mkdtempSync(join(tmpdir(), 'bench-check-'))
  try {
    for (const file of makeFrames(folder)) {
      reportFile(file, report)
      const { check: value, base: peerValue } = measureApart(file, 'check') as { check: number; base: number }
      const peer = file.endsWith('.png') ? 'inflate + unfilter' : 'inflate'
      const note = 'the statistics and what the sequence checks need'
      report({ name: `${basename(file)} all file checks of a frame, one pass`, value, unit: 'ms CPU', peer, peerValue, note })
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export const bench: Bench = async (report, args) => {
  if (args[0] === '--measure') {
    console.log(JSON.stringify(await measure(args[1]!)))
    return
  }
  const only = args[0] === '--only' ? args[1] : undefined
  if (only === 'speed') return speed(report)
  await corpus(report, args[0] ?? new URL('../../shared/corpus/frames', import.meta.url).pathname)
  sequentialRows(report)
  replicationRows(report)
  speed(report)
}

import { decimalsOf, formatMoney, parseFrames, type Inspection } from '@pictor/core/contract'
import type { Plan, PlanProgress } from '@pictor/core'
import type { CommandContext } from '../commands/context.ts'
import { printable } from './printable.ts'
import { duration } from './style.ts'
import { table } from './table.ts'

/** Shows planning as it happens: a line a finished step, a live line while probes render. */
export function planProgress({ screen, style, emit }: CommandContext): (progress: PlanProgress) => void {
  const probes = new Map<string, { done: number; total: number }>()
  return (progress) => {
    emit({ type: 'plan-progress', ...progress })
    if (progress.step === 'inspect') screen.log(`${style.bold('inspect')}   ${progress.scene}`)
    if (progress.step === 'probe') {
      probes.set(progress.farm, progress)
      screen.live([`  probing ${[...probes].map(([farm, { done, total }]) => `${farm} ${done}/${total}`).join(', ')}`])
    }
    if (progress.step === 'probe-reuse') {
      const day = new Date(progress.measuredAtMs).toISOString().slice(0, 16).replace('T', ' ')
      screen.log(
        `${style.bold('probe')}     ${progress.farm}: measured at ${day} UTC ${style.dim('(--probe-again measures anew)')}`,
      )
    }
    if (progress.step === 'quote') {
      screen.live([])
      screen.log(
        `${style.bold('quote')}     ${progress.farm}: ${progress.decline ? style.yellow(`declined, ${progress.decline}`) : `${progress.offers} offer${progress.offers === 1 ? '' : 's'}`}`,
      )
    }
  }
}

/** Missing files that are named one by one. */
const MOST_MISSING = 12

/** A scene in a few lines: what will be rendered, and what a wrangler should know. `ordered` is the frame range asked for, where it is not the file's. */
export function inspectionLines(inspection: Inspection, { style }: CommandContext, ordered?: string): string[] {
  const { spec } = inspection
  const { output } = spec
  const missing = inspection.external.filter((file) => file.missing)
  return [
    printable(
      `  ${spec.software} ${spec.softwareVersion}, ${spec.engine}, scene ${spec.scene}, camera ${spec.camera || 'by timeline markers'}`,
    ),
    `  frames ${inspection.frames}, ${output.width}x${output.height}, ${spec.samples} samples${spec.adaptive ? ' (adaptive)' : ''}${spec.denoise ? ', denoised' : ''}, ${output.format} ${output.bitDepth} bit ${output.colorMode}`,
    `  ${inspection.external.length} file${inspection.external.length === 1 ? '' : 's'} beside the scene, about ${inspection.memoryMiB} MiB to render; checked as ${style.bold(spec.checkClass)}`,
    ...missing.slice(0, MOST_MISSING).map((file) => style.red(`  missing: ${printable(file.path)}`)),
    ...(missing.length > MOST_MISSING
      ? [style.red(`  and ${missing.length - MOST_MISSING} more (pictor inspect --json lists all)`)]
      : []),
    ...outside(inspection.frames, ordered).map(style.yellow),
    ...inspection.warnings.map((warning) => style.yellow(`  ! ${printable(warning.message)}`)),
  ]
}

/** A typing error in a frame range costs money: frames that the file's own range does not hold are named. */
function outside(own: string, ordered: string | undefined): string[] {
  if (ordered === undefined) return []
  const file = parseFrames(own)
  const [from, to] = [file[0]!, file.at(-1)!]
  const beyond = parseFrames(ordered).filter((frame) => frame < from || frame > to).length
  return beyond === 0 ? [] : [`  ${beyond} of the frames asked for lie outside the file's own range, ${from} to ${to}`]
}

/** A plan as a table with its proof. */
export function planLines(plan: Plan, { style }: CommandContext): string[] {
  const rows = plan.routes.map((route) => [
    route.farm,
    route.offer,
    String(route.hosts),
    String(route.frameCount),
    route.frames.length > 28 ? `${route.frames.slice(0, 27)}…` : route.frames,
    formatMoney({ ...plan.cost, amount: route.cost }),
    duration(route.finishMs),
  ])
  const gap =
    plan.cost.amount === 0n ? 0 : Number(((plan.cost.amount - plan.lowerBound.amount) * 10_000n) / plan.cost.amount) / 100
  return [
    table(['farm', 'offer', '>hosts', '>frames', 'range', '>cost', '>finish'], rows),
    `  ${style.bold(formatMoney(plan.cost))} for farms and ${formatMoney(plan.checkCost)} for checks, rendered in about ${style.bold(duration(plan.finishMs))}`,
    `  each checker renders about ${duration(plan.checkMs)} of its own beside that, more where it shares a machine with a farm`,
    ...(plan.label === 'cheapest'
      ? [
          style.dim(
            `  certified: no plan for this deadline costs less than ${formatMoney(plan.lowerBound)} (gap ${gap.toFixed(2)} %)`,
          ),
        ]
      : []),
    style.dim(`  chance to meet the deadline without any re-plan: ${(plan.hitProbability * 100).toFixed(0)} %`),
    style.dim(
      `  checks: ${(plan.samplingPerMille / 10).toFixed(0)} % of frames re-rendered in part; a farm that spoils a tenth of its frames escapes in ${(plan.escapeProbability * 100).toFixed(1)} % of jobs`,
    ),
    ...rateLines(plan).map(style.dim),
    ...plan.estimate.basis.map((line, i) => style.dim(`${i === 0 ? '  estimate: ' : '            '}${line}`)),
  ]
}

/** The rates that prices rest on, and until when. */
function rateLines({ quotes }: Plan): string[] {
  const rates = new Map(quotes.flatMap(({ rate }) => (rate ? [[rate.signature, rate] as const] : [])))
  return [...rates.values()].map((rate) => {
    const one = formatMoney({
      amount: (rate.fromAmount * 10n ** BigInt(decimalsOf(rate.to))) / rate.toAmount,
      currency: rate.from,
    })
    const leftS = Math.max(0, Math.round((rate.expiresAtMs - Date.now()) / 1000))
    return `  1 ${rate.to} = ${one}, by ${printable(rate.source)} (${rate.quoter}); submit until ${new Date(rate.expiresAtMs).toISOString()}, in ${leftS} s`
  })
}

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  FAILURE_RULES,
  JOB_MOVES,
  jobMachine,
  TASK_MOVES,
  taskMachine,
  type JobFact,
  type Move,
  type TaskFact,
  type TaskStreamState,
} from '../../src/job/index.ts'
import { readFact } from '../../src/run/fact-text.ts'
import { chaosJob } from '../../src/simulate/chaos.ts'
import type { World } from '../../src/simulate/index.ts'

/** Facts of a union in a types file, with the fields that each carries. */
function factRows(file: string): string[] {
  const source = readFileSync(new URL(`../../src/job/${file}`, import.meta.url), 'utf8')
  const union = source.slice(source.indexOf('Fact = FactBase'))
  const rows: string[] = []
  for (const [, body] of union.slice(0, union.indexOf('\n  )\n')).matchAll(/\|\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}/g)) {
    const name = /readonly t: '([^']+)'/.exec(body!)?.[1]
    if (!name) continue
    const fields = [...body!.matchAll(/readonly (\w+)(\??):/g)]
      .map(([, field, optional]) => `${field}${optional}`)
      .filter((field) => field !== 't')
    rows.push(`| \`${name}\` | ${fields.map((field) => `\`${field}\``).join(' ')} |`)
  }
  return rows
}

const nameOf = ({ from, to, fact }: Move<string>): string => `${from} --> ${to}: ${fact}`

/** Moves between phases that happen in simulated jobs. */
async function movesMade(seeds: number): Promise<{ job: Set<string>; task: Set<string> }> {
  const job = new Set<string>()
  const task = new Set<string>()
  const note = (moves: Set<string>, from: string, to: string, fact: string): void => {
    if (from !== to) moves.add(nameOf({ from, to, fact }))
  }
  for (let seed = 1; seed <= seeds; seed++) {
    let world: World | undefined
    await chaosJob(seed, { onWorld: (made) => (world = made) })
    const jobState = jobMachine.empty('job')
    const tasks = new Map<string, TaskStreamState>()
    for (const { stream, body } of await world!.store.read(world!.order.run, 0, 1_000_000)) {
      if (stream.startsWith('job:')) {
        const from = jobState.phase
        const fact = readFact<JobFact>(body, stream)
        jobMachine.evolve(jobState, fact)
        note(job, from, jobState.phase, fact.t === 'ledger' ? `ledger ${fact.event.type}` : fact.t)
      } else {
        const state = tasks.get(stream) ?? taskMachine.empty(stream)
        tasks.set(stream, state)
        const from = state.phase
        const fact = readFact<TaskFact>(body, stream)
        taskMachine.evolve(state, fact)
        note(task, from, state.phase, fact.t)
      }
    }
  }
  return { job, task }
}

function picture(moves: readonly Move<string>[]): string {
  return ['```mermaid', 'stateDiagram-v2', ...moves.map((move) => `  ${nameOf(move)}`), '```'].join('\n')
}

describe('the tables of moves', () => {
  it('hold every move that simulated jobs make, and these make every move but rare ones', async () => {
    const made = await movesMade(100)
    for (const [moves, seen] of [
      [JOB_MOVES, made.job],
      [TASK_MOVES, made.task],
    ] as const) {
      const known = moves.map(nameOf)
      expect([...seen].filter((move) => !known.includes(move))).toEqual([])
      expect(moves.filter((move) => move.rare !== true && !seen.has(nameOf(move)))).toEqual([])
    }
  })
})

describe('docs/machine-tables.md', () => {
  it('is what the code says (vitest -u writes it anew)', async () => {
    const failures = Object.entries(FAILURE_RULES).map(
      ([name, rule]) =>
        `| ${name} | ${rule.blame} | ${rule.counts ? 'yes' : 'no'} | ${rule.again ? `after ${rule.waitMs} ms` : 'no'} |`,
    )
    const text = [
      '# States and facts of the machine',
      '',
      'Made from the code by `packages/core/test/job/machine-tables.test.ts`; do not edit. What it means: [machine.md](machine.md).',
      '',
      '## Phases of a job, and the facts that move them',
      '',
      picture(JOB_MOVES),
      '',
      '## Phases of a task (one lease at one farm)',
      '',
      picture(TASK_MOVES),
      '',
      '## Facts of a job',
      '',
      'Every fact has `v` (version, 1) and `at` (Unix milliseconds) beside these fields.',
      '',
      '| fact | fields |',
      '|---|---|',
      ...factRows('job-facts.ts'),
      '',
      '## Facts of a task',
      '',
      '| fact | fields |',
      '|---|---|',
      ...factRows('task-facts.ts'),
      '',
      '## Facts of a farm over all jobs',
      '',
      '| fact | fields |',
      '|---|---|',
      ...factRows('farm-health.ts'),
      '',
      '## Classes of failure',
      '',
      '| class | blame | uses up a try | again at the same farm |',
      '|---|---|---|---|',
      ...failures,
      '',
    ].join('\n')
    expect(factRows('job-facts.ts').length).toBeGreaterThan(35)
    expect(factRows('task-facts.ts').length).toBeGreaterThan(20)
    expect(factRows('farm-health.ts').length).toBe(6)
    await expect(text).toMatchFileSnapshot('../../../../docs/machine-tables.md')
  })
})

import type { FarmEvent, TaskRef } from '../contract/farm.ts'
import type { FarmModel, SimTask } from './farm-model.ts'
import { textHash } from './keys.ts'
import type { Random } from './random.ts'

/** Events in a page of garbage. */
const EVENTS = 8

/** What a farm may say that means nothing, or is about nobody, or will never be true: tasks that do not exist, frames that nobody ordered, new bytes and tickets without end. */
export function garbage(model: FarmModel, farm: string, random: Random, atMs: number): FarmEvent[] {
  const tasks = [...model.tasks.values()]
  return Array.from({ length: EVENTS }, (): FarmEvent => {
    const known = tasks.length > 0 && random.chance(0.7) ? random.pick(tasks) : undefined
    const task: TaskRef = known?.ref ?? { farm, ref: `nobody-${random.below(1_000_000)}` }
    const word = String(random.below(1_000_000_000))
    switch (random.below(5)) {
      case 0:
        return { type: 'ticket', task, ticket: { id: word, title: word, instructions: [], fields: [] }, atMs }
      case 1:
        return { type: 'state', task: { farm, ref: `nobody-${word}` }, state: 'succeeded', raw: word, atMs }
      case 2:
        return {
          type: 'progress',
          task,
          framesDone: random.below(1_000_000),
          framesTotal: 1,
          frame: random.below(1_000_000),
          atMs,
        }
      default:
        return { type: 'output', output: falseOutput(task, known, word, random, atMs), atMs }
    }
  })
}

function falseOutput(task: TaskRef, known: SimTask | undefined, word: string, random: Random, atMs: number) {
  const ordered = known !== undefined && random.chance(0.3)
  return {
    task,
    frame: ordered ? random.pick(known.frames) : random.below(1_000_000),
    part: known?.task.lease?.lease.part ?? 0,
    layer: random.chance(0.2) ? 'noisy' : '',
    name: word,
    bytes: 10 + random.below(100),
    hash: textHash(word),
    completedAtMs: atMs,
    renderMs: 1,
  }
}

import assert from 'node:assert/strict'
import type { FarmEvent, TaskState } from '../../contract/farm.ts'
import { failure, FRAMES, ofType, sameRef, shown, stateOf, type Bench, type Watched } from './bench.ts'
import type { Rule } from './rule.ts'

const STATES: readonly TaskState[] = [
  'submitted', 'uploading', 'queued', 'starting', 'running', 'pausing', 'suspended', 'awaiting-operator', 'interrupted',
  'canceling', 'succeeded', 'failed', 'canceled', 'incompatible', 'lost',
] // prettier-ignore

/** Events that must neither be lost nor repeated; progress may be thinned out. */
const lasting = (events: readonly FarmEvent[]): string[] =>
  events.filter((event) => event.type !== 'progress' && event.type !== 'usage').map(identity)

function identity(event: FarmEvent): string {
  return event.type === 'output' ? shown({ ...event.output, type: 'output' }) : shown(event)
}

async function drain(bench: Bench, cursor: string): Promise<FarmEvent[]> {
  const events: FarmEvent[] = []
  let at = cursor
  for (;;) {
    const page = await bench.farm.poll({ cursor: at }, bench.ctx('drain'))
    events.push(...page.events)
    if (page.events.length === 0 || page.cursor === at) return events
    at = page.cursor
  }
}

function checkEnd(watched: Watched, wanted: TaskState): void {
  const states = ofType(watched, 'state')
  for (const event of states) {
    assert(STATES.includes(event.state), `${event.state} is no state of the contract`)
    assert.equal(typeof event.raw, 'string', 'a state event carries no raw word of the farm')
    assert(Number.isFinite(event.atMs), 'a state event carries no atMs')
  }
  assert.equal(states.at(-1)?.state, wanted, `the task ended as ${states.at(-1)?.state}: ${shown(states.at(-1)?.failure ?? '')}`)
}

/** What polls bring. */
export const pollRules: readonly Rule[] = [
  {
    name: 'a task of six frames succeeds, and every state carries the farm’s own word',
    change: 'map the farm’s states to TaskState and keep its word in raw; the last state of a finished task is succeeded',
    async check(bench) {
      const ref = await bench.submit()
      checkEnd(await bench.finish(ref), 'succeeded')
    },
  },
  {
    name: 'every frame arrives as an output once, and only when it is complete',
    change: 'emit an output event for each file when it is whole, with its size and sha256, and never again',
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.watch((seen) => {
        for (const event of seen.pages.at(-1)?.events ?? [])
          if (event.type === 'output') assert(event.output.bytes > 0, `frame ${event.output.frame} has no bytes`)
        return stateOf(seen, ref) === 'succeeded' || stateOf(seen, ref) === 'failed'
      })
      checkEnd(watched, 'succeeded')
      const frames = ofType(watched, 'output').map(({ output }) => output.frame)
      assert.deepEqual(
        [...frames].sort((a, b) => a - b),
        [...FRAMES],
        `frames delivered: ${frames.join(', ')}`,
      )
      const first = ofType(watched, 'output')[0]!.output
      assert(sameRef(first.task, ref), 'an output names another task')
      assert.match(first.hash, /^0x[0-9a-f]{64}$/, 'hash is no sha256 in lower-case hex')
    },
  },
  {
    name: 'progress never goes back and never passes the total',
    change: 'keep the largest framesDone of the attempt; fraction lies between 0 and 1',
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.finish(ref)
      let done = 0
      for (const event of ofType(watched, 'progress').filter((item) => sameRef(item.task, ref))) {
        assert(event.framesDone >= done, `progress fell from ${done} to ${event.framesDone}`)
        assert(event.framesDone <= event.framesTotal, `${event.framesDone} of ${event.framesTotal} frames`)
        assert.equal(event.framesTotal, FRAMES.length)
        if (event.fraction !== undefined) assert(event.fraction >= 0 && event.fraction <= 1, `fraction is ${event.fraction}`)
        done = event.framesDone
      }
    },
  },
  {
    name: 'a poll resumes at any cursor without loss and without repetition',
    change: 'number the farm’s events once, keep them, and make the cursor the number of the last one that was given',
    async check(bench) {
      const ref = await bench.submit()
      const { pages } = await bench.finish(ref)
      assert(pages.length > 1, 'the whole task came in one page, so no cursor could be tried')
      for (const [i, page] of pages.entries()) {
        const expected = lasting(pages.slice(i + 1).flatMap((later) => later.events))
        const got = lasting(await drain(bench, page.cursor))
        assert.deepEqual(got.slice(0, expected.length), expected, `from cursor ${page.cursor}`)
        assert.equal(new Set(got).size, got.length, `events came twice from cursor ${page.cursor}`)
      }
    },
  },
  {
    name: 'a poll without a cursor reconciles: present state and every output',
    change: 'without a cursor, list all tasks with their present state and all finished outputs',
    async check(bench) {
      const ref = await bench.submit()
      await bench.finish(ref)
      const page = await bench.farm.poll({}, bench.ctx('reconcile'))
      const rest = await drain(bench, page.cursor)
      const all: Watched = { events: [...page.events, ...rest], pages: [] }
      assert.equal(stateOf(all, ref), 'succeeded')
      const frames = new Set(ofType(all, 'output').map(({ output }) => output.frame))
      assert.deepEqual(
        [...frames].sort((a, b) => a - b),
        [...FRAMES],
      )
    },
  },
  {
    name: 'a scope limits a poll to its tasks',
    change: 'filter events by query.scope',
    async check(bench) {
      const task = await bench.task()
      const a = await bench.farm.submit(task, bench.ctx('a'))
      const b = await bench.farm.submit({ ...task, id: task.id + 1 }, bench.ctx('b'))
      const page = await bench.farm.poll({ scope: [a] }, bench.ctx('scope'))
      const refs = page.events.map((event) => ('output' in event ? event.output.task : 'task' in event ? event.task : a))
      assert(
        refs.some((ref) => ref && sameRef(ref, a)),
        'the task in the scope is missing',
      )
      assert(!refs.some((ref) => ref && sameRef(ref, b)), 'a task outside the scope came too')
    },
  },
  {
    name: 'a cursor that the farm does not know is refused or answered by a reconcile',
    change: 'throw invalid-input for a cursor that cannot be read, or treat it as absent; never return nothing',
    async check(bench) {
      await bench.submit()
      const page = await bench.farm.poll({ cursor: 'no-such-cursor-\u0000' }, bench.ctx('bad')).catch(async (error: unknown) => {
        await failure(Promise.reject(error), ['invalid-input', 'not-found', 'farm-refused'])
      })
      if (page) assert(page.events.length > 0, 'an unknown cursor gave an empty page: events would be lost in silence')
    },
  },
  {
    name: 'a state that nobody has heard of is not an end',
    change: "map unknown words to 'submitted' and keep the word in raw",
    scenario: 'unknown-state',
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.finish(ref)
      checkEnd(watched, 'succeeded')
      const ends = ofType(watched, 'state').filter(({ state }) => ['succeeded', 'failed', 'canceled', 'lost'].includes(state))
      assert.equal(ends.length, 1, `the task ended ${ends.length} times: ${ends.map(({ raw }) => raw).join(', ')}`)
    },
  },
  {
    name: 'events of unknown types are passed over',
    change: 'skip rows and events that the adapter does not know instead of throwing',
    scenario: 'unknown-event',
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.finish(ref)
      checkEnd(watched, 'succeeded')
      assert.equal(ofType(watched, 'output').length, FRAMES.length)
    },
  },
  {
    name: 'a farm whose clock is wrong still works',
    change: 'never compare the farm’s times with the local clock to decide what is new',
    scenario: 'skewed-clock',
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.finish(ref)
      checkEnd(watched, 'succeeded')
      assert.equal(ofType(watched, 'output').length, FRAMES.length)
    },
  },
  {
    name: 'a frame that fails is named, and the others are delivered',
    change: 'emit frame-failed with the frame and a failure class; deliver finished frames also when the task fails',
    scenario: 'failing-frame',
    async check(bench) {
      const bad = bench.subject.failingFrame
      assert(bad !== undefined && FRAMES.includes(bad), 'FarmSubject.failingFrame must be one of 1..6')
      const ref = await bench.submit()
      const watched = await bench.finish(ref)
      const failed = ofType(watched, 'frame-failed').map((event) => event.frame)
      assert.deepEqual([...new Set(failed)], [bad], `frame-failed named ${failed.join(', ') || 'no frame'}`)
      const delivered = ofType(watched, 'output')
        .map(({ output }) => output.frame)
        .sort((a, b) => a - b)
      assert.deepEqual(
        delivered,
        FRAMES.filter((frame) => frame !== bad),
      )
      assert.equal(stateOf(watched, ref), 'failed', 'a task with a failed frame has not succeeded')
    },
  },
]

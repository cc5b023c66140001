import assert from 'node:assert/strict'
import type { Refusal, Support, TaskRef, TaskState } from '../../contract/farm.ts'
import { ENDS, failure, ofType, shown, stateOf, type Bench, type Watched } from './bench.ts'
import { byHand, type Rule } from './rule.ts'

type Answer = 'done' | 'accepted' | 'manual' | Refusal

const isRefusal = (answer: Answer): answer is Refusal => typeof answer === 'object'

/** Whether an answer fits the capability that the farm claims. */
function checkAnswer(answer: Answer, support: Support, what: string): void {
  if (isRefusal(answer)) {
    assert(answer.reason.length > 0 && answer.message.length > 0, `${what}: the refusal says nothing`)
    assert.equal(support, 'none', `${what} was refused (${answer.reason}) but the capability says ${support}`)
  } else if (support === 'none') assert.fail(`${what} was answered ${answer} but the capability says none`)
  else if (support === 'manual') assert.equal(answer, 'manual', `${what}: an operator was to be asked`)
  else assert(answer === 'done' || answer === 'accepted', `${what}: got ${answer} but the capability says ${support}`)
}

const change = (bench: Bench, ref: TaskRef, desired: 'run' | 'hold' | 'cancel' | 'erase') =>
  bench.farm.set(ref, { desired }, bench.ctx(`${desired}-${ref.ref}`))

async function cancelIn(bench: Bench, states: readonly TaskState[], support: Support): Promise<void> {
  const ref = await bench.submit()
  const watched = await bench.reach(ref, states)
  const before = stateOf(watched, ref)
  if (before !== undefined && ENDS.includes(before))
    assert.fail(`the task ended as ${before} before ${states.join(' or ')} was seen`)
  const answer = await change(bench, ref, 'cancel')
  checkAnswer(answer, support, `cancel while ${before}`)
  await bench.finish(ref, watched)
  if (!isRefusal(answer)) await checkCanceled(bench, ref, watched)
}

async function checkCanceled(bench: Bench, ref: TaskRef, watched: Watched): Promise<void> {
  assert.equal(stateOf(watched, ref), 'canceled')
  const events = ofType(watched, 'canceled')
  assert.equal(events.length, 1, `${events.length} canceled events`)
  const delivered = ofType(watched, 'output').map(({ output }) => output.frame)
  assert.deepEqual(
    [...events[0]!.framesDone].sort((a, b) => a - b),
    delivered.sort((a, b) => a - b),
    'framesDone are not the frames delivered',
  )
  assert.notEqual(typeof (await change(bench, ref, 'cancel')), 'undefined')
  const later = await bench.farm.poll({ cursor: watched.pages.at(-1)!.cursor }, bench.ctx('later'))
  assert(!later.events.some((event) => event.type === 'output' || event.type === 'canceled'), 'something came after the cancel')
}

/** Hold, cancel, priority, answers. */
export const changeRules: readonly Rule[] = [
  {
    name: 'cancel before the start ends in canceled, once',
    change:
      "set desired 'cancel' at the farm, end with a canceled event (framesDone) and the state canceled; refuse only where the capability is none",
    async check(bench) {
      await cancelIn(
        bench,
        ['submitted', 'queued', 'awaiting-operator', 'starting', 'running'],
        bench.supports.capabilities.cancelQueued,
      )
    },
  },
  {
    name: 'cancel while it renders keeps finished frames and delivers no more',
    change: 'end with a canceled event that lists the frames delivered so far; no output may follow it',
    async check(bench) {
      await cancelIn(bench, ['running'], bench.supports.capabilities.cancelRunning)
    },
  },
  {
    name: 'a hold ends in suspended, and run goes on to success',
    change: "answer hold by 'accepted' or 'done', report pausing and suspended, and continue after desired 'run'",
    skip: ({ capabilities }) => (['native', 'emulated'].includes(capabilities.hold) ? undefined : `hold is ${capabilities.hold}`),
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.reach(ref, ['queued', 'starting', 'running'])
      checkAnswer(await change(bench, ref, 'hold'), bench.supports.capabilities.hold, 'hold')
      await bench.reach(ref, ['suspended'], watched)
      assert.equal(stateOf(watched, ref), 'suspended')
      checkAnswer(await change(bench, ref, 'run'), bench.supports.capabilities.hold, 'run')
      await bench.finish(ref, watched)
      assert.equal(stateOf(watched, ref), 'succeeded')
    },
  },
  {
    name: 'a held task can be canceled',
    change: 'accept cancel also while pausing or suspended',
    skip: ({ capabilities }) => (['native', 'emulated'].includes(capabilities.hold) ? undefined : `hold is ${capabilities.hold}`),
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.reach(ref, ['queued', 'starting', 'running'])
      await change(bench, ref, 'hold')
      await bench.reach(ref, ['suspended'], watched)
      checkAnswer(await change(bench, ref, 'cancel'), bench.supports.capabilities.cancelQueued, 'cancel while suspended')
      await bench.finish(ref, watched)
      await checkCanceled(bench, ref, watched)
    },
  },
  {
    name: 'a hold that the farm cannot do is refused or given to the operator',
    change: "return { refused: true, reason, message } where hold is none, 'manual' and a ticket where an operator does it",
    skip: ({ capabilities }) => (['manual', 'none'].includes(capabilities.hold) ? undefined : `hold is ${capabilities.hold}`),
    async check(bench) {
      const ref = await bench.submit()
      checkAnswer(await change(bench, ref, 'hold'), bench.supports.capabilities.hold, 'hold')
    },
  },
  {
    name: 'after its end a task stays as it is',
    change: "refuse (or answer 'done' without effect) hold, run and cancel of a task that has ended",
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.finish(ref)
      for (const desired of ['hold', 'run', 'cancel'] as const) await change(bench, ref, desired)
      const rest = await bench.farm.poll({ cursor: watched.pages.at(-1)!.cursor }, bench.ctx('rest'))
      const states = rest.events.filter((event) => event.type === 'state' && event.state !== 'succeeded')
      assert.deepEqual(states, [], `the end was changed: ${shown(states)}`)
      const now: Watched = { events: [...(await bench.farm.poll({}, bench.ctx('now'))).events], pages: [] }
      assert.equal(stateOf(now, ref), 'succeeded')
    },
  },
  {
    name: 'a task that the farm does not know is not-found',
    change: 'throw not-found from set() for unknown references, or refuse with that reason; do not answer done',
    async check(bench) {
      const ref = { farm: bench.farm.id, ref: 'no-such-task' }
      const answer = await change(bench, ref, 'cancel').catch((error: unknown) => failure(Promise.reject(error), ['not-found']))
      const reason =
        typeof answer === 'object' && 'refused' in answer ? answer.reason : 'code' in Object(answer) ? 'not-found' : answer
      assert.equal(reason, 'not-found', `the cancel of an unknown task was answered ${shown(answer)}`)
    },
  },
  {
    name: 'priority is set, or refused as a value once it is too late',
    change: "return a refusal such as { refused: true, reason: 'started', … } instead of throwing",
    async check(bench) {
      const ref = await bench.submit()
      const early = await bench.farm.set(ref, { priority: 80 }, bench.ctx('priority-1'))
      checkAnswer(early, bench.supports.capabilities.priority, 'priority before the start')
      if (!bench.supports.priorityOnlyBeforeStart) return
      const watched = await bench.reach(ref, ['running'])
      assert.equal(stateOf(watched, ref), 'running', 'the task was never seen running')
      const late = await bench.farm.set(ref, { priority: 20 }, bench.ctx('priority-2'))
      assert(isRefusal(late), `priority after the start was answered ${shown(late)}`)
    },
  },
  {
    name: 'a ticket says what to do, is closed once it is answered, and refuses half an answer',
    change: 'emit the ticket again with closed: true after its answer; refuse answers that lack a required field',
    skip: (supports) => (byHand(supports) ? undefined : 'no human lane, no tickets'),
    async check(bench) {
      const ref = await bench.submit()
      const watched = await bench.watch((seen) => ofType(seen, 'ticket').length > 0)
      const { ticket } = ofType(watched, 'ticket')[0]!
      assert(ticket.title.length > 0 && ticket.instructions.length > 0, 'the ticket has no instructions')
      if (ticket.fields.some((field) => field.required)) {
        const half = await bench.farm.set(ref, { answer: { ticket: ticket.id, fields: {} } }, bench.ctx('half'))
        assert(isRefusal(half), `an answer without its required fields was taken: ${shown(half)}`)
      }
      const stranger = await bench.farm.set(ref, { answer: { ticket: 'no-such', fields: {} } }, bench.ctx('no-such'))
      assert(isRefusal(stranger), `an answer to a ticket that does not exist was taken: ${shown(stranger)}`)
      await bench.finish(ref, watched)
      assert(
        ofType(watched, 'ticket').some((event) => event.ticket.id === ticket.id && event.ticket.closed),
        'the ticket was never closed',
      )
    },
  },
]

import assert from 'node:assert/strict'
import { AsyncLocalStorage, createHook } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { isBody, ofType, readAll, type Bench } from './bench.ts'
import type { Rule } from './rule.ts'
import { downloadsOf } from '../../contract/sealing.ts'

/** Timers that `work` started and that still keep the process alive; timers of the test runner and of other tests are not counted. */
async function timersOf(work: () => Promise<void>): Promise<number> {
  const mine = new AsyncLocalStorage<true>()
  const open = new Map<number, NodeJS.Timeout>()
  const hook = createHook({
    init(id, type, _trigger, resource) {
      if (type === 'Timeout' && mine.getStore()) open.set(id, resource as NodeJS.Timeout)
    },
    destroy: (id) => void open.delete(id),
  }).enable()
  try {
    await mine.run(true, work)
    // Timers of the last requests may need a turn or two to be cleared.
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  } finally {
    hook.disable()
  }
  return [...open.values()].filter((timer) => timer.hasRef()).length
}

/** Every verb once, with the same signal. */
async function everyVerb(bench: Bench, signal: AbortSignal): Promise<void> {
  const { farm, subject } = bench
  const ctx = (name: string) => bench.ctx(name, { signal })
  const task = await bench.task()
  await farm.describe(ctx('describe'))
  await farm.stage(subject.job.bundle, subject.files, ctx('stage'))
  const ref = await farm.submit(task, ctx('verbs'))
  const watched = await bench.finish(ref)
  for (let i = 0; i < 3; i++) await farm.poll({}, ctx('poll'))
  await farm.set(ref, { priority: 1 }, ctx('priority'))
  const first = ofType(watched, 'output')[0]
  if (!first) return
  const body = await farm.open(downloadsOf(first.output)[0]!, { offset: 0 }, ctx('open'))
  if (isBody(body)) await readAll(body)
}

/** Signals, timers and other people's data. */
export const tidyRules: readonly Rule[] = [
  {
    name: 'a call whose signal is aborted rejects with its reason and does nothing',
    change: 'call ctx.signal?.throwIfAborted() first in every verb',
    async check(bench) {
      const { farm, subject } = bench
      const task = await bench.task()
      const reason = new Error('canceled before it began')
      const ctx = bench.ctx('aborted', { signal: AbortSignal.abort(reason) })
      const ref = { farm: farm.id, ref: 'x' }
      const verbs: Record<string, () => Promise<unknown>> = {
        describe: () => farm.describe(ctx),
        stage: () => farm.stage(subject.job.bundle, subject.files, ctx),
        submit: () => farm.submit(task, ctx),
        poll: () => farm.poll({}, ctx),
        set: () => farm.set(ref, { desired: 'cancel' }, ctx),
      }
      for (const [name, call] of Object.entries(verbs)) {
        const error = await call().catch((cause: unknown) => cause)
        assert.equal(error, reason, `${name} did not reject with the signal’s reason`)
      }
    },
  },
  {
    name: 'calls leave no listener on the signal',
    change: 'remove the abort listener when a call ends, or hand out AbortSignal.any([ctx.signal]) instead of the signal itself',
    async check(bench) {
      const control = new AbortController()
      await everyVerb(bench, control.signal)
      const left = getEventListeners(control.signal, 'abort').length
      assert.equal(left, 0, `${left} listeners are left on the signal`)
    },
  },
  {
    name: 'close leaves no timer',
    change: 'clear timers and end open streams in close(); unref what must outlive a call',
    async check(bench) {
      const left = await timersOf(async () => {
        await everyVerb(bench, new AbortController().signal)
        await bench.farm.close?.()
      })
      assert.equal(left, 0, `${left} timers are left`)
    },
  },
  {
    name: 'what a caller hands in is not changed',
    change: 'copy tasks, manifests and changes before working on them (the kit hands in frozen ones)',
    async check(bench) {
      const task = await bench.task()
      const before = structuredClone(task)
      const ref = await bench.farm.submit(task, bench.ctx('submit'))
      await bench.finish(ref)
      assert.deepEqual(task, before)
    },
  },
]

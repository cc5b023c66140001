import assert from 'node:assert/strict'
import type { Task } from '../../contract/task.ts'
import { failure, FRAMES, sameRef, type Bench } from './bench.ts'
import { overHttp, type Rule } from './rule.ts'

/** How many tasks a full reconcile shows. */
async function known(bench: Bench): Promise<string[]> {
  const page = await bench.farm.poll({}, bench.ctx('reconcile'))
  const refs = page.events.map((event) => ('output' in event ? event.output.task : 'task' in event ? event.task : undefined)?.ref)
  return [...new Set(refs.filter((ref) => ref !== undefined))]
}

/** Giving tasks. */
export const submitRules: readonly Rule[] = [
  {
    name: 'a repeated submit with one key gives one task',
    change: 'look for ctx.key before creating anything: at the farm (idempotency key, tag) or in the adapter’s own journal',
    async check(bench) {
      const task = await bench.task()
      const first = await bench.farm.submit(task, bench.ctx('submit'))
      assert.deepEqual(await bench.farm.submit(task, bench.ctx('submit')), first)
      assert.equal(first.farm, bench.farm.id)
      assert.deepEqual(await known(bench), [first.ref])
    },
  },
  {
    name: 'ten submits at once with one key give one task',
    change: 'make find-or-create atomic: remember the promise of a submit under its key while it runs',
    async check(bench) {
      const task = await bench.task()
      const refs = await Promise.all(Array.from({ length: 10 }, () => bench.farm.submit(task, bench.ctx('submit'))))
      assert.equal(new Set(refs.map((ref) => ref.ref)).size, 1)
      assert.deepEqual(await known(bench), [refs[0]!.ref])
    },
  },
  {
    name: 'one key for two contents is a conflict',
    change: 'keep a digest of the content under the key (canonicalJson of the task) and throw conflict when it differs',
    async check(bench) {
      const task = await bench.task()
      await bench.farm.submit(task, bench.ctx('submit'))
      const other: Task = { ...(await bench.task({ kind: 'frames', frames: [1] })), id: task.id }
      await failure(bench.farm.submit(other, bench.ctx('submit')), ['conflict'])
    },
  },
  {
    name: 'two keys give two tasks',
    change: 'derive the reference from ctx.key, not from the scene',
    async check(bench) {
      const task = await bench.task()
      const a = await bench.farm.submit(task, bench.ctx('a'))
      const b = await bench.farm.submit({ ...task, id: task.id + 1 }, bench.ctx('b'))
      assert(!sameRef(a, b), 'both keys gave one reference')
    },
  },
  {
    name: 'a kind of work that the farm does not know is refused',
    change: 'throw farm-refused or unsupported for task.work.kind values that the adapter does not handle',
    async check(bench) {
      const task = await bench.task()
      const strange = { ...task, work: { kind: 'hologram', frames: [1] } } as unknown as Task
      await failure(bench.farm.submit(strange, bench.ctx('strange')), ['farm-refused', 'unsupported'])
    },
  },
  {
    name: 'a submit whose reply was lost is found again',
    change: 'repeat a submit with the same idempotency key, or search for the key first; never create twice',
    skip: overHttp,
    async check(bench) {
      const task = await bench.task()
      bench.network.spoil({ kind: 'lose-reply' }, 1, (request) => request.method === 'POST')
      const first = await bench.farm.submit(task, bench.ctx('submit')).catch(() => undefined)
      assert.equal(bench.network.hits, 1, 'submit sent no POST')
      const again = await bench.farm.submit(task, bench.ctx('submit'))
      if (first) assert.deepEqual(again, first)
      assert.deepEqual(await known(bench), [again.ref])
    },
  },
  {
    name: 'a task whose lease cannot be verified is refused',
    change:
      'verify lease, set, proof and Ready signatures (verifyLeaseTicket in @pictor/core/proof) before starting; throw farm-refused',
    skip: (supports) => (supports.leases ? undefined : 'the farm takes no leases (supports.leases)'),
    async check(bench) {
      const task = await bench.task()
      assert(task.lease, 'FarmSubject.dress gave no lease')
      const lease = { ...task.lease, lease: { ...task.lease.lease, price: task.lease.lease.price + 1n } }
      await failure(bench.farm.submit({ ...task, lease }, bench.ctx('forged')), ['farm-refused', 'signature-invalid'])
    },
  },
  {
    name: 'a task that asks for more frames than its lease pays for is refused',
    change:
      'compare frames, part, scene and spec of the task with the lease and its terms (requireTaskOfLease in @pictor/core/proof)',
    skip: (supports) => (supports.leases ? undefined : 'the farm takes no leases (supports.leases)'),
    async check(bench) {
      const task = await bench.task()
      const more: Task = { ...task, work: { kind: 'frames', frames: [...FRAMES, Math.max(...FRAMES) + 1] } }
      await failure(bench.farm.submit(more, bench.ctx('more')), ['farm-refused', 'signature-invalid'])
    },
  },
]

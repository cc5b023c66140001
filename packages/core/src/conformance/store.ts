import assert from 'node:assert/strict'
import { isPictorError, type PictorErrorCode } from '../contract/error.ts'
import { KEPT_KEYS, MOST_WAITING, type Store } from '../store/types.ts'
import type { ConformanceCase } from './case.ts'

/** A store under test. */
export interface StoreSubject {
  readonly store: Store
  /** Opens the same data again, as after a restart; the same object where the data lives in it. */
  reopen(): Promise<Store>
  close(): Promise<void>
}

export interface StoreConformanceOptions {
  make(): Promise<StoreSubject>
}

const NOW = 1_800_000_000_000
const GROUP = `0x${'ab'.repeat(32)}`
const JOB = `job:${GROUP}`
const TASK = `task:${GROUP}:1`

async function refuses(act: () => Promise<unknown>, code: PictorErrorCode): Promise<void> {
  await assert.rejects(act, (error) => {
    assert.ok(isPictorError(error, code), `expected ${code}, found ${error instanceof Error ? error.message : String(error)}`)
    return true
  })
}

async function bodies(store: Store, stream: string): Promise<string[]> {
  const list: string[] = []
  for await (const fact of (await store.load(stream)).facts) list.push(fact.body)
  return list
}

const CASES: readonly { readonly name: string; readonly check: (subject: StoreSubject) => Promise<void> }[] = [
  {
    name: 'a new stream is empty',
    async check({ store }) {
      const loaded = await store.load(JOB)
      assert.equal(loaded.seq, 0)
      assert.deepEqual(await bodies(store, JOB), [])
    },
  },
  {
    name: 'facts come back in order, after a restart too',
    async check(subject) {
      const fence = (await subject.store.claim(GROUP, 'a', NOW, 1_000))!
      await subject.store.append(JOB, fence, 0, ['1', '2'])
      await subject.store.append(JOB, fence, 2, ['3'])
      const again = await subject.reopen()
      assert.deepEqual(await bodies(again, JOB), ['1', '2', '3'])
      assert.equal((await again.load(JOB)).seq, 3)
    },
  },
  {
    name: 'only one owner holds a group, until its claim is over',
    async check({ store }) {
      const first = await store.claim(GROUP, 'a', NOW, 1_000)
      assert.notEqual(first, undefined)
      assert.equal(await store.claim(GROUP, 'b', NOW + 999, 1_000), undefined)
      assert.equal(await store.claim(GROUP, 'a', NOW + 500, 1_000), first, 'prolonging a claim keeps its fence')
      assert.equal(await store.claim(GROUP, 'b', NOW + 1_499, 1_000), undefined)
      const second = await store.claim(GROUP, 'b', NOW + 1_500, 1_000)
      assert.ok(second !== undefined && second > first!, 'the fence grows when the owner changes')
    },
  },
  {
    name: 'the fence grows when an owner takes its own group again after its claim was over',
    async check({ store }) {
      const first = (await store.claim(GROUP, 'a', NOW, 1_000))!
      const second = (await store.claim(GROUP, 'a', NOW + 5_000, 1_000))!
      assert.ok(second > first)
      await refuses(() => store.append(JOB, first, 0, ['late']), 'stale-fence')
    },
  },
  {
    name: 'a stale fence appends nothing, to any stream of the group',
    async check({ store }) {
      const first = (await store.claim(GROUP, 'a', NOW, 1_000))!
      await store.append(JOB, first, 0, ['1'])
      const second = (await store.claim(GROUP, 'b', NOW + 2_000, 1_000))!
      await refuses(() => store.append(JOB, first, 1, ['zombie']), 'stale-fence')
      await refuses(() => store.append(TASK, first, 0, ['zombie']), 'stale-fence')
      await store.append(JOB, second, 1, ['2'])
      assert.deepEqual(await bodies(store, JOB), ['1', '2'])
      assert.deepEqual(await bodies(store, TASK), [])
    },
  },
  {
    name: 'a released group refuses its old fence and can be taken at once',
    async check({ store }) {
      const first = (await store.claim(GROUP, 'a', NOW, 1_000_000))!
      await store.release(GROUP, first)
      await refuses(() => store.append(JOB, first, 0, ['late']), 'stale-fence')
      assert.notEqual(await store.claim(GROUP, 'b', NOW, 1_000), undefined)
    },
  },
  {
    name: 'an append at the wrong place is refused and keeps nothing',
    async check({ store }) {
      const fence = (await store.claim(GROUP, 'a', NOW, 1_000))!
      await store.append(JOB, fence, 0, ['1'])
      await refuses(() => store.append(JOB, fence, 0, ['again']), 'sequence-conflict')
      await refuses(() => store.append(JOB, fence, 2, ['gap']), 'sequence-conflict')
      assert.deepEqual(await bodies(store, JOB), ['1'])
    },
  },
  {
    name: 'one refused append does not take others of the same moment with it',
    async check({ store }) {
      const fence = (await store.claim(GROUP, 'a', NOW, 1_000))!
      const results = await Promise.allSettled([
        store.append(JOB, fence, 0, ['1']),
        store.append(TASK, fence + 7, 0, ['wrong']),
        store.append(TASK, fence, 0, ['t1']),
      ])
      assert.deepEqual(
        results.map((one) => one.status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      assert.deepEqual(await bodies(store, JOB), ['1'])
      assert.deepEqual(await bodies(store, TASK), ['t1'])
    },
  },
  {
    name: 'facts of a group are read in the order in which they became durable',
    async check({ store }) {
      const fence = (await store.claim(GROUP, 'a', NOW, 1_000))!
      await store.append(JOB, fence, 0, ['j1'])
      await store.append(TASK, fence, 0, ['t1', 't2'])
      await store.append(JOB, fence, 1, ['j2'])
      const all = await store.read(GROUP, 0, 100)
      assert.deepEqual(
        all.map((fact) => [fact.stream, fact.seq, fact.body]),
        [
          [JOB, 1, 'j1'],
          [TASK, 1, 't1'],
          [TASK, 2, 't2'],
          [JOB, 2, 'j2'],
        ],
      )
      assert.deepEqual(
        (await store.read(GROUP, all[1]!.id, 1)).map((fact) => fact.body),
        ['t2'],
        'a reader goes on from any position',
      )
    },
  },
  {
    name: 'a snapshot shortens the load, and may be passed over',
    async check(subject) {
      const fence = (await subject.store.claim(GROUP, 'a', NOW, 1_000))!
      await subject.store.append(JOB, fence, 0, ['1', '2'], { snapshot: 's2' })
      await subject.store.append(JOB, fence, 2, ['3'])
      const again = await subject.reopen()
      const loaded = await again.load(JOB)
      assert.deepEqual(loaded.snapshot, { seq: 2, body: 's2' })
      assert.deepEqual(await bodies(again, JOB), ['3'])
      const all = await again.load(JOB, { snapshot: false })
      assert.equal(all.snapshot, undefined)
      // A reader that comes back asks for what is new; a store may give it more, and says by `seq` what it is.
      const news = await again.load(JOB, { after: 1 })
      const last: string[] = []
      for await (const fact of news.facts) if (fact.seq > 1) last.push(`${fact.seq} ${fact.body}`)
      assert.equal(last[0]?.slice(0, 2), '2 ')
      assert.equal(last.length, news.seq - 1)
      const list: string[] = []
      for await (const fact of all.facts) list.push(fact.body)
      assert.deepEqual(list, ['1', '2', '3'])
    },
  },
  {
    name: 'open groups without an owner are due, ended ones never again',
    async check({ store }) {
      const fence = (await store.claim(GROUP, 'a', NOW, 1_000))!
      await store.append(JOB, fence, 0, ['1'], { open: true })
      assert.deepEqual(await store.due(NOW + 999, 10), [])
      assert.deepEqual(await store.due(NOW + 1_000, 10), [GROUP])
      await store.append(JOB, fence, 1, ['end'], { open: false })
      assert.deepEqual(await store.due(NOW + 10_000, 10), [])
    },
  },
  {
    name: 'a group with a posted input and without an owner is due before all others, ended or new, until the input is answered',
    async check({ store }) {
      const open = (await store.claim('0xcc', 'a', NOW, 1_000))!
      await store.append('job:0xcc', open, 0, ['1'], { open: true })
      const fence = (await store.claim(GROUP, 'a', NOW, 1_000))!
      await store.append(JOB, fence, 0, ['1', 'end'], { open: false })
      await store.post(GROUP, 'late', 'key-1')
      await store.post('farm-new', 'first', 'key-1')
      assert.deepEqual(await store.due(NOW + 999, 10), ['farm-new'], 'somebody holds the others')
      const due = await store.due(NOW + 1_000, 10)
      assert.deepEqual([...due].sort(), [GROUP, '0xcc', 'farm-new'])
      assert.equal(due.at(-1), '0xcc')
      const next = (await store.claim(GROUP, 'b', NOW + 1_000, 1_000))!
      const [item] = await store.posted('b')
      await store.append(JOB, next, 2, [], { answered: [item!.id] })
      assert.deepEqual(await store.due(NOW + 5_000, 10), ['farm-new', '0xcc'])
    },
  },
  {
    name: 'weeks of posts do not grow it: the last keys of a group are kept, and so many inputs wait for nobody and no more',
    async check({ store }) {
      await store.claim(GROUP, 'a', NOW, 1_000)
      const post = (n: number): Promise<void> => store.post(GROUP, `input ${n}`, `key-${n}`)
      const waiting = async (): Promise<number> => (await store.posted('a')).length
      await Promise.all(Array.from({ length: KEPT_KEYS + 1 }, (_, n) => post(n)))
      assert.equal(await waiting(), KEPT_KEYS + 1)
      await post(1)
      assert.equal(await waiting(), KEPT_KEYS + 1, 'a key among the last ones is known')
      await post(0)
      assert.equal(await waiting(), KEPT_KEYS + 2, 'an older one is forgotten')
      await Promise.all(Array.from({ length: MOST_WAITING - KEPT_KEYS - 2 }, (_, n) => post(KEPT_KEYS + 1 + n)))
      assert.equal(await waiting(), MOST_WAITING)
      await refuses(() => post(-1), 'store-failed')
      await store.post('farm-other', 'input', 'key')
      assert.equal(await waiting(), MOST_WAITING)
    },
  },
  {
    name: 'an input is posted once, reaches the owner, and goes with the facts that answer it',
    async check({ store }) {
      const fence = (await store.claim(GROUP, 'a', NOW, 1_000))!
      await store.post(GROUP, 'cancel', 'key-1')
      await store.post(GROUP, 'cancel', 'key-1')
      const posted = await store.posted('a')
      assert.deepEqual(
        posted.map((one) => [one.group, one.body]),
        [[GROUP, 'cancel']],
      )
      assert.deepEqual(await store.posted('b'), [])
      await store.append(JOB, fence, 0, ['canceled'], { answered: [posted[0]!.id] })
      assert.deepEqual(await store.posted('a'), [])
      await store.post(GROUP, 'cancel', 'key-1')
      assert.deepEqual(await store.posted('a'), [], 'the key stays known')
    },
  },
  {
    name: 'streams are listed by kind, page by page',
    async check({ store }) {
      for (const name of ['0xaa', '0xbb', '0xcc']) {
        const fence = (await store.claim(name, 'a', NOW, 1_000))!
        await store.append(`job:${name}`, fence, 0, ['1'])
        await store.append(`task:${name}:1`, fence, 0, ['1'])
      }
      const first = await store.list('job', { limit: 2 })
      assert.deepEqual(first.streams, ['job:0xaa', 'job:0xbb'])
      const rest = await store.list('job', { limit: 2, cursor: first.cursor! })
      assert.deepEqual(rest, { streams: ['job:0xcc'] })
    },
  },
]

/** The rules that every store keeps, as data for any test runner. Each case makes a fresh subject. */
export function storeConformance(options: StoreConformanceOptions): ConformanceCase[] {
  return CASES.map(({ name, check }) => ({
    name,
    async run() {
      const subject = await options.make()
      try {
        await check(subject)
      } finally {
        await subject.close()
      }
    },
  }))
}

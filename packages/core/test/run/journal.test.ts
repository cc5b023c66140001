import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { jobMachine, taskMachine, type JobFact, type JobStreamState } from '../../src/job/index.ts'
import { dueSnapshot, foldStream } from '../../src/run/fold.ts'
import { pack, readFact, unpack, writeFact } from '../../src/run/fact-text.ts'
import { readSnapshot, writeSnapshot } from '../../src/run/snapshot.ts'
import { chaosJob } from '../../src/simulate/chaos.ts'
import type { World } from '../../src/simulate/index.ts'
import { memoryStore, type Store } from '../../src/store/index.ts'

const hex = fc.uint8Array({ maxLength: 70 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const text = fc.oneof(
  fc.string(),
  hex,
  hex.map((digits) => `0x${digits}`),
  fc.constantFrom(
    '~',
    '~~',
    '~h',
    '~i1,1*3',
    '~xAA',
    '0x',
    `0x${'A'.repeat(40)}`,
    '0'.repeat(41),
    'aaaaaaaaaaaaa',
    '--------',
    'aaaaaaaaaaab',
    '~ra9',
  ),
)
const integers = fc.oneof(
  fc.array(fc.maxSafeInteger()),
  fc.array(fc.integer({ min: -3, max: 3 })),
  fc.tuple(fc.integer(), fc.nat(40)).map(([from, count]) => Array.from({ length: count }, (_, i) => from + i)),
)
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    integers,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 5 }),
  ),
})).value

/** Streams of simulated jobs with every kind of trouble, fact by fact. */
const journals: { readonly stream: string; readonly bodies: readonly string[] }[] = []

beforeAll(async () => {
  for (let seed = 300; seed < 312; seed++) {
    let world: World | undefined
    await chaosJob(seed, { onWorld: (made) => (world = made) })
    const streams = new Map<string, string[]>()
    for (const { stream, body } of await world!.store.read(world!.order.run, 0, 1_000_000))
      streams.set(stream, [...(streams.get(stream) ?? []), body])
    for (const [stream, bodies] of streams) journals.push({ stream, bodies })
  }
})

async function storeOf(stream: string, bodies: readonly string[], cut: number, snapshot?: string): Promise<Store> {
  const store = memoryStore()
  const fence = (await store.claim(stream.split(':')[1]!, 'test', 0, 1_000))!
  await store.append(stream, fence, 0, bodies.slice(0, cut), snapshot === undefined ? {} : { snapshot })
  await store.append(stream, fence, cut, bodies.slice(cut))
  return store
}

describe('the text of a fact', () => {
  it('gives back every JSON value that was packed', () => {
    fc.assert(
      fc.property(json, (value) => {
        const plain = JSON.stringify(value)
        expect(unpack(JSON.parse(JSON.stringify(pack(JSON.parse(plain)))))).toEqual(JSON.parse(plain))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is shorter where it matters and the same fact in every version', () => {
    const fact = { v: 1, t: 'fetched', at: 1, frames: [0, 1, 2, 3], hashes: 'ab'.repeat(128), ms: [9, 9, 9, 9] } as const
    expect(writeFact(fact).length).toBeLessThan(JSON.stringify(fact).length * 0.85)
    expect(readFact(writeFact(fact), 'task:0xaa:1')).toEqual(fact)
    expect(readFact(JSON.stringify(fact), 'task:0xaa:1')).toEqual(fact)
  })
})

describe('a snapshot', () => {
  it('and the facts after it give the state that all facts give, wherever the cut lies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (which, where) => {
        const { stream, bodies } = journals[which % journals.length]!
        const machine = (stream.startsWith('job:') ? jobMachine : taskMachine) as typeof jobMachine
        const cut = where % (bodies.length + 1)
        const early = machine.empty(stream)
        for (const body of bodies.slice(0, cut)) machine.evolve(early, readFact<JobFact>(body, stream))
        const snapshot = writeSnapshot(machine.stateVersion, early)
        const store = await storeOf(stream, bodies, cut, snapshot)
        const short = await foldStream<JobStreamState, JobFact>(machine, store, stream)
        const full = await foldStream<JobStreamState, JobFact>(machine, await storeOf(stream, bodies, cut), stream)
        expect(short).toEqual({ ...full, snapshotSeq: cut })
      }),
      { numRuns: 300 },
    )
  })

  it('of another version or with any byte changed is not read, and the journal is folded instead', async () => {
    const { stream, bodies } = journals.find((one) => one.stream.startsWith('job:') && one.bodies.length > 30)!
    const state = (await foldStream<JobStreamState, JobFact>(jobMachine, await storeOf(stream, bodies, 0), stream)).state
    const good = writeSnapshot(jobMachine.stateVersion, state)
    expect(readSnapshot(jobMachine.stateVersion, good)).toEqual(state)
    expect(readSnapshot(jobMachine.stateVersion + 1, good)).toBeUndefined()
    for (const text of ['', 'x', good.slice(0, -1), good.slice(10), `${good}A`]) expect(readSnapshot(1, text)).toBeUndefined()
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.constantFrom('A', 'B', ' '), (at, letter) => {
        const bad = good.slice(0, at) + letter + good.slice(at + 1)
        if (bad !== good) expect(readSnapshot(jobMachine.stateVersion, bad)).toBeUndefined()
      }),
      { numRuns: 200 },
    )
    for (const bad of ['damaged', writeSnapshot(jobMachine.stateVersion + 1, state)]) {
      const folded = await foldStream<JobStreamState, JobFact>(jobMachine, await storeOf(stream, bodies, 20, bad), stream)
      expect(folded).toEqual({ state, seq: bodies.length, snapshotSeq: 0 })
    }
  })

  it('is written again when the journal has grown by a quarter: few for a long journal, and a short tail', () => {
    const machine = { stateVersion: 1 }
    let last = 0
    let written = 0
    for (let seq = 1; seq <= 200_000; seq++)
      if (dueSnapshot(machine, {}, seq, last, 4_000, false) !== undefined) {
        written++
        last = seq
      }
    expect(written).toBeLessThan(25)
    expect(200_000 - last).toBeLessThan(50_000)
    expect(dueSnapshot(machine, {}, 1_500, 0, 4_000, true)).toBeDefined()
    expect(dueSnapshot(machine, {}, 500, 0, 4_000, true)).toBeUndefined()
  })

  it('has a version for every shape of the state: who changes the shape raises stateVersion and this test', async () => {
    const keys = (value: object | undefined): string[] => Object.keys(value ?? {}).sort()
    const { stream, bodies } = journals.find((one) => one.stream.startsWith('job:') && one.bodies.length > 30)!
    const { rows, farms, sets, batches } = (
      await foldStream<JobStreamState, JobFact>(jobMachine, await storeOf(stream, bodies, 0), stream)
    ).state
    expect({
      versions: { job: jobMachine.stateVersion, task: taskMachine.stateVersion },
      job: keys(jobMachine.empty('x')),
      money: keys(jobMachine.empty('x').money),
      task: keys(taskMachine.empty('x')),
      row: keys(rows.get(1)),
      farm: keys([...farms.values()][0]),
      set: keys(sets[0]),
      batch: keys(batches[0]),
    }).toMatchSnapshot()
  })
})

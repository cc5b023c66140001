import { expect, it } from 'vitest'
import { emptyAgenda, type CommandBase, type Machine } from '../../src/job/machine.ts'
import { openStream } from '../../src/run/stream.ts'
import { memoryStore } from '../../src/store/index.ts'
import { virtualClock } from '../../src/simulate/index.ts'

interface Input {
  readonly type: 'add' | 'poison'
}
interface Fact {
  readonly v: 1
  readonly at: number
  readonly t: 'added'
}

/** Counts; a fault of its own makes it throw at one kind of input. */
const faulty: Machine<{ sum: number; readonly agenda: ReturnType<typeof emptyAgenda<CommandBase>> }, Input, Fact, CommandBase> = {
  name: 'faulty',
  stateVersion: 1,
  empty: () => ({ sum: 0, agenda: emptyAgenda() }),
  accept(_state, { type }, at) {
    if (type === 'poison') throw new TypeError('cannot read properties of undefined')
    return { facts: [{ v: 1, at, t: 'added' }] }
  },
  next: () => undefined,
  evolve: (state) => void state.sum++,
  commands: ({ agenda }) => agenda,
  pending: () => [],
}

it('a fault inside a machine ends its stream and reaches who asked; it is no unhandled rejection of the process, and the journal is as it was', async () => {
  const store = memoryStore()
  const clock = virtualClock()
  const fence = (await store.claim('0x1', 'a', clock.now(), 60_000))!
  const dead: unknown[] = []
  const options = {
    machine: faulty,
    store,
    clock,
    name: 'job:0x1',
    fence,
    snapshotFacts: 100,
    perform: async () => {},
    onDead: (error: unknown) => void dead.push(error),
  }
  const stream = await openStream(options)
  await stream.send({ type: 'add' })
  const sent = await Promise.allSettled([stream.send({ type: 'add' }), stream.send({ type: 'poison' })])
  expect(sent.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(dead).toMatchObject([{ name: 'TypeError' }])
  await expect(stream.send({ type: 'add' })).rejects.toThrow('cannot read')
  // Read again it goes on from what was durable.
  const again = await openStream(options)
  await again.send({ type: 'add' })
  expect(again.state.sum).toBe(2)
})

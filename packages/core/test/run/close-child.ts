// A process that runs half a job, stops every reader by its signal, closes, and must then end by itself. Prints what it left behind.
import { getEventListeners } from 'node:events'
import { systemClock } from '../../src/run/index.ts'
import { simulatedWorld, type VirtualClock } from '../../src/simulate/index.ts'
import { sqliteStore } from '../../src/store/index.ts'

const store = sqliteStore(process.argv[2]!)
const world = simulatedWorld({
  name: 'closed process',
  frames: 200,
  clock: systemClock() as VirtualClock,
  store,
  farms: [{ id: 'one', slots: 2, msPerWork: 10, pollMs: 10 }],
  checkers: [{ id: 'a', workMs: 2, pollMs: 10 }],
  quorum: 1,
  ledger: { pollMs: 10 },
  order: { leaseMs: 20, options: { batchWaitMs: 20 } },
})
// `hung`: a destination that never answers.
const hung = process.argv[3] === 'hung'
let asked = 0
const never = (): Promise<never> => new Promise(() => void asked++)
const runner = world.runner('one', hung ? { deliver: never } : {})
const run = await runner.submit(world.order)
const stop = new AbortController()
const said: string[] = []
const told: Promise<unknown>[] = [
  run.done({ signal: stop.signal }),
  (async () => {
    for await (const event of run.events(undefined, { signal: stop.signal })) said.push(event.type)
  })(),
]
run.on('frame-delivered', () => said.push('told'))
const ends = Promise.allSettled(told)
while (hung ? asked === 0 : !said.includes('frame-delivered')) await new Promise((resolve) => setTimeout(resolve, 5))
stop.abort(new Error('enough'))
const reasons = (await ends).map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'not stopped'))
const listeners = getEventListeners(stop.signal, 'abort').length
const { phase } = run.state()
await runner.close()
await store.close?.()
const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate').length
process.stdout.write(JSON.stringify({ reasons, listeners, phase, timers }))

import type { Farm, FarmEvent, Refusal, Ticket } from '../../src/contract/index.ts'
import { info, nothing, once, ref } from './sample.ts'

const task = ref('desktop', 'shot-0001')

const send: Ticket = {
  id: 'send-1',
  title: 'Send shot-0001 with the desktop app',
  instructions: ['Open the folder shot-0001', 'Send it', 'Enter the job number and the price'],
  fields: [
    { name: 'job', label: 'Job number at the farm', required: true },
    { name: 'price', label: 'Price in USD, such as 12.50', required: false },
  ],
}

const incomplete: Refusal = { refused: true, reason: 'answer-incomplete', message: 'the field job is missing' }

/** Compile-time proof that a lane driven by an operator fits: tickets asked and answered, `manual` changes, no key, no binding price. */
export const desktopFarm = {
  contract: 1,
  id: 'desktop',
  describe: async () =>
    info('desktop', {
      lane: 'desktop',
      idempotency: 'native',
      capabilities: { ...nothing, cancelQueued: 'manual', cancelRunning: 'manual', hold: 'manual', partialOutputs: 'emulated' },
    }),
  quote: async () => ({ contract: 1, kind: 'decline', farm: 'desktop', reason: 'policy', message: 'no published price' }),
  stage: async (manifest) => ({ farm: 'desktop', ref: manifest.root }),
  submit: async () => task,
  poll: async () => ({
    events: [
      { type: 'state', task, state: 'awaiting-operator', raw: 'ticket send-1', atMs: 1 },
      { type: 'ticket', task, ticket: send, atMs: 1 },
      { type: 'ticket', task, ticket: { ...send, closed: true }, atMs: 2 },
      { type: 'usage', task, line: 'price entered by the operator', amount: 12_500_000n, currency: 'USD', atMs: 2 },
    ] satisfies FarmEvent[],
    cursor: '4',
    waitMs: 5_000,
  }),
  set: async (_task, change) => {
    if (change.answer) return change.answer.fields['job'] ? 'done' : incomplete
    return 'manual'
  },
  open: async (output) => ({ bytes: output.bytes, stream: once(new Uint8Array(output.bytes)) }),
  close: async () => {},
} satisfies Farm

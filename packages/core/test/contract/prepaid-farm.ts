import type { Farm, FarmEvent, Output } from '../../src/contract/index.ts'
import { info, nothing, offer, once, quote, ref } from './sample.ts'

const task = ref('prepaid', 'r-9')

const output: Output = {
  task,
  frame: 1,
  part: 0,
  layer: 'ViewLayer',
  name: '0001.exr',
  bytes: 4,
  hash: `0x${'0'.repeat(64)}`,
  completedAtMs: 5,
}

/** Compile-time proof that a prepaid account fits: arrears suspend the task, finished outputs stay gated until the rest is paid, cancel keeps the charge. */
export const prepaidFarm = {
  contract: 1,
  id: 'prepaid',
  describe: async () =>
    info('prepaid', {
      lane: 'partner',
      idempotency: 'search',
      capabilities: { ...nothing, cancelQueued: 'native', hold: 'emulated', partialOutputs: 'native' },
    }),
  quote: async () => quote('prepaid', [offer('standard', 9_000_000n, 10)], 'estimate'),
  stage: async (manifest) => ({ farm: 'prepaid', ref: manifest.root }),
  submit: async () => task,
  poll: async () => ({
    events: [
      { type: 'state', task, state: 'pausing', raw: 'pause requested', atMs: 1 },
      {
        type: 'state',
        task,
        state: 'suspended',
        raw: 'negative balance',
        atMs: 2,
        failure: { class: 'payment', message: 'the account is in arrears' },
      },
      { type: 'output', output, atMs: 5 },
      { type: 'canceled', task, framesDone: [1], atMs: 6 },
      { type: 'usage', task, line: '12 RenderPoints, not refunded', amount: 1_200_000n, currency: 'USD', atMs: 6 },
    ] satisfies FarmEvent[],
    cursor: '6',
    waitMs: 1_000,
  }),
  set: async (_task, change) =>
    change.priority === undefined
      ? 'accepted'
      : { refused: true, reason: 'started', message: 'priority can be changed only before rendering starts' },
  open: async (wanted) =>
    wanted.frame === 1 ? { unavailable: 'payment', retryAfterMs: 60_000 } : { bytes: 0, stream: once(new Uint8Array()) },
} satisfies Farm

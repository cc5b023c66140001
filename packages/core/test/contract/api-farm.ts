import type { Farm, FarmEvent } from '../../src/contract/index.ts'
import { info, nothing, offer, once, quote, ref } from './sample.ts'

const task = ref('api', '17')

/** Compile-time proof that a farm with its own API fits: native idempotency, tiers, hold, cursors, resumable downloads, webhooks. */
export const apiFarm = {
  contract: 1,
  id: 'api',
  describe: async () =>
    info('api', {
      lane: 'api',
      idempotency: 'native',
      capabilities: {
        ...nothing,
        cancelQueued: 'native',
        cancelRunning: 'native',
        hold: 'native',
        priority: 'native',
        partialOutputs: 'native',
        resumeDownload: 'native',
        bindingQuote: 'native',
      },
      slots: 8,
      priceBook: { source: 'https://example.test/prices', asOf: '2026-11-01', kind: 'list' },
    }),
  quote: async (request) =>
    request.spec.render.software === 'blender'
      ? quote('api', [offer('low', 1_320_000n, 100), offer('high', 2_640_000n, 300)], 'locked')
      : { contract: 1, kind: 'decline', farm: 'api', reason: 'software', message: 'only Blender' },
  stage: async (manifest) => ({ farm: 'api', ref: manifest.root }),
  submit: async () => task,
  poll: async ({ cursor }) => ({
    events: [
      { type: 'state', task, state: 'interrupted', raw: 'RECLAIMED', atMs: 1, failure: { class: 'preempted', message: 'spot' } },
      { type: 'state', task, state: 'running', raw: 'SUCCEEDING_SOON', atMs: 2 },
      { type: 'progress', task, atMs: 3, framesDone: 1, framesTotal: 2, frame: 2, fraction: 0.5 },
      {
        type: 'frame-failed',
        task,
        frame: 2,
        atMs: 4,
        failure: { class: 'out-of-memory', message: 'killed', frame: 2, raw: '137' },
      },
    ] satisfies FarmEvent[],
    cursor: cursor ?? '4',
    waitMs: 1_000,
  }),
  set: async (_ref, change) => (change.desired === 'hold' ? 'accepted' : 'done'),
  open: async (output, { offset }) => ({ bytes: output.bytes, stream: once(new Uint8Array(output.bytes - offset)) }),
  hint: async (headers) => (headers['x-signature'] === undefined ? [] : [task]),
} satisfies Farm

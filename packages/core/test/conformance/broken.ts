import { PictorError, type Farm, type FarmEvent, type FarmPoll, type Offer, type Quote } from '../../src/contract/index.ts'
import type { Scenario } from '../../src/conformance/index.ts'

/** A fault of an adapter, and the rule that must notice it. */
export interface Flaw {
  readonly what: string
  /** Start of the name of the rule. */
  readonly rule: string
  readonly scenario?: Scenario
  spoil(farm: Farm): Partial<Farm>
}

/** Changes every page that a farm gives. */
const pages = (farm: Farm, change: (page: FarmPoll) => FarmPoll): Partial<Farm> => ({
  poll: async (query, ctx) => change(await farm.poll(query, ctx)),
})

/** Changes every event that a farm gives; `undefined` loses it. */
const events = (farm: Farm, change: (event: FarmEvent) => FarmEvent | undefined): Partial<Farm> =>
  pages(farm, (page) => ({ ...page, events: page.events.map(change).filter((event) => event !== undefined) }))

const offers = (farm: Farm, change: (offer: Offer) => Offer): Partial<Farm> =>
  quotes(farm, (quote) => ({ ...quote, offers: quote.offers.map(change) }))

function quotes(farm: Farm, change: (quote: Quote) => Quote): Partial<Farm> {
  return {
    quote: async (request, ctx) => {
      const answer = await farm.quote(request, ctx)
      return answer.kind === 'quote' ? change(answer) : answer
    },
  }
}

let serial = 0

/** Adapters with one fault each. */
export const FLAWS: readonly Flaw[] = [
  {
    what: 'calls itself by another name',
    rule: 'describe names',
    spoil: (farm) => ({ describe: async (ctx) => ({ ...(await farm.describe(ctx)), id: 'other' }) }),
  },
  {
    what: 'claims a capability that it did not declare',
    rule: 'describe gives the capabilities',
    spoil: (farm) => ({
      describe: async (ctx) => {
        const info = await farm.describe(ctx)
        return { ...info, capabilities: { ...info.capabilities, tiles: 'native' } }
      },
    }),
  },
  {
    what: 'dates its prices in the future',
    rule: 'a price book names',
    spoil: (farm) => ({
      describe: async (ctx) => ({ ...(await farm.describe(ctx)), priceBook: { source: 'x', asOf: '2999-01-01', kind: 'list' } }),
    }),
  },
  {
    what: 'prices in floats',
    rule: 'money in a quote',
    spoil: (farm) => offers(farm, (offer) => ({ ...offer, price: { ...offer.price, perHostHour: 1.32 as unknown as bigint } })),
  },
  {
    what: 'offers zero hosts',
    rule: 'every offer can be priced',
    spoil: (farm) => offers(farm, (offer) => ({ ...offer, hosts: 0 })),
  },
  {
    what: 'gives volume tiers that do not start at 0',
    rule: 'every offer can be priced',
    spoil: (farm) =>
      offers(farm, (offer) => ({ ...offer, price: { ...offer.price, tiers: [{ fromHostMs: 5, perMille: 900 }] } })),
  },
  {
    what: 'gives quotes in seconds instead of milliseconds',
    rule: 'a quote ends',
    spoil: (farm) => quotes(farm, (quote) => ({ ...quote, validUntilAtMs: Math.round(quote.validUntilAtMs / 1000) })),
  },
  {
    what: 'throws instead of declining',
    rule: 'software that the farm lacks',
    spoil: (farm) => ({
      quote: async (request, ctx) => {
        const answer = await farm.quote(request, ctx)
        if (answer.kind === 'decline') throw new PictorError('farm-refused', answer.message)
        return answer
      },
    }),
  },
  {
    what: 'takes offers of quotes that have ended',
    rule: 'an offer of an expired quote',
    spoil: (farm) => ({
      submit: ({ offer: _offer, ...task }, ctx) => farm.submit(task, ctx),
    }),
  },
  {
    what: 'reads all files at every staging',
    rule: 'staging the same files again',
    spoil: (farm) => ({
      stage: async (manifest, files, ctx) => {
        for (const { hash } of manifest.files) await files.read(hash)
        return farm.stage(manifest, files, ctx)
      },
    }),
  },
  {
    what: 'never recovers from a staging that broke off',
    rule: 'a staging that broke off',
    spoil: (farm) => {
      let first: Promise<{ farm: string; ref: string }> | undefined
      return { stage: (manifest, files, ctx) => (first ??= farm.stage(manifest, files, ctx)) }
    },
  },
  {
    what: 'does not look at the hash of what it sends',
    rule: 'a file whose bytes',
    spoil: (farm) => ({ stage: async (manifest) => ({ farm: farm.id, ref: manifest.root }) }),
  },
  {
    what: 'stages paths outside the bundle',
    rule: 'a path that leaves',
    spoil: (farm) => ({
      stage: (manifest, files, ctx) => {
        const safe = manifest.files.map((file) => ({ ...file, path: file.path.replaceAll(/[^a-z.]/g, '').replaceAll('..', '') }))
        return farm.stage({ ...manifest, files: safe }, files, ctx)
      },
    }),
  },
  {
    what: 'tells errors apart by instanceof',
    rule: 'a missing file is reported',
    spoil: (farm) => ({
      stage: async (manifest, files, ctx) => {
        try {
          return await farm.stage(manifest, files, ctx)
        } catch (error) {
          throw error instanceof PictorError ? error : new Error('unexpected')
        }
      },
    }),
  },
  {
    what: 'creates a task at every submit',
    rule: 'a repeated submit',
    spoil: (farm) => ({ submit: (task, ctx) => farm.submit(task, { ...ctx, key: `${++serial}-${ctx.key}` }) }),
  },
  {
    what: 'checks the key before it waits and writes it after',
    rule: 'ten submits at once',
    spoil: (farm) => {
      const done = new Map<string, Awaited<ReturnType<Farm['submit']>>>()
      return {
        submit: async (task, ctx) => {
          const known = done.get(ctx.key)
          if (known) return known
          await new Promise((resolve) => setImmediate(resolve))
          const ref = await farm.submit(task, { ...ctx, key: `${++serial}-${ctx.key}` })
          done.set(ctx.key, ref)
          return ref
        },
      }
    },
  },
  {
    what: 'answers a used key without looking at the content',
    rule: 'one key for two contents',
    spoil: (farm) => {
      const refs = new Map<string, ReturnType<Farm['submit']>>()
      return {
        submit: (task, ctx) => {
          const ref = refs.get(ctx.key) ?? farm.submit(task, ctx)
          refs.set(ctx.key, ref)
          return ref
        },
      }
    },
  },
  {
    what: 'takes the scene for the key',
    rule: 'two keys give two tasks',
    spoil: (farm) => ({ submit: (task, ctx) => farm.submit({ ...task, id: 1 }, { ...ctx, key: task.bundle.root }) }),
  },
  {
    what: 'renders any kind of work as frames',
    rule: 'a kind of work',
    spoil: (farm) => ({
      submit: (task, ctx) => farm.submit({ ...task, work: { ...task.work, kind: 'frames' } as typeof task.work }, ctx),
    }),
  },
  {
    what: 'invents a state',
    rule: 'a task of six frames succeeds',
    spoil: (farm) =>
      events(farm, (event) =>
        event.type === 'state' && event.state === 'queued' ? { ...event, state: 'waiting' as 'queued' } : event,
      ),
  },
  {
    what: 'drops the farm’s own word',
    rule: 'a task of six frames succeeds',
    spoil: (farm) =>
      events(farm, (event) => {
        if (event.type !== 'state') return event
        const { raw: _raw, ...rest } = event
        return rest as FarmEvent
      }),
  },
  {
    what: 'delivers a frame twice',
    rule: 'every frame arrives as an output once',
    spoil: (farm) =>
      pages(farm, (page) => ({
        ...page,
        events: page.events.flatMap((event) => (event.type === 'output' && event.output.frame === 2 ? [event, event] : [event])),
      })),
  },
  {
    what: 'announces a frame before its bytes are there',
    rule: 'every frame arrives as an output once',
    spoil: (farm) =>
      events(farm, (event) => (event.type === 'output' ? { ...event, output: { ...event.output, bytes: 0 } } : event)),
  },
  {
    what: 'lets progress fall back',
    rule: 'progress never goes back',
    spoil: (farm) =>
      events(farm, (event) => (event.type === 'progress' && event.framesDone === 4 ? { ...event, framesDone: 1 } : event)),
  },
  {
    what: 'loses an event when it is asked from an older cursor',
    rule: 'a poll resumes at any cursor',
    spoil: (farm) => {
      let newest = 0
      return {
        poll: async (query, ctx) => {
          const page = await farm.poll(query, ctx)
          const older = query.cursor !== undefined && Number(query.cursor) < newest
          newest = Math.max(newest, Number(page.cursor))
          return older ? { ...page, events: page.events.slice(1) } : page
        },
      }
    },
  },
  {
    what: 'repeats its events at every poll',
    rule: 'a poll resumes at any cursor',
    spoil: (farm) => {
      let first: readonly FarmEvent[] = []
      return {
        poll: async (query, ctx) => {
          const page = await farm.poll(query, ctx)
          if (first.length === 0) first = page.events.slice(0, 1)
          return query.cursor !== undefined && page.events.length > 0 ? { ...page, events: [...first, ...page.events] } : page
        },
      }
    },
  },
  {
    what: 'gives only news when asked without a cursor',
    rule: 'a poll without a cursor reconciles',
    spoil: (farm) => {
      let last: string | undefined
      return {
        poll: async (query, ctx) => {
          const cursor = query.cursor ?? last
          const page = await farm.poll(cursor === undefined ? query : { ...query, cursor }, ctx)
          last = page.cursor
          return page
        },
      }
    },
  },
  {
    what: 'ignores the scope',
    rule: 'a scope limits',
    spoil: (farm) => ({ poll: ({ scope: _scope, ...query }, ctx) => farm.poll(query, ctx) }),
  },
  {
    what: 'answers an unknown cursor with silence',
    rule: 'a cursor that the farm does not know',
    spoil: (farm) => ({
      poll: async (query, ctx) => {
        if (query.cursor?.startsWith('no-such')) return { events: [], cursor: query.cursor, waitMs: 1_000 }
        return farm.poll(query, ctx)
      },
    }),
  },
  {
    what: 'takes an unknown state for a failure',
    rule: 'a state that nobody has heard of',
    scenario: 'unknown-state',
    spoil: (farm) =>
      events(farm, (event) => (event.type === 'state' && event.raw === 'PONDERING' ? { ...event, state: 'failed' } : event)),
  },
  {
    what: 'throws at an unknown event',
    rule: 'events of unknown types',
    scenario: 'unknown-event',
    spoil: (farm) =>
      events(farm, (event) => {
        if ((event.type as string) === 'moon-phase') throw new PictorError('internal', 'unknown event')
        return event
      }),
  },
  {
    what: 'drops events from the future',
    rule: 'a farm whose clock is wrong',
    spoil: (farm) => events(farm, (event) => (event.atMs > Date.now() + 3_600_000 ? undefined : event)),
  },
  {
    what: 'calls a task with a failed frame a success',
    rule: 'a frame that fails is named',
    spoil: (farm) =>
      events(farm, (event) => (event.type === 'state' && event.state === 'failed' ? { ...event, state: 'succeeded' } : event)),
  },
  {
    what: 'does not say which frame failed',
    rule: 'a frame that fails is named',
    spoil: (farm) => events(farm, (event) => (event.type === 'frame-failed' ? undefined : event)),
  },
  {
    what: 'answers cancel and goes on rendering',
    rule: 'cancel before the start',
    spoil: (farm) => ({ set: async (ref, change, ctx) => (change.desired === 'cancel' ? 'done' : farm.set(ref, change, ctx)) }),
  },
  {
    what: 'refuses what it claims to do',
    rule: 'cancel while it renders',
    spoil: (farm) => ({
      set: async (ref, change, ctx) =>
        change.desired === 'cancel' ? { refused: true, reason: 'running', message: 'too late' } : farm.set(ref, change, ctx),
    }),
  },
  {
    what: 'does not say which frames were done at a cancel',
    rule: 'cancel while it renders',
    spoil: (farm) => events(farm, (event) => (event.type === 'canceled' ? { ...event, framesDone: [99] } : event)),
  },
  {
    what: 'forgets to go on after a hold',
    rule: 'a hold ends in suspended',
    spoil: (farm) => ({ set: async (ref, change, ctx) => (change.desired === 'run' ? 'done' : farm.set(ref, change, ctx)) }),
  },
  {
    what: 'forgets the cancel of a held task',
    rule: 'a held task can be canceled',
    spoil: (farm) => {
      let held = false
      return {
        set: async (ref, change, ctx) => {
          if (change.desired === 'hold') held = true
          return held && change.desired === 'cancel' ? 'accepted' : farm.set(ref, change, ctx)
        },
      }
    },
  },
  {
    what: 'cancels what has ended',
    rule: 'after its end a task stays',
    spoil: (farm) => {
      const extra: FarmEvent[] = []
      return {
        set: async (ref, change, ctx) => {
          if (change.desired === 'cancel')
            extra.push({ type: 'state', task: ref, state: 'canceled', raw: 'canceled', atMs: Date.now() })
          return farm.set(ref, change, ctx)
        },
        poll: async (query, ctx) => {
          const page = await farm.poll(query, ctx)
          return { ...page, events: [...page.events, ...extra] }
        },
      }
    },
  },
  {
    what: 'cancels tasks that it never had',
    rule: 'a task that the farm does not know',
    spoil: (farm) => ({
      set: (ref, change, ctx) => (ref.ref === 'no-such-task' ? Promise.resolve('done' as const) : farm.set(ref, change, ctx)),
    }),
  },
  {
    what: 'takes a priority after the start',
    rule: 'priority is set',
    spoil: (farm) => ({ set: async (ref, change, ctx) => (change.priority === undefined ? farm.set(ref, change, ctx) : 'done') }),
  },
  {
    what: 'reports the hash of something else',
    rule: 'the bytes of an output',
    spoil: (farm) =>
      events(farm, (event) =>
        event.type === 'output' ? { ...event, output: { ...event.output, hash: `0x${'ab'.repeat(32)}` } } : event,
      ),
  },
  {
    what: 'ignores the offset',
    rule: 'an output opens from any offset',
    spoil: (farm) => ({ open: (output, _range, ctx) => farm.open(output, { offset: 0 }, ctx) }),
  },
  {
    what: 'throws at a payment gate',
    rule: 'outputs behind a payment',
    scenario: 'payment-gate',
    spoil: (farm) => ({
      open: async (output, range, ctx) => {
        const answer = await farm.open(output, range, ctx)
        if ('unavailable' in answer && answer.unavailable === 'payment') throw new PictorError('farm-refused', 'payment')
        return answer
      },
    }),
  },
  {
    what: 'takes expired outputs for locked ones',
    rule: 'deleted outputs say',
    spoil: (farm) => ({
      open: async (output, range, ctx) => {
        const answer = await farm.open(output, range, ctx)
        return 'unavailable' in answer ? { unavailable: 'payment' } : answer
      },
    }),
  },
  {
    what: 'delivers an error page as a frame',
    rule: 'an output that does not exist yet',
    spoil: (farm) => ({
      open: async (output, range, ctx) => {
        const answer = await farm.open(output, range, ctx)
        if (!('unavailable' in answer)) return answer
        const page = Buffer.from('<h1>404</h1>')
        return {
          bytes: page.length,
          stream: (async function* () {
            yield page
          })(),
        }
      },
    }),
  },
  {
    what: 'works on although the signal is aborted',
    rule: 'a call whose signal is aborted',
    spoil: (farm) => ({
      poll: (query, { signal: _signal, ...ctx }) => farm.poll(query, ctx),
    }),
  },
  {
    what: 'leaves a listener on the signal at every poll',
    rule: 'calls leave no listener',
    spoil: (farm) => ({
      poll: (query, ctx) => {
        ctx.signal?.addEventListener('abort', () => {})
        return farm.poll(query, ctx)
      },
    }),
  },
  {
    what: 'leaves a timer running after close',
    rule: 'close leaves no timer',
    spoil: (farm) => ({
      submit: (task, ctx) => {
        setTimeout(() => {}, 400)
        return farm.submit(task, ctx)
      },
    }),
  },
  {
    what: 'writes into the task it was given',
    rule: 'what a caller hands in',
    spoil: (farm) => ({
      submit: (task, ctx) => {
        const mine = task as { priority?: number }
        mine.priority = 50
        return farm.submit(task, ctx)
      },
    }),
  },
]

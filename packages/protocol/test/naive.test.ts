import { describe, expect, it } from 'vitest'
import { farmConformance, runCases, type Fetch, type FarmSupports } from '@pictor/core/conformance'
import { PictorError, type CallContext, type Farm } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { supports as small } from '../../core/test/conformance/small-farm.ts'
import { served, TOKEN } from './served.ts'
import { smallFarm } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm } from '../src/index.ts'

/** Ways to write an HTTP adapter badly, as a fetch that a good client is given. Each must fail the rule that is named. */
const FLAWS: readonly { what: string; rule: string; fetch?: (fetch: Fetch) => Fetch; farm?: (farm: Farm) => Partial<Farm> }[] = [
  {
    what: 'sends a new key with every try',
    rule: 'a submit whose reply was lost',
    fetch: (fetch) => (input, init) => {
      const request = new Request(input, init)
      if (request.headers.has('idempotency-key')) request.headers.set('idempotency-key', drawnKey())
      return fetch(request)
    },
  },
  {
    what: 'ends a short download as if it were whole',
    rule: 'a download that is cut',
    farm: (farm) => ({
      open: async (output, range, ctx) => {
        const answer = await farm.open(output, range, ctx)
        if (!('stream' in answer)) return answer
        return { ...answer, stream: quiet(answer.stream) }
      },
    }),
  },
  {
    what: 'loses Retry-After',
    rule: '429 with Retry-After',
    fetch: (fetch) => async (input, init) => {
      const response = await fetch(input, init)
      return new Response(response.body, { status: response.status, headers: {} })
    },
  },
  {
    what: 'takes a 503 for a refusal',
    rule: 'a storm of 500',
    farm: (farm) => rethrow(farm, 'farm-unreachable', 'farm-refused'),
  },
  {
    what: 'drops the deadline',
    rule: 'a body that never ends',
    farm: (farm) => ({ poll: (query, { deadlineAtMs: _deadline, ...ctx }) => farm.poll(query, ctx) }),
  },
  {
    what: 'lets the parser’s error out',
    rule: 'an answer that is no JSON',
    farm: (farm) => ({
      poll: (query, ctx) =>
        farm.poll(query, ctx).catch((error: Error) => {
          throw error.message.includes('no JSON') ? new SyntaxError('Unexpected token') : error
        }),
    }),
  },
  {
    what: 'follows redirects',
    rule: 'a redirect is not followed',
    fetch: (fetch) => async (input, init) => {
      const response = await fetch(input, init)
      const location = response.headers.get('location')
      return location ? fetch(location, init) : response
    },
  },
  {
    what: 'repeats what a 401 refused',
    rule: 'a refused token',
    farm: (farm) => ({
      poll: async (query, ctx) => {
        for (let i = 0; i < 4; i++) await farm.poll(query, ctx).catch(() => {})
        return farm.poll(query, ctx)
      },
    }),
  },
  {
    what: 'lets fetch’s TypeError out',
    rule: 'a farm that cannot be reached',
    farm: (farm) => ({
      poll: (query, ctx) =>
        farm.poll(query, ctx).catch((error: Error) => {
          throw error.cause ?? error
        }),
    }),
  },
  {
    what: 'wraps the reason of an abort',
    rule: 'an abort ends a call',
    farm: (farm) => ({
      poll: (query, ctx: CallContext) =>
        farm.poll(query, ctx).catch((cause: unknown) => {
          throw new PictorError('canceled', 'aborted', { cause })
        }),
    }),
  },
]

async function* quiet(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream
  } catch {
    // The fault under test: an early end goes unseen.
  }
}

function rethrow(farm: Farm, from: string, to: 'farm-refused'): Partial<Farm> {
  const change = (error: { code?: string; message: string }) => {
    throw error.code === from ? new PictorError(to, error.message) : error
  }
  return {
    submit: (task, ctx) => farm.submit(task, ctx).catch(change),
    poll: (query, ctx) => farm.poll(query, ctx).catch(change),
  }
}

const supports: FarmSupports = { ...small, http: true }

describe('every rule about HTTP can fail', () => {
  const cases = (flaw?: (typeof FLAWS)[number]) =>
    farmConformance({
      supports,
      patienceMs: 2_000,
      make: async (wish) => {
        const inner = await smallFarm(wish)
        const { server, close } = await served(inner.farm)
        const fetch = wish.network.fetch()
        const farm = remoteFarm({ url: server.url, token: TOKEN, fetch: flaw?.fetch?.(fetch) ?? fetch, timeoutMs: 2_000 })
        return { ...inner, farm: { ...farm, ...flaw?.farm?.(farm) }, close }
      },
    })

  it.each(FLAWS.map((flaw) => [flaw.what, flaw] as const))('an adapter that %s fails', async (_what, flaw) => {
    const named = cases(flaw).filter(({ name }) => name.startsWith(flaw.rule))
    expect(named).toHaveLength(1)
    const [result] = await runCases(named)
    expect(result, result?.message).toMatchObject({ outcome: 'failed' })
  })

  it('covers each rule that needs HTTP', () => {
    const offline = farmConformance({ supports: small, make: smallFarm })
    const onlyHttp = cases().filter(({ name }) => offline.some((item) => item.name === name && item.skip?.includes('HTTP')))
    expect(onlyHttp.filter(({ name }) => !FLAWS.some(({ rule }) => name.startsWith(rule))).map(({ name }) => name)).toEqual([])
  })
})

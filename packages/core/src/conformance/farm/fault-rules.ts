import assert from 'node:assert/strict'
import type { PictorError } from '../../contract/error.ts'
import { FRAMES, failure, ofType, stateOf, type Bench } from './bench.ts'
import { overHttp, type Rule } from './rule.ts'

/** No call may outlive its deadline by more than this. */
const GRACE_MS = 1_500

async function within(bench: Bench, ms: number): Promise<PictorError> {
  const startMs = Date.now()
  const error = await failure(bench.farm.poll({}, bench.ctx('poll', { deadlineAtMs: startMs + ms })))
  assert(Date.now() - startMs < ms + GRACE_MS, `the call took ${Date.now() - startMs} ms with a deadline of ${ms} ms`)
  return error
}

/** What goes wrong between adapter and farm. */
export const faultRules: readonly Rule[] = [
  {
    name: '429 with Retry-After is passed on as retryAfterMs',
    change:
      'throw farm-unreachable with details.retryAfterMs from Retry-After (seconds or date) when the wait passes the deadline',
    skip: overHttp,
    async check(bench) {
      bench.network.spoil({ kind: 'answer', status: 429, headers: { 'retry-after': '7' } }, Infinity)
      const error = await within(bench, 500)
      assert.equal(error.details.retryAfterMs, 7_000, `details.retryAfterMs is ${error.details.retryAfterMs}`)
      assert(error.retryable, `${error.code} is not retryable`)
    },
  },
  {
    name: 'a storm of 500 answers loses nothing and doubles nothing',
    change: 'map 5xx to a retryable error (farm-unreachable) and repeat mutations only with their idempotency key',
    skip: overHttp,
    async check(bench) {
      const task = await bench.task()
      const stormy = async <T>(call: () => Promise<T>): Promise<T> => {
        bench.network.spoil({ kind: 'answer', status: 503, body: 'no' }, 2)
        for (let tries = 0; tries < 5; tries++) {
          try {
            return await call()
          } catch (error) {
            const typed = await failure(Promise.reject(error))
            assert(typed.retryable, `503 gave ${typed.code}, which is not retryable`)
          }
        }
        return call()
      }
      const ref = await stormy(() => bench.farm.submit(task, bench.ctx('submit')))
      const watched = await bench.finish(ref)
      assert.equal(stateOf(watched, ref), 'succeeded')
      assert.equal(ofType(watched, 'output').length, FRAMES.length)
      const page = await stormy(() => bench.farm.poll({}, bench.ctx('reconcile')))
      assert(page.events.length > 0)
    },
  },
  {
    name: 'a body that never ends is given up at the deadline',
    change: 'apply ctx.deadlineAtMs to headers and body, and cap the bytes of an answer',
    skip: overHttp,
    async check(bench) {
      for (const kind of ['slow-body', 'endless-body', 'hang'] as const) {
        bench.network.spoil({ kind }, Infinity)
        await within(bench, 150)
        bench.network.calm()
      }
    },
  },
  {
    name: 'an answer that is no JSON is a typed error',
    change: 'catch the parser’s error and throw farm-unreachable or farm-refused with what was found',
    skip: overHttp,
    async check(bench) {
      for (const body of ['{"events":[', '<html>please log in</html>', 'null', '[]', '{"events":7}']) {
        bench.network.spoil({ kind: 'answer', status: 200, headers: { 'content-type': 'application/json' }, body }, Infinity)
        await within(bench, 500)
        bench.network.calm()
      }
    },
  },
  {
    name: 'a redirect is not followed',
    change: "use redirect: 'manual' (or 'error') and throw farm-refused: a redirect could carry the token to a stranger",
    skip: overHttp,
    async check(bench) {
      const seen = bench.network.seen.length
      bench.network.spoil({ kind: 'answer', status: 307, headers: { location: 'http://127.0.0.1:9/steal' } }, Infinity)
      await within(bench, 500)
      assert(!bench.network.seen.slice(seen).some((line) => line.endsWith('/steal')), 'the redirect was followed')
    },
  },
  {
    name: 'a refused token is not worth repeating',
    change: 'map 401 and 403 to farm-refused',
    skip: overHttp,
    async check(bench) {
      bench.network.spoil({ kind: 'answer', status: 401, body: '{}' }, Infinity)
      const error = await within(bench, 500)
      assert(!error.retryable, `${error.code} would be repeated`)
      assert(bench.network.hits <= 2, `the call was repeated ${bench.network.hits} times`)
    },
  },
  {
    name: 'a farm that cannot be reached is a retryable error',
    change: 'turn the TypeError of fetch into farm-unreachable, with the TypeError as cause',
    skip: overHttp,
    async check(bench) {
      bench.network.spoil({ kind: 'unreachable' }, Infinity)
      const error = await within(bench, 500)
      assert(error.retryable, `${error.code} is not retryable`)
    },
  },
  {
    name: 'an abort ends a call that hangs, with the signal’s own reason',
    change: 'pass ctx.signal to every request and reject with signal.reason, not with a wrapped error',
    skip: overHttp,
    async check(bench) {
      for (const kind of ['hang', 'slow-body'] as const) {
        bench.network.spoil({ kind }, Infinity)
        const control = new AbortController()
        const reason = new Error('changed my mind')
        const timer = setTimeout(() => control.abort(reason), 50)
        const startMs = Date.now()
        const error = await bench.farm.poll({}, bench.ctx('poll', { signal: control.signal })).catch((cause: unknown) => cause)
        clearTimeout(timer)
        bench.network.calm()
        assert.equal(error, reason, `${kind}: the call did not reject with the signal’s reason`)
        assert(Date.now() - startMs < GRACE_MS, `${kind}: the call went on for ${Date.now() - startMs} ms`)
      }
    },
  },
]

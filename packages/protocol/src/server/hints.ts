import type { CallContext, Farm } from '@pictor/core/contract'
import ky from 'ky'
import type { FetchLike } from '../farm-http.ts'
import { toWire } from '../schema.ts'
import { SIGNATURE_HEADER, signHint } from '../webhook.ts'
import type { Metrics } from './metrics.ts'
import { taskOf, visible, type Owners } from './owners.ts'

/** Where hints go. The operator of the farm names the URLs; callers cannot. */
export interface HintTarget {
  readonly url: string
  /** Agreed with the receiver, at least 16 characters. */
  readonly secret: string
  readonly tenant?: string
}

/** Polls the farm and tells each target which tasks have news. A hint that is lost costs nothing but time: receivers poll for the truth. */
export function sendHints(
  farm: Farm,
  targets: readonly HintTarget[],
  { owners, metrics, fetch, log }: { owners: Owners; metrics: Metrics; fetch?: FetchLike; log: NonNullable<CallContext['log']> },
): { close(): void } {
  const control = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let cursor: string | undefined

  const round = async (): Promise<void> => {
    let waitMs = 5_000
    try {
      const page = await farm.poll(cursor === undefined ? {} : { cursor }, { key: 'hints', signal: control.signal })
      const news = cursor === undefined ? [] : page.events
      cursor = page.cursor
      waitMs = Math.min(Math.max(page.waitMs, 250), 60_000)
      for (const target of targets) {
        const events = await visible(news, target.tenant ?? '', owners)
        const tasks = [...new Set(events.map((event) => taskOf(event)?.ref).filter((ref) => ref !== undefined))]
        if (tasks.length > 0) await send(target, tasks)
      }
    } catch (error) {
      if (!control.signal.aborted) log('hints failed', { error: String(error) })
    }
    if (!control.signal.aborted) timer = setTimeout(() => void round(), waitMs).unref()
  }
  const send = async ({ url, secret }: HintTarget, tasks: readonly string[]): Promise<void> => {
    const body = Buffer.from(toWire({ tasks }))
    const headers = { 'content-type': 'application/json', [SIGNATURE_HEADER]: signHint(secret, body, Date.now()) }
    await ky
      .post(url, {
        headers,
        body,
        redirect: 'manual',
        retry: { limit: 2, methods: ['post'] },
        timeout: 5_000,
        signal: control.signal,
        ...(fetch && { fetch: fetch as typeof globalThis.fetch }),
      })
      .then(() => metrics.add('hints', 1))
      .catch((error: unknown) => log('hint was not taken', { url, error: String(error) }))
  }
  void round()
  return {
    close() {
      control.abort()
      clearTimeout(timer)
    },
  }
}

import type { CallContext } from '../contract/context.ts'
import type { CanceledLease } from '../contract/messages.ts'
import type { TaskRow } from '../job/job-state.ts'
import { commandKey, limitedCall, untilDone } from './effort.ts'
import type { FarmLoop } from './farm-loop.ts'
import type { JobHost } from './job-host.ts'
import { withStage } from './stage.ts'
import { farmOf, taskOf } from './submit-effects.ts'

/** How long farms may take to give leases back. What they did not by then is waited out: it lapses at its `commitBy`. */
const PATIENCE_MS = 20_000

/** Leases that are asked about at once: a canceled job may have tens of thousands. */
const AT_ONCE = 500

const GIVEN_BACK = new WeakMap<JobHost, ReturnType<typeof giveBack>>()

/** One request to the farms, whatever the number of checkers that wait for it. */
export function givenBack(host: JobHost, signal: AbortSignal): ReturnType<typeof giveBack> {
  const known = GIVEN_BACK.get(host)
  if (known) return known
  const asked = giveBack(host, signal)
  GIVEN_BACK.set(host, asked)
  return asked
}

/** Leases that their farms gave up by signature. */
export function canceledLeases(host: JobHost): CanceledLease[] {
  const job = host.jobId()
  return [...host.job.state.cancels].map(([lease, { root, sig }]) => ({ job, lease, outputRoot: root, signature: sig }))
}

/**
 * Asks farms to give leases back that no farm was ever handed: each is submitted and canceled at once, and the farm's signed word frees its money before
 * `commitBy`. Only farms that find tasks by key and cancel without a person are asked. What a farm does not answer is left to lapse. Repeating it is harmless: same keys, same answers.
 */
export async function giveBack(host: JobHost, signal: AbortSignal): Promise<readonly CanceledLease[]> {
  const nowMs = host.shared.clock.now()
  const never = [...host.job.state.rows.values()].filter(
    (row) => row.phase === 'gone' && row.startedAtMs === 0 && row.commitByS * 1000 > nowMs,
  )
  const given: CanceledLease[] = []
  const rows = never.values()
  const someOfThem = async (limited: AbortSignal): Promise<void> => {
    for (const row of rows) {
      const answer = limited.aborted ? undefined : await giveBackOne(host, row, limited).catch(() => undefined)
      if (answer) given.push(answer)
    }
  }
  await limitedCall(host.shared.clock, PATIENCE_MS, signal, (limited) =>
    Promise.all(Array.from({ length: Math.min(AT_ONCE, never.length) }, () => someOfThem(limited))),
  ).catch(() => {})
  return given.sort((a, b) => a.lease - b.lease)
}

async function giveBackOne(host: JobHost, row: TaskRow, signal: AbortSignal): Promise<CanceledLease | undefined> {
  // A set that never became ready was shown to nobody.
  if (host.job.state.sets[row.seq]?.phase !== 'ready') return undefined
  const loop = await farmOf(host, row.farm, signal)
  if (!loop) return undefined
  const { capabilities, idempotency } = await loop.info(signal)
  // Nothing of this is journaled: after a restart it is asked again, which a farm that cannot find tasks by key would take for another task.
  if (idempotency === 'at-most-once') return undefined
  if (capabilities.cancelQueued !== 'native' && capabilities.cancelQueued !== 'emulated') return undefined
  return cancelAtOnce(host, loop, row, signal)
}

async function cancelAtOnce(
  host: JobHost,
  loop: FarmLoop,
  row: TaskRow,
  signal: AbortSignal,
): Promise<CanceledLease | undefined> {
  const patiently = <T>(command: string, act: (ctx: CallContext) => Promise<T>): Promise<T> => {
    const { clock, tuning } = host.shared
    return untilDone({ clock, tuning, key: commandKey(host.run, `give-back:${row.id}`, command), signal }, act)
  }
  const ref = await patiently('submit', (ctx) =>
    withStage(host, loop, ctx, (stage) =>
      loop.call(ctx.signal!, async (limited) =>
        loop.farm.submit(await taskOf(host, row, 1, stage, 0), { ...ctx, signal: limited }),
      ),
    ),
  )
  let unwatch = (): void => {}
  try {
    return await new Promise<CanceledLease | undefined>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      unwatch = loop.watch(ref, {
        async take(events) {
          for (const event of events)
            if (event.type === 'canceled') resolve(signedWord(host, row, event.outputRoot, event.signature))
        },
        missing: async () => resolve(undefined),
      })
      patiently('cancel', (ctx) =>
        loop.call(ctx.signal!, (limited) => loop.farm.set(ref, { desired: 'cancel' }, { ...ctx, signal: limited })),
      ).catch(reject)
    })
  } finally {
    unwatch()
  }
}

function signedWord(
  host: JobHost,
  row: TaskRow,
  outputRoot: CanceledLease['outputRoot'] | undefined,
  signature: CanceledLease['signature'] | undefined,
): CanceledLease | undefined {
  return outputRoot && signature ? { job: host.jobId(), lease: row.id, outputRoot, signature } : undefined
}

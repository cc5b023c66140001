import {
  PictorError,
  type DigestSigner,
  type Farm,
  type FarmEvent,
  type FrameOutput,
  type LeaseTicket,
  type Ledger,
} from '@pictor/core/contract'
import {
  followOpenings,
  outputRoot,
  requireTaskOfLease,
  signCanceled,
  signCommit,
  signLeaseAccept,
  verifyLeaseTicket,
  type LeaseWants,
} from '@pictor/core/proof'

/** What a signed farm must not forget. A `Map` of plain data fits; a farm that restarts needs one that lasts. */
export interface LeaseBook {
  get(ref: string): LeaseTicket | undefined | Promise<LeaseTicket | undefined>
  set(ref: string, ticket: LeaseTicket): unknown
}

/** Options of {@link signedFarm}. `payTo` is the signer's address when left out. */
export interface SignedFarmOptions extends LeaseWants {
  readonly signer: DigestSigner
  readonly book?: LeaseBook
  /** The ledger that the farm is paid from: it must hold the job's money, and its leaseKey counts. Left out, the creator's word is taken for both. */
  readonly ledger?: Pick<Ledger, 'domain' | 'poll'>
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * Gives a farm without a key the three signatures that the protocol asks for: it refuses tasks whose lease does not hold, countersigns leases, commits to the outputs
 * when a task has ended, and signs cancels. Commitments follow from the farm's own events, so the same cursor always gives the same commitment.
 */
export function signedFarm(
  farm: Farm,
  { signer, book = new Map<string, LeaseTicket>(), ledger, now = Date.now, ...wants }: SignedFarmOptions,
): Farm {
  const payTo = wants.payTo ?? signer.address
  const openings = ledger && followOpenings(ledger, 'farm-refused')
  /** All outputs of a task, from the farm itself: a poll from a cursor sees only the last of them. */
  const outputsOf = async (ref: string, signal: AbortSignal | undefined): Promise<FrameOutput[]> => {
    const page = await farm.poll({ scope: [{ farm: farm.id, ref }] }, { key: 'commit', ...(signal && { signal }) })
    const seen = new Map<string, FrameOutput>()
    for (const event of page.events)
      if (event.type === 'output' && event.output.task.ref === ref) {
        const { frame, part, hash, completedAtMs } = event.output
        seen.set(`${frame}:${part}`, { frame, part, outputHash: hash, completedAtMs })
      }
    return [...seen.values()].sort((a, b) => a.frame - b.frame || a.part - b.part)
  }
  const sign = async (event: FarmEvent, signal: AbortSignal | undefined): Promise<FarmEvent[]> => {
    const ended = event.type === 'state' && (event.state === 'succeeded' || event.state === 'failed')
    if (!ended && event.type !== 'canceled') return [event]
    const ticket = await book.get(event.task.ref)
    if (!ticket) return [event]
    const { domain, job, lease } = ticket
    const outputs = await outputsOf(event.task.ref, signal)
    if (event.type === 'canceled') {
      const root = outputRoot(outputs)
      const signature = await signCanceled(signer, domain, { job, lease: lease.id, outputRoot: root })
      return [...(await commitOf(event, ticket, outputs)), { ...event, outputRoot: root, signature }]
    }
    return [...(await commitOf(event, ticket, outputs)), event]
  }
  const commitOf = async (
    event: Extract<FarmEvent, { type: 'state' | 'canceled' }>,
    { domain, job, lease }: LeaseTicket,
    outputs: readonly FrameOutput[],
  ): Promise<FarmEvent[]> => {
    if (outputs.length === 0) return []
    const commit = await signCommit(signer, domain, { job, lease: lease.id, index: 0, outputs })
    return [{ type: 'commit', task: event.task, commit, atMs: event.atMs }]
  }
  return {
    ...farm,
    async describe(ctx) {
      return { ...(await farm.describe(ctx)), key: signer.address, payTo }
    },
    async submit(task, ctx) {
      ctx.signal?.throwIfAborted()
      if (task.purpose === 'render' && !task.lease)
        throw new PictorError('farm-refused', 'a render needs a lease', { details: { path: 'task.lease' } })
      if (task.lease) {
        requireTaskOfLease(task, task.lease, { ...wants, payTo })
        const { seq, setRoot } = task.lease.set
        await openings?.require(task.lease, seq === 0 ? setRoot : undefined, ctx)
        const committee = await openings?.committee(task.lease, ctx)
        verifyLeaseTicket(task.lease, signer.address, now(), committee, await openings?.leaseKey(task.lease, ctx))
      }
      const ref = await farm.submit(task, ctx)
      if (!task.lease) return ref
      await book.set(ref.ref, task.lease)
      const { domain, job, set, lease } = task.lease
      return { ...ref, leaseSignature: await signLeaseAccept(signer, domain, job, set.seq, lease) }
    },
    async poll(query, ctx) {
      const page = await farm.poll(query, ctx)
      const events: FarmEvent[] = []
      for (const event of page.events) events.push(...(await sign(event, ctx.signal)))
      return { ...page, events }
    },
  }
}

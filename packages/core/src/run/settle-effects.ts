import { isPictorError } from '../contract/error.ts'
import type { LedgerAction } from '../contract/ledger.ts'
import type { Address, Batch } from '../contract/messages.ts'
import { committeeOf, type SetRow } from '../job/job-state.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import type { CheckerRequest } from './ask-checker.ts'
import { effort, fateOf, pause, tryUntilDone } from './effort.ts'
import { type BatchBlob, commitOf, readBlob, type SetSignature, votesOf, writeBlob } from './evidence.ts'
import type { JobHost } from './job-host.ts'

/** Locks the money at the ledger. */
export async function open(
  host: JobHost,
  id: string,
  signal: AbortSignal,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const { clock, tuning } = shared
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(effort(host, job.name, id, signal), async (ctx) => {
      const opened = await shared.options.ledger.open(job.state.order!.terms, job.state.sets[0]!.root!, ctx)
      if (opened.awaiting)
        await job.send({ type: 'blocked', reason: `waits for the creator's ${opened.awaiting.kind}` }).catch(() => {})
      host.ledger.expect()
    })
    if (error !== undefined) return refused(error)
    await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
  }
}

/** That it has happened already is what was wanted: its event will come. */
function unlessDone(error: unknown): void {
  if (isPictorError(error, 'ledger-refused') && error.details['reason'] === 'done') return
  throw error
}

/** Sends a ledger action, and again with the same key, until its final event ended the command. Refusals may pass (a block time behind ours): they are shown and tried again. */
export function tell(host: JobHost, id: string, signal: AbortSignal, action: LedgerAction): Promise<void> {
  return host.ledger.during(() => tellUntilOver(host, id, signal, action))
}

async function tellUntilOver(host: JobHost, id: string, signal: AbortSignal, action: LedgerAction): Promise<void> {
  const { shared, job } = host
  const { clock, tuning } = shared
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(effort(host, job.name, id, signal), async (ctx) => {
      await shared.options.ledger.send(action, ctx).catch(unlessDone)
      host.ledger.expect()
    })
    if (error !== undefined && round >= 3) {
      const message = error instanceof Error ? error.message : String(error)
      await job.send({ type: 'blocked', reason: `${id}: ${message}` }).catch(() => {})
    }
    const waitMs = error === undefined ? tuning.resendMs : Math.max(tuning.retryMs, 1_000)
    await pause(clock, waitMs * 2 ** Math.min(round, 6), signal)
  }
}

/** Merges the votes of a batch and keeps it among the artifacts. */
export async function makeBatch(
  host: JobHost,
  n: number,
  signal: AbortSignal,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const error = await tryUntilDone(effort(host, job.name, `make-batch/${n}`, signal), async () => {
    const order = job.state.order!
    const { terms } = order
    const results = []
    for (const task of job.state.batches[n]!.leases) results.push(await leaseResult(host, task, await host.taskState(task)))
    const batch = shared.proofs.makeBatch(host.jobId(), results, terms.attestByS, terms, committeeOf(order))
    const signedAgain = await signaturesInForce(host, new Set(results.map(({ seq }) => seq)))
    const value: BatchBlob = { batch, ...(signedAgain.length > 0 ? { signedAgain } : {}) }
    await job.send({ type: 'batch-made', n, hash: batch.batchHash, blob: await writeBlob(shared, value) }).catch(() => {})
  })
  if (error !== undefined) await refused(error)
}

/** Signatures of lease sets by a leaseKey that replaced the one that they were made with. */
async function signaturesInForce(host: JobHost, seqs: ReadonlySet<number>): Promise<SetSignature[]> {
  const signed: SetSignature[] = []
  for (const seq of seqs) {
    const set = host.job.state.sets[seq]!
    const { signature } = await host.setMessage(set)
    if (signature !== undefined && signature !== set.signature) signed.push({ seq, signature })
  }
  return signed
}

async function batchOf(host: JobHost, n: number): Promise<Batch> {
  return (await readBlob<BatchBlob>(host.shared, host.job.state.batches[n]!.blob!)).batch
}

/** What the checkers are asked to sign, with every vote that it rests on. */
export async function signBatchAction(host: JobHost, n: number, signal: AbortSignal): Promise<CheckerRequest | undefined> {
  if (host.signing?.n !== n) host.signing = { n, request: readBatchAction(host, n, signal) }
  // Whose reading it was may have ended in the middle of it.
  return (await host.signing.request) ?? readBatchAction(host, n, signal)
}

async function readBatchAction(host: JobHost, n: number, signal: AbortSignal): Promise<CheckerRequest | undefined> {
  let action: CheckerRequest | undefined
  await tryUntilDone(effort(host, host.job.name, `sign-batch/${n}`, signal), async () => {
    const blobs = []
    const { sets, batches } = host.job.state
    const seqs = new Set(batches[n]!.leases.map((task) => host.row(task).seq))
    for (const task of batches[n]!.leases) blobs.push(...(await votesOf(host.shared, await host.taskState(task))))
    action = {
      kind: 'sign-batch',
      batch: await batchOf(host, n),
      votes: blobs.flatMap((blob) => blob.votes),
      seeds: blobs.map((blob) => blob.seed),
      readies: [...seqs].flatMap((seq) => [...sets[seq]!.ready.values()]),
      reports: blobs.flatMap((blob) => blob.reports),
    }
  })
  return action
}

/** Signatures in order of address: the same for every try. */
export function signaturesOf(signatures: ReadonlyMap<Address, `0x${string}`>): { checker: Address; signature: `0x${string}` }[] {
  return [...signatures].map(([checker, signature]) => ({ checker, signature })).sort((a, b) => (a.checker < b.checker ? -1 : 1))
}

/** Brings a signed batch to the ledger until its event ends the command; a refusal that lasts breaks the batch up. */
export async function attest(
  host: JobHost,
  n: number,
  id: string,
  signal: AbortSignal,
  refused: (error: unknown) => Promise<void>,
): Promise<void> {
  const { job, shared } = host
  const { clock, tuning } = shared
  // The ledger wants the first Ready before any batch.
  while (!job.state.readyPosted && !signal.aborted) await pause(clock, tuning.retryMs, signal)
  if (host.signing?.n === n) host.signing = undefined
  const row = job.state.batches[n]!
  const { terms } = job.state.order!
  for (let round = 0; !signal.aborted; round++) {
    const error = await tryUntilDone(
      effort(host, job.name, id, signal),
      async (ctx) => {
        const batch = await batchOf(host, n)
        const seqs = [...new Set(batch.results.map((result) => result.seq))].sort((a, b) => a - b)
        const sets = await Promise.all(
          seqs.map(async (seq) => {
            const set: SetRow = job.state.sets[seq]!
            return { set: await host.setMessage(set), leases: host.leases(set) }
          }),
        )
        const signatures = signaturesOf(row.signatures).slice(0, terms.quorum)
        const action = { kind: 'attest', terms, batch, sets, signatures } as const
        await shared.options.ledger
          .send(action, ctx)
          .catch(unlessDone)
          .catch(async (error: unknown) => {
            if (!isPictorError(error, 'ledger-refused') || error.details['reason'] !== 'settled') throw error
            // Checkers post by themselves what a runner leaves behind: with the same votes it is this very batch.
            await host.ledger.replay(signal)
            if (row.phase === 'attesting') throw error
          })
        host.ledger.expect()
      },
      // A refusal may be about the moment (a paused ledger, a block that is late): a few tries before the batch is broken up.
      (error, attempt) => (attempt < 5 ? 'again' : fateOf(error, attempt)),
    )
    if (error !== undefined) return refused(error)
    await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
  }
}

/** The lease as it is attested, from its journal and the votes among the artifacts. */
export async function leaseResult(
  host: JobHost,
  task: number,
  state: TaskStreamState,
): Promise<ReturnType<JobHost['shared']['proofs']['mergeVotes']>> {
  const { shared, job } = host
  const blobs = await votesOf(shared, state)
  const row = host.row(task)
  return shared.proofs.mergeVotes({
    domain: shared.options.ledger.domain,
    terms: job.state.order!.terms,
    lease: host.lease(row),
    seq: row.seq,
    commits: state.commits.map((kept) => commitOf(state, host.jobId(), kept)),
    votes: blobs.flatMap((blob) => blob.votes),
    seeds: blobs.map((blob) => blob.seed),
  })
}

import { setTimeout as sleep } from 'node:timers/promises'
import { PictorError } from '@pictor/core/contract'
import type { Bytes32, DigestSigner, FrameOutput, Output, Signature, Task } from '@pictor/core/contract'
import {
  outputRoot,
  requireTaskOfLease,
  signCanceled,
  signCommit,
  signLeaseAccept,
  verifyLeaseTicket,
  type Openings,
} from '@pictor/core/proof'
import type { Settings } from '../options.ts'
import type { TaskRow, TaskStore } from './store.ts'

type LeaseSettings = Pick<
  Settings,
  'signer' | 'payTo' | 'minFramePrice' | 'maxPlatformFeeBps' | 'ledgers' | 'drawnCheckers' | 'now'
> & { readonly openings: Openings | undefined }

function refused(message: string): PictorError {
  return new PictorError('farm-refused', message, { details: { path: 'task.lease', reason: 'lease' } })
}

/**
 * Accepts a lease: verifies its ticket and countersigns it. A `render` task without a lease is accepted as it is by one's own farm; a farm that follows a ledger is paid by
 * leases alone.
 * @throws farm-refused or signature-invalid when the ticket does not hold or is for other work than the task
 */
export async function acceptLease(
  task: Task,
  { signer, payTo, minFramePrice, maxPlatformFeeBps, ledgers, drawnCheckers, openings, now }: LeaseSettings,
): Promise<Signature | undefined> {
  const ticket = task.lease
  if (task.purpose !== 'render') return undefined
  if (!ticket && openings) throw refused('this farm is paid from a ledger: a render needs a lease')
  if (!ticket) return undefined
  if (!signer) throw refused('this farm has no key and takes no leases')
  const { domain, terms } = ticket
  const known =
    ledgers?.some((one) => one.chainId === domain.chainId && one.verifyingContract === domain.verifyingContract) ?? true
  if (!known) throw refused(`this farm takes no leases of ledger ${domain.verifyingContract} on chain ${domain.chainId}`)
  if (terms.registryDraw > 0 && !drawnCheckers && !openings)
    throw refused('this farm follows no ledger and cannot tell which checkers the registry drew')
  requireTaskOfLease(task, ticket, {
    payTo: payTo ?? signer.address,
    ...(minFramePrice === undefined ? {} : { minFramePrice }),
    ...(maxPlatformFeeBps === undefined ? {} : { maxPlatformFeeBps }),
  })
  await openings?.require(ticket, ticket.set.seq === 0 ? ticket.set.setRoot : undefined)
  const asked = terms.registryDraw > 0 && drawnCheckers ? await drawnCheckers(ticket) : undefined
  const checkers = asked ?? (await openings?.committee(ticket)) ?? terms.checkers
  verifyLeaseTicket(ticket, signer.address, now(), checkers, await openings?.leaseKey(ticket))
  return await signLeaseAccept(signer, domain, ticket.job, ticket.set.seq, ticket.lease)
}

function committed(outputs: readonly Output[]): FrameOutput[] {
  return outputs.map(({ frame, part, hash, completedAtMs }) => ({ frame, part, outputHash: hash, completedAtMs }))
}

/** The signer may be another process that is just starting again: finished frames must not be lost for that. */
async function persistently<T>(sign: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await sign()
    } catch (error) {
      if (tries === 5) throw error
      await sleep(200 * 2 ** tries)
    }
}

/** Signs and journals a commitment to all outputs that have none yet. Does nothing without a lease. */
export async function commitOutputs(
  store: TaskStore,
  row: TaskRow,
  signer: DigestSigner | undefined,
  now: () => number,
): Promise<void> {
  const ticket = row.task.lease
  if (!ticket || !signer || row.task.purpose !== 'render') return
  const outputs = store.outputs(row.ref.ref, 'uncommitted')
  if (outputs.length === 0) return
  const index = store.commitCount(row.ref.ref)
  const { job, lease, domain } = ticket
  const message = { job, lease: lease.id, index, outputs: committed(outputs) }
  const commit = await persistently(() => signCommit(signer, domain, message))
  store.atomically(() => store.addCommit(row.ref, commit, now()))
}

/** Root of the outputs a canceled task had, with the farm's signature. */
export interface SignedEnd {
  readonly outputRoot: Bytes32
  readonly signature: Signature
}

/** The farm's word on what it had done when its lease was canceled. */
export async function signEnd(store: TaskStore, row: TaskRow, signer: DigestSigner | undefined): Promise<SignedEnd | undefined> {
  const ticket = row.task.lease
  if (!ticket || !signer) return undefined
  const root = outputRoot(committed(store.outputs(row.ref.ref, 'pictures')))
  const message = { job: ticket.job, lease: ticket.lease.id, outputRoot: root }
  return { outputRoot: root, signature: await persistently(() => signCanceled(signer, ticket.domain, message)) }
}

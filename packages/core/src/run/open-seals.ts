import { randomBytes } from 'node:crypto'
import { storeStream, streamOf } from '../contract/artifacts.ts'
import { isPictorError } from '../contract/error.ts'
import type { Address, Bytes32 } from '../contract/messages.ts'
import type { TaskStreamState } from '../job/task-state.ts'
import { readKeys, requestKeys, unseal } from '../sealing/index.ts'
import { backoffMs, limitedCall, pause } from './effort.ts'
import type { JobHost } from './job-host.ts'

/** How long a request for keys is good for. */
const REQUEST_S = 600
/** Rounds without a word to the user: a checker's ledger may be some blocks behind ours. */
const QUIET_ROUNDS = 4

/**
 * Opens the sealed files of a lease: waits until the ledger has its batch, then asks one checker after another for the keys, those that signed the batch first. A key
 * that does not open its file is told and the next checker is asked; nothing is given up while the job lives. Returns false when the lease was never attested, so
 * that no key is due.
 */
export async function openSeals(
  host: JobHost,
  task: number,
  state: TaskStreamState,
  hashes: readonly Bytes32[],
  signal: AbortSignal,
): Promise<boolean> {
  const { artifacts } = host.shared.options
  const { clock, tuning } = host.shared
  const sealed = new Map(state.sealed?.map(({ outputHash, sealedHash }) => [outputHash, sealedHash]))
  const closed = new Set<Bytes32>()
  for (const hash of hashes) if (sealed.has(hash) && !(await artifacts.has(hash).catch(() => false))) closed.add(hash)
  let told = false
  const tell = async (reason: string | null): Promise<void> => {
    if (reason === null && !told) return
    told = reason !== null
    await host.job.send({ type: 'blocked', reason }).catch(() => {})
  }
  for (let round = 0; closed.size > 0 && !signal.aborted;) {
    const { phase } = host.row(task)
    if (phase === 'kept' || phase === 'gone') return false
    // `attested` is final; until then a batch may still be broken up.
    if (phase !== 'attested') {
      await pause(clock, Math.min(tuning.pollMaxMs, 1_000), signal)
      continue
    }
    const why: string[] = []
    for (const checker of inOrder(host, task)) {
      if (closed.size === 0 || signal.aborted) break
      const reason = await openBy(host, task, checker, sealed, closed, signal)
      if (reason === undefined) continue
      why.push(`${checker}: ${reason.message}`)
      if (reason.wrong) await tell(`${why.at(-1)}; another checker is asked`)
    }
    if (closed.size === 0 || signal.aborted) break
    if (round >= QUIET_ROUNDS)
      await tell(
        `${closed.size} frames of lease ${task} are paid and cannot be opened yet: ${why.join('; ') || 'no checker is configured here'}`,
      )
    await pause(clock, backoffMs(`keys ${task}`, round++, tuning), signal)
  }
  if (!signal.aborted) await tell(null)
  return true
}

/** Checkers that signed the lease's batch first: the others serve no key of it. */
function inOrder(host: JobHost, task: number): readonly Address[] {
  const signers = host.job.state.batches.findLast(({ leases }) => leases.includes(task))?.signatures
  const all = [...host.checkers.values()].map(({ checker }) => checker.address)
  return [...all.filter((one) => signers?.has(one)), ...all.filter((one) => !signers?.has(one))]
}

/** Opens what one checker's keys open. Returns why something is still closed. */
async function openBy(
  host: JobHost,
  task: number,
  address: Address,
  sealed: ReadonlyMap<Bytes32, Bytes32>,
  closed: Set<Bytes32>,
  signal: AbortSignal,
): Promise<{ readonly message: string; readonly wrong?: true } | undefined> {
  const { shared } = host
  const { artifacts, ledger, leaseSigner } = shared.options
  const { sealing } = host.checkers.get(address)!.checker
  if (!sealing) return { message: 'it serves no keys' }
  const secret = randomBytes(32)
  let keys: ReadonlyMap<Bytes32, Uint8Array>
  try {
    const validUntilS = Math.ceil(shared.clock.now() / 1000) + REQUEST_S
    const request = await limitedCall(shared.clock, shared.tuning.callMs, signal, () =>
      requestKeys(leaseSigner, ledger.domain, { job: host.jobId(), lease: task, validUntilS }, secret),
    )
    const key = `${host.key(`task:${host.run}:${task}`, 'keys')} ${address}`
    const answer = await limitedCall(shared.clock, shared.tuning.callMs, signal, (limited) =>
      sealing.keys(request, { key, signal: limited }),
    )
    keys = readKeys(request, answer, secret)
  } catch (error) {
    return { message: messageOf(error) }
  }
  for (const hash of closed) {
    const key = keys.get(hash)
    if (!key) continue
    try {
      await storeStream(artifacts, unseal(streamOf(artifacts, sealed.get(hash)!), key, hash))
    } catch (error) {
      const wrong = isPictorError(error, 'signature-invalid')
      return { message: `its key of ${hash}: ${messageOf(error)}`, ...(wrong ? { wrong } : {}) }
    }
    closed.delete(hash)
  }
  return closed.size > 0 ? { message: `it gave no key for ${closed.size} accepted frames` } : undefined
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

import type { Address } from '../contract/messages.ts'
import { pause } from './effort.ts'
import type { JobHost } from './job-host.ts'

/** How often a process whose leaseKey was replaced looks whether it was given the new one. */
const LOOK_MS = 1_000

/**
 * Waits until this process holds the leaseKey that is in force by the ledger. Somebody may replace it while the job runs here: from then on nothing is signed with the
 * old one, which says so, and the job goes on as soon as `leaseSigner` signs with the new one (it may be a signer that follows a key file).
 */
export async function keyInForce(host: JobHost, signal: AbortSignal): Promise<void> {
  const { clock, options } = host.shared
  let told = false
  for (let other = replacedBy(host); other && !signal.aborted; other = replacedBy(host)) {
    if (!told)
      await host.job
        .send({
          type: 'blocked',
          reason: `the leaseKey was replaced by ${other}; this process holds ${options.leaseSigner.address} and signs no more leases: give it the new key, or end it and attach with the new key`,
        })
        .catch(() => {})
    told = true
    await pause(clock, LOOK_MS, signal)
  }
  if (told && !signal.aborted) await host.job.send({ type: 'blocked', reason: null }).catch(() => {})
}

/** The key in force, where it is not this process's. */
function replacedBy({ job, shared }: JobHost): Address | undefined {
  const key = job.state.ledgerEvents.findLast(({ type }) => type === 'lease-key-replaced')?.['leaseKey'] as Address | undefined
  return key === shared.options.leaseSigner.address ? undefined : key
}

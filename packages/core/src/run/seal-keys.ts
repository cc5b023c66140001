import type { Checker } from '../contract/checker.ts'
import type { LedgerDomain } from '../contract/messages.ts'
import type { SealKey } from '../contract/sealing.ts'
import { sealKeyDigest } from '../proof/digests.ts'
import { isSignedBy } from '../proof/signature.ts'

/** How long a checker may take to say its key; one that is down is not sealed to, and cannot hold what is sealed. */
const ANSWER_MS = 10_000

/**
 * The keys that farms may seal a job's outputs to, each signed by its checker. Asked once, when the job is ordered: a task that is handed over again must say the same.
 * On a ledger without custody nothing is sealed.
 */
export async function sealKeysOf(checkers: readonly Checker[], domain: LedgerDomain): Promise<readonly SealKey[]> {
  if (domain.chainId === 0) return []
  const signal = AbortSignal.timeout(ANSWER_MS)
  const found = await Promise.all(
    checkers.map(async ({ address, sealing }) => {
      const key = await sealing?.key(domain, { key: `seal-key ${address}`, signal }).catch(() => undefined)
      return key?.checker === address && isSignedBy(sealKeyDigest(domain, key.publicKey), key.signature, address)
        ? key
        : undefined
    }),
  )
  return found.filter((key) => key !== undefined)
}

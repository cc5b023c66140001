import type { CanceledLease, CheckerJob } from '@pictor/core/contract'
import { canceledDigest, recoverAddress, ZERO_HASH } from '@pictor/core/proof'
import type { JobState } from './state.ts'

/**
 * Takes farms at their signed word that they gave leases up: from now on such a lease costs nothing and nothing of it is held. Leases that this checker has
 * held something of, and words that are not the farm's, change nothing; neither does the word of a farm that has done frames, for it commits to them by the same word: whoever
 * shows the word first could else keep them from being held.
 */
export function noteCanceled(state: JobState, job: CheckerJob, canceled: readonly CanceledLease[]): void {
  for (const word of canceled) {
    const known = state.leases[word.lease]
    if (!known || known.canceled || known.attested || state.commits[word.lease] || word.job !== job.job) continue
    if (word.outputRoot !== ZERO_HASH) continue
    if (signerOf(job, word) === known.lease.farm) state.leases[word.lease] = { ...known, canceled: true }
  }
}

function signerOf(job: CheckerJob, word: CanceledLease): string | undefined {
  try {
    return recoverAddress(canceledDigest(job.domain, word), word.signature)
  } catch {
    return undefined
  }
}

import { isPictorError } from '@pictor/core/contract'
import { compose, type StateOptions } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'

/**
 * `pictor rotate-lease-key`: makes a new lease key and tells the ledger, by the creator's key, that it replaces the old one in every open job. Can be repeated: a job that
 * the ledger did not take it for this time gets the next one. Exit code 6 when there is such a job.
 */
export async function rotateLeaseKey(options: StateOptions, context: CommandContext): Promise<number> {
  const { pictor, keys, close } = await compose({ ...options, rotateLeaseKey: true })
  const leaseKey = keys.signer('lease').address
  let failed = 0
  try {
    context.screen.log(`  the lease key is now ${leaseKey}`)
    for await (const { run, name, phase } of pictor.jobs()) {
      if (phase === 'ended') continue
      try {
        await pictor.replaceLeaseKey(run)
        context.emit({ type: 'lease-key-replaced', run, leaseKey })
        context.screen.log(
          `  replaced in ${name} (${run}); a process of this folder that runs it signs with the new key from now on`,
        )
      } catch (error) {
        if (!isPictorError(error)) throw error
        failed++
        context.emit({ type: 'lease-key-kept', run, code: error.code, message: error.message })
        context.screen.log(`  not replaced in ${name} (${run}): ${error.message}`)
      }
    }
    if (failed > 0)
      context.screen.log('  run the command again when the cause has passed: until then farms refuse new leases of these')
    return failed === 0 ? EXIT.ok : EXIT.ledger
  } finally {
    await close()
  }
}

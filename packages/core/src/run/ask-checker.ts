import type { CheckerAction } from '../contract/checker.ts'
import type { Address } from '../contract/messages.ts'
import { effort, pause, tryUntilDone } from './effort.ts'
import type { JobHost } from './job-host.ts'

/** What a checker is asked, without the job that it is about. */
export type CheckerRequest = CheckerAction extends infer A
  ? A extends { readonly job: unknown }
    ? Omit<A, 'job'>
    : never
  : never

/** Asks a checker and asks again, with the same key, until its answer ended the command. A refusal is told to the stream that asked. */
export async function askChecker(
  host: JobHost,
  stream: string,
  command: { readonly id: string; readonly checker: Address },
  signal: AbortSignal,
  request: CheckerRequest,
  refused: (reason: string) => Promise<void>,
): Promise<void> {
  const loop = host.checkers.get(command.checker)
  if (!loop) return
  const { clock, tuning } = host.shared
  await loop.during(async () => {
    for (let round = 0; !signal.aborted; round++) {
      const error = await tryUntilDone(effort(host, stream, command.id, signal), async (ctx) => {
        await loop.checker.send({ job: host.checkerJob(), ...request } as CheckerAction, ctx)
        loop.expect()
      })
      if (error !== undefined) return refused(error instanceof Error ? error.message : String(error))
      await pause(clock, tuning.resendMs * 2 ** Math.min(round, 6), signal)
    }
  })
}

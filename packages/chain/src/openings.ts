import { type Address, type Bytes32, type CallContext, type Terms } from '@pictor/core/contract'
import { logReader } from './logs.ts'
import { httpRpc } from './rpc.ts'
import { escrowAbi, readTerms } from './wire.ts'

/** A job as it was opened on the chain. */
export interface OpenedJob {
  readonly job: Bytes32
  readonly terms: Terms
  /** Root of lease set 0. */
  readonly setRoot: Bytes32
  readonly atMs: number
}

/** Options of {@link jobOpenings}. */
export interface JobOpeningsOptions {
  readonly rpcUrl: string | readonly string[]
  readonly escrow: Address
  /** First block that is looked at. */
  readonly fromBlock?: number
  /** Blocks above an opening before it counts. Default 12. */
  readonly confirmations?: number
}

/** Every job that is opened on an escrow, in order: how a checker learns which jobs name it without being told by their runners. */
export interface JobOpenings {
  /** What was opened since the last call. @throws ledger-unreachable; the next call goes on where this one stopped */
  next(ctx: CallContext): Promise<readonly OpenedJob[]>
}

const OPENED = escrowAbi.getEvent('JobOpened')!.topicHash

/** Follows the openings of an escrow; only final blocks are read, so nothing is taken back. */
export function jobOpenings(options: JobOpeningsOptions): JobOpenings {
  const rpc = httpRpc([options.rpcUrl].flat())
  const source = logReader(rpc, options.escrow)
  let next = options.fromBlock ?? 0
  return {
    async next({ signal }) {
      const final = Number(await rpc.call<string>('eth_blockNumber', [], signal)) - (options.confirmations ?? 12)
      if (final < next) return []
      const logs = await source.read([OPENED], next, final, signal)
      next = final + 1
      return logs.map((log) => {
        const { args } = escrowAbi.parseLog({ topics: [...log.topics], data: log.data })!
        return {
          job: args['job'] as Bytes32,
          terms: readTerms(args['terms'] as string),
          setRoot: args['setRoot'] as Bytes32,
          atMs: log.atMs,
        }
      })
    },
  }
}

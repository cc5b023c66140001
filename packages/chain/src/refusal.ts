import type { LedgerRefusal } from '@pictor/core/contract'
import { PictorError } from '@pictor/core/contract'
import { Interface, dataSlice } from 'ethers'
import { contracts } from './abi.ts'
import type { RpcFault } from './rpc.ts'

const errors = new Interface([
  ...contracts.PictorEscrow.abi.filter((item) => item['type'] === 'error'),
  ...contracts.CheckerRegistry.abi.filter((item) => item['type'] === 'error'),
  ...contracts.DevUsd.abi.filter((item) => item['type'] === 'error'),
  'error Error(string)',
  'error Panic(uint256)',
] as never)

/** What a custom error of the escrow means in the words that all ledgers share. */
const REASONS: Readonly<Record<string, LedgerRefusal>> = {
  UnknownJob: 'terms-mismatch',
  BadTerms: 'terms',
  TokenRefused: 'terms',
  BadSignature: 'signature',
  SignerOrder: 'signature',
  MalformedRows: 'signature',
  QuorumMissing: 'quorum',
  NotALeaseSet: 'lease-set',
  BadProof: 'lease-set',
  BadLease: 'lease',
  MalformedBatch: 'lease',
  AlreadySettled: 'settled',
  OverFrameCap: 'frame-cap',
  OverFarmBudget: 'farm-budget',
  OverCheckBudget: 'check-budget',
  TooEarly: 'too-early',
  NothingToRelease: 'too-early',
  TooLate: 'too-late',
  JobStopped: 'closed',
  AlreadyDone: 'done',
  AlreadyOpen: 'done',
  AlreadyReady: 'done',
  AlreadyToppedUp: 'done',
  NotPinned: 'unknown-batch',
  NoSuchObjection: 'unknown-batch',
  KeepTooSmall: 'keep',
  KeepTooLarge: 'keep',
  TransferShort: 'funding',
  ERC20InsufficientBalance: 'funding',
  ERC20InsufficientAllowance: 'funding',
  SafeERC20FailedOperation: 'funding',
  NotAllowed: 'not-allowed',
}

function revertData(fault: RpcFault): string | undefined {
  const data = fault.data as string | { data?: string } | undefined
  const hex = typeof data === 'string' ? data : data?.data
  return hex !== undefined && /^0x[0-9a-f]{8,}$/i.test(hex) ? hex : undefined
}

/** A `ledger-refused` error: `details.reason` in the words of all ledgers where one fits, `details.error` the contract's own name with its arguments. */
export function refusalOf(fault: RpcFault, reason?: string): PictorError {
  const data = revertData(fault)
  const parsed = data ? errors.parseError(data) : null
  const name = parsed ? `${parsed.name}(${parsed.args.map(String).join(', ')})` : data ? dataSlice(data, 0, 4) : undefined
  const known = parsed ? REASONS[parsed.name] : undefined
  return new PictorError('ledger-refused', `the chain refused: ${name ?? fault.message}`, {
    details: {
      reason: reason ?? known ?? 'reverted',
      ...(name ? { error: name } : {}),
      ...(parsed?.name === 'BadTerms' ? { path: `terms.${parsed.args[0]}` } : {}),
    },
  })
}

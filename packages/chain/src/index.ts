export { type ContractArtifact, contracts, escrowLayout } from './abi.ts'
export { type DevAccount, type DevChain, devAccounts, startAnvil } from './anvil.ts'
export { type DeployOptions, type Deployment, deploy } from './deploy.ts'
export {
  type FundingTransactions,
  type SignedFunding,
  type SigningRequest,
  type WalletOptions,
  fundWith,
  signFunding,
} from './funding.ts'
export { type EvmLedger, type EvmLedgerOptions, evmLedger } from './ledger.ts'
export { type JobOpenings, type JobOpeningsOptions, jobOpenings, type OpenedJob } from './openings.ts'
export type { EvmProvider } from './rpc.ts'
export { GAS_CAP, type EvmSigner, type EvmTransaction } from './sender.ts'

export { farmProtocolDocument, OPERATIONS, PROTOCOL, SCOPES, type Operation, type Scope } from './document.ts'
export {
  farmHttp,
  pathOf,
  type FarmAnswer,
  type FarmHttp,
  type FarmHttpOptions,
  type FarmRequest,
  type FetchLike,
} from './farm-http.ts'
export { retryAfter } from './http-errors.ts'
export { outputCap, remoteFarm, type RemoteFarmOptions } from './remote-farm.ts'
export { sealedFarm, type SealedFarmOptions } from './sealed-farm.ts'
export { serveFarm, type FarmServer, type ServeFarmOptions } from './serve-farm.ts'
export type { FarmToken, RateLimit } from './server/access.ts'
export type { HintTarget } from './server/hints.ts'
export type { Owners } from './server/owners.ts'
export type { JsonSchema, Schema } from './schema.ts'
export { signedFarm, type LeaseBook, type SignedFarmOptions } from './signed-farm.ts'
export { snapshotLog, type SnapshotLog, type TaskSnapshot } from './snapshot-log.ts'
export { unleasedBudget, type UnleasedBudgetOptions } from './unleased-budget.ts'
export { readHint, signHint, SIGNATURE_HEADER } from './webhook.ts'

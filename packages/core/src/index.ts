export * from './contract/index.ts'
export {
  deliverToFolder,
  folderArtifacts,
  frameFileName,
  memoryArtifacts,
  type Delivery,
  type DeliveryWatch,
} from './artifacts/index.ts'
export type { Cache } from './cache/index.ts'
export {
  ledgerRules,
  localLedger,
  type Book,
  type BookAction,
  type BookBatch,
  type BookFact,
  type BookJob,
  type LocalLedgerOptions,
} from './ledger/index.ts'
export type { PictorOptions } from './parts.ts'
export { createPictor, type Pictor, type SubmitOptions } from './pictor.ts'
export type { Plan, PlanPoint, PlanProgress, PlanRequest, PlanRoute, PlanSet, TileRequest } from './plan/index.ts'
export { parseDeadline, signedRates } from './plan/index.ts'
export * from './run/index.ts'
export {
  memoryStore,
  sqliteStore,
  type AppendOptions,
  type LoadedStream,
  type PostedInput,
  type SqliteStoreOptions,
  type Store,
  type StoredFact,
} from './store/index.ts'

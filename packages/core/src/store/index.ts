export { memoryStore } from './memory.ts'
export { sqliteStore, type SqliteStoreOptions } from './sqlite.ts'
export type { AppendOptions, Fence, LoadedStream, PostedInput, Store, StoredFact } from './types.ts'

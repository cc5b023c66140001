export { farmInfo } from './farm-info.ts'
export { memoryCache } from './memory-cache.ts'
export { memoOver, type Cache, type Memo, type MemoEntry } from './memo.ts'

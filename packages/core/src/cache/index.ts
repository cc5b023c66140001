export { farmInfo } from './farm-info.ts'
export { memoOver, type Cache, type Memo, type MemoEntry } from './memo.ts'

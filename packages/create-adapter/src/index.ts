export { createAdapter, CreateAdapterError, wordsOf, type NewAdapter } from './create-adapter.ts'

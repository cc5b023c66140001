export { createAdapter, CreateAdapterError, wordsOf, type NewAdapter, type Words } from './create-adapter.ts'

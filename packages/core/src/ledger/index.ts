export { localLedger, type LocalLedgerOptions } from './local.ts'

export type * from './types.ts'
export type { JobProofs, LeaseCase } from './proofs.ts'

import type { Ledger } from '../../contract/ledger.ts'
import type { Address, DigestSigner, Terms } from '../../contract/messages.ts'

/** A fresh ledger with its world, made for one case. */
export interface LedgerSubject {
  /** Acts as the creator: its sender owns the money that `open` and `top-up` take. */
  readonly ledger: Ledger
  /** The creator's key; its address is the sender of `ledger`. */
  readonly creator: DigestSigner
  /** What jobs are paid in; the creator has plenty of it and has given whatever allowance the ledger needs. */
  readonly token: Address
  /** The ledger's time, in Unix seconds. */
  nowS(): Promise<number>
  /** Moves the ledger's time on. */
  advance(seconds: number): Promise<void>
  /** Makes what was sent final, where that takes blocks; called before events are read. */
  settle?(): Promise<void>
  /** Fields that this ledger needs in terms, such as an arbiter. Times are left to the scenario. */
  readonly terms?: Partial<Terms>
  /** The same ledger with the arbiter's key as sender, where disputes are supported; its address is `terms.arbiter`. */
  readonly arbiter?: Ledger
  /** The same ledger with the key of `scenario.farms[0]` as sender, where claims are supported. */
  readonly farm?: Ledger
  close?(): Promise<void>
}

/** Makes a subject; `farmKeys` are the keys that the scenario's farms use, for ledgers that must fund them. */
export type MakeLedger = (keys: {
  readonly farms: readonly DigestSigner[]
  readonly checkers: readonly DigestSigner[]
}) => Promise<LedgerSubject>

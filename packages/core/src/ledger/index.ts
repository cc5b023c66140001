import { creditOf, emptyBook, evolve, moneyOf } from './book.ts'
import { eventsOfFact } from './events.ts'
import { decide } from './rules.ts'

export type { Book, BookAction, BookBatch, BookFact, BookJob } from './book.ts'
export { localLedger, type LocalLedgerOptions } from './local.ts'

/**
 * The rules and the arithmetic of the local book without its storage, for drivers of ledgers that can keep facts but run no contract of ours: `decide` says
 * what an action does (or refuses it), `evolve` applies it. Pure.
 */
export const ledgerRules: {
  readonly emptyBook: typeof emptyBook
  readonly decide: typeof decide
  readonly evolve: typeof evolve
  readonly moneyOf: typeof moneyOf
  readonly creditOf: typeof creditOf
  readonly eventsOfFact: typeof eventsOfFact
} = { emptyBook, decide, evolve, moneyOf, creditOf, eventsOfFact }

import { canonicalJson, decodeJournal, encodeJournal } from '../contract/codec.ts'
import { PictorError } from '../contract/error.ts'
import type { Ledger, LedgerAction } from '../contract/ledger.ts'
import type { Bytes32, DigestSigner, LedgerDomain } from '../contract/messages.ts'
import {
  ZERO_HASH,
  type LocalHead,
  entryDigest,
  hashTerms,
  isSignedBy,
  jobIdOf,
  localDomain,
  localHeadDigest,
  sha256Hex,
} from '../proof/index.ts'
import { type Book, type BookAction, type BookFact, creditOf, emptyBook, evolve, jobOf, moneyOf, refusing } from './book.ts'
import { eventsOfFact } from './events.ts'
import { type Journal, type JournalEntry, openJournal } from './journal.ts'
import { decide } from './rules.ts'

/** How to open a local ledger. */
export interface LocalLedgerOptions {
  /** The app's key: signs every entry; its address is the ledger's address. */
  readonly signer: DigestSigner
  /** A file that any number of processes may share, or `:memory:`. */
  readonly path: string
  /** Milliseconds since 1970; the wall clock when left out. */
  readonly clock?: { now(): number }
  /** The most that all running jobs together may hold, in the smallest unit; no limit when left out. */
  readonly limit?: bigint
}

/** Events that one poll brings at most. */
const PAGE = 500

/**
 * The app's own book: budgets and debts, signed and chained, settled outside; nobody else's money is held. It checks every signature and proof that an escrow
 * would check and pays by the same arithmetic; disputes, claims, bonds and slashing need an escrow.
 * `withdraw` records that a debt was paid outside. Polls of job 0x00..00 bring these records.
 * @example
 * const ledger = localLedger({ signer: privateKeySigner(randomPrivateKey()), path: ':memory:' })
 * @throws store-failed when the file cannot be opened; signature-invalid when it was changed or is another app's
 */
export function localLedger(options: LocalLedgerOptions): Ledger {
  const { signer, clock = Date } = options
  const domain = localDomain(signer.address)
  const journal = openJournal(options.path)
  const chain = openChain(journal, domain, options.limit)
  // One action at a time in this process; other processes are met by the entry number.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = last.then(run)
    last = turn.catch(() => undefined)
    return turn
  }
  const perform = (action: BookAction, key: string, signal: AbortSignal | undefined): Promise<void> =>
    inTurn(async () => {
      signal?.throwIfAborted()
      await record(chain, signer, action, key, clock)
    })
  return {
    contract: 1,
    supports: { custody: false, disputes: false, claims: false, bonds: false, slashing: false, approveEarly: true },
    domain,
    label: `local book of ${signer.address}, custody: none`,
    async open(terms, setRoot, { key, signal }) {
      await perform({ kind: 'open', terms, setRoot }, key, signal)
      return { job: jobIdOf(domain, terms.creator, terms.runId) }
    },
    send: (action: LedgerAction, { key, signal }) => perform(action, key, signal),
    async poll({ job, cursor }, { signal }) {
      signal?.throwIfAborted()
      const entries = journal.ofJob(job, readCursor(cursor), PAGE)
      return {
        events: entries.flatMap(({ seq, body }) =>
          decodeJournal<BookFact[]>(body).flatMap((fact, i) => eventsOfFact(fact, `${seq}.${i}`)),
        ),
        cursor: String(entries.at(-1)?.seq ?? readCursor(cursor)),
        waitMs: entries.length === PAGE ? 0 : 200,
      }
    },
    async money(job, { signal }) {
      signal?.throwIfAborted()
      chain.catchUp()
      return moneyOf(chain.book, job)
    },
    async credit(token, account, { signal }) {
      signal?.throwIfAborted()
      chain.catchUp()
      return creditOf(chain.book, token, account)
    },
    evidence: (job, { signal }) =>
      inTurn(async () => {
        signal?.throwIfAborted()
        chain.catchUp()
        const head = headOf(chain, job)
        return { kind: 'local', head, signature: await signer.signDigest(localHeadDigest(domain, head)) }
      }),
    async close() {
      await last
      journal.close()
    },
  }
}

/** The journal with the book that follows from it. */
interface Chain {
  readonly journal: Journal
  readonly domain: LedgerDomain
  readonly book: Book
  seq: number
  hash: Bytes32
  /** Takes in what other processes wrote. @throws signature-invalid when an entry does not follow from the one before */
  catchUp(): void
  /** Applies the next entry. */
  take(entry: Pick<JournalEntry, 'seq' | 'hash'>, facts: readonly BookFact[]): void
}

function hashEntry(previous: Bytes32, entry: Omit<JournalEntry, 'hash' | 'signature'>): Bytes32 {
  const { seq, job, key, content, body } = entry
  return sha256Hex(canonicalJson([previous, seq, job, key, content, body]))
}

function openChain(journal: Journal, domain: LedgerDomain, limit: bigint | undefined): Chain {
  const changed = (seq: number): PictorError =>
    new PictorError(
      'signature-invalid',
      `entry ${seq} of the book was changed, or is not signed by ${domain.verifyingContract}`,
      {
        details: {
          path: `entries[${seq}]`,
          hint: 'a book is opened by the key that began it: give that signer, or another data folder',
        },
      },
    )
  const chain: Chain = {
    journal,
    domain,
    book: emptyBook(domain, limit),
    seq: 0,
    hash: ZERO_HASH,
    catchUp() {
      let newest: JournalEntry | undefined
      for (const entry of journal.after(chain.seq)) {
        if (entry.seq !== chain.seq + 1 || hashEntry(chain.hash, entry) !== entry.hash) throw changed(entry.seq)
        chain.take(entry, decodeJournal<BookFact[]>(entry.body))
        newest = entry
      }
      // Each hash binds all entries before it, so the newest signature covers the whole book.
      if (newest && !isSignedBy(entryDigest(domain, newest.seq, newest.hash), newest.signature, domain.verifyingContract))
        throw changed(newest.seq)
    },
    take({ seq, hash }, facts) {
      for (const fact of facts) evolve(chain.book, fact)
      chain.seq = seq
      chain.hash = hash
    },
  }
  chain.catchUp()
  return chain
}

/** Decides, signs and appends; when another process was faster, decides again on what it wrote. */
async function record(
  chain: Chain,
  signer: DigestSigner,
  action: BookAction,
  key: string,
  clock: { now(): number },
): Promise<void> {
  const content = sha256Hex(canonicalJson(contentOf(action)))
  for (;;) {
    chain.catchUp()
    const known = chain.journal.byKey(key)
    if (known) {
      if (known.content === content) return
      throw new PictorError('conflict', `key ${key} was used for another action`, { details: { path: 'ctx.key' } })
    }
    const facts = decide(chain.book, action, clock.now())
    if (facts.length === 0) return
    const line = { seq: chain.seq + 1, job: facts[0]!.job, key, content, body: encodeJournal(facts) }
    const hash = hashEntry(chain.hash, line)
    const signature = await signer.signDigest(entryDigest(chain.domain, line.seq, hash))
    if (chain.journal.append({ ...line, hash, signature })) {
      chain.take({ seq: line.seq, hash }, facts)
      return
    }
  }
}

/** What makes two actions the same: a batch by its hash, terms by theirs; signatures by others of the same quorum change nothing. */
function contentOf(action: BookAction): unknown {
  if (action.kind === 'open') return { ...action, terms: refusing('terms', () => hashTerms(action.terms)) }
  if (action.kind === 'withdraw') return action
  const base = { kind: action.kind, terms: refusing('terms', () => hashTerms(action.terms)) }
  switch (action.kind) {
    case 'attest':
      return { ...base, batchHash: action.batch.batchHash }
    case 'ready':
    case 'refund':
    case 'cancel':
      return base
    case 'final':
      return { ...base, keep: action.keep }
    case 'lease-key':
      return { ...base, leaseKey: action.leaseKey }
    case 'approve':
    case 'release':
      return { ...base, batch: action.batch }
    case 'dispute':
    case 'resolve':
    case 'claim':
    case 'top-up':
      return { ...action, terms: base.terms }
  }
}

function readCursor(cursor: string | undefined): number {
  const seq = Number(cursor ?? 0)
  if (!Number.isSafeInteger(seq) || seq < 0)
    throw new PictorError('invalid-input', 'cursor: expected what an earlier poll gave', { details: { path: 'cursor' } })
  return seq
}

function headOf({ book, seq, hash }: Chain, id: Bytes32): LocalHead {
  const { terms, setRoot } = jobOf(book, id)
  const { deposited, locked, pending, released, refunded, head } = moneyOf(book, id)
  return {
    job: id,
    terms: hashTerms(terms),
    setRoot,
    head,
    deposited,
    locked,
    pending,
    released,
    refunded,
    entry: seq,
    entryHash: hash,
  }
}

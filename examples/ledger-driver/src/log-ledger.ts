import { ledgerRules, type Book, type BookAction, type BookFact } from '@pictor/core'
import {
  PictorError,
  decodeJournal,
  encodeJournal,
  type Bytes32,
  type DigestSigner,
  type Ledger,
  type LedgerDomain,
  type LedgerEvent,
} from '@pictor/core/contract'
import { hashTerms, jobIdOf, localDomain, localHeadDigest, recoverAddress, sha256Hex, type LocalHead } from '@pictor/core/proof'
import type { LogChain, LogEntry } from './log-chain.ts'

interface SignedEntry {
  readonly key: string
  readonly action: BookAction
  readonly signature: `0x${string}`
}

/** What the log says so far. */
interface Replay {
  readonly book: Book
  readonly events: LedgerEvent[]
  /** Keys whose action took effect. */
  readonly done: Set<string>
  /** Why the latest entry of a key was refused; it may be sent again, when the time has come or the money is there. */
  readonly refused: Map<string, unknown>
  position: number
  hash: Bytes32
}

/** The words that an entry is signed for: this book, this key, this action, so that an entry cannot be taken to another log. */
function digestOf(domain: LedgerDomain, key: string, action: BookAction): Bytes32 {
  return sha256Hex(`pictor log ${domain.verifyingContract} ${key} ${encodeJournal(action)}`)
}

/** A book over any log that orders bytes. `signer` writes and signs; whoever reads knows its address. */
export function logLedger({ chain, signer }: { readonly chain: LogChain; readonly signer: DigestSigner }): Ledger {
  const domain = localDomain(signer.address)
  const replay: Replay = {
    book: ledgerRules.emptyBook(domain),
    events: [],
    done: new Set(),
    refused: new Map(),
    position: 0,
    hash: `0x${'0'.repeat(64)}`,
  }
  const catchUp = async (): Promise<Replay> => {
    // Two calls may read at once: each entry is taken once, by its position.
    for (const entry of await chain.read(replay.position + 1))
      if (entry.position === replay.position + 1) take(replay, domain, entry)
    return replay
  }
  const perform = async (action: BookAction, key: string, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted()
    // Found again after a crash between sending and reading: what took effect is not sent again.
    if ((await catchUp()).done.has(key)) return
    await chain.append(encodeJournal({ key, action, signature: await signer.signDigest(digestOf(domain, key, action)) }))
    if ((await catchUp()).done.has(key)) return
    throw (
      replay.refused.get(key) ?? new PictorError('ledger-unreachable', 'the log has not taken the entry; repeat it with its key')
    )
  }
  return {
    contract: 1,
    supports: { custody: false, disputes: false, claims: false, bonds: false, slashing: false, approveEarly: true },
    domain,
    label: `log of ${signer.address}, custody: none`,
    async open(terms, setRoot, { key, signal }) {
      await perform({ kind: 'open', terms, setRoot }, key, signal)
      return { job: jobIdOf(domain, terms.creator, terms.runId) }
    },
    send: (action, { key, signal }) => perform(action, key, signal),
    async poll({ job, cursor }) {
      const { events } = await catchUp()
      const from = Number(cursor ?? 0)
      return { events: events.slice(from).filter((event) => event.job === job), cursor: String(events.length), waitMs: 200 }
    },
    money: async (job) => ledgerRules.moneyOf((await catchUp()).book, job),
    credit: async (token, account) => ledgerRules.creditOf((await catchUp()).book, token, account),
    async evidence(job) {
      const head = headOf(await catchUp(), job)
      return { kind: 'local', head, signature: await signer.signDigest(localHeadDigest(domain, head)) }
    },
  }
}

/** Takes one entry. What is not signed by this book's key, or repeats a key, is no entry of this book: anybody may write to the log. */
function take(replay: Replay, domain: LedgerDomain, { position, atMs, text }: LogEntry): void {
  replay.position = position
  const entry = readEntry(domain, text)
  if (!entry || replay.done.has(entry.key)) return
  replay.hash = sha256Hex(`${replay.hash} ${text}`)
  let facts: readonly BookFact[]
  try {
    facts = ledgerRules.decide(replay.book, entry.action, atMs)
  } catch (error) {
    replay.refused.set(entry.key, error)
    return
  }
  replay.done.add(entry.key)
  for (const [i, fact] of facts.entries()) {
    ledgerRules.evolve(replay.book, fact)
    replay.events.push(...ledgerRules.eventsOfFact(fact, `${position}.${i}`))
  }
}

function readEntry(domain: LedgerDomain, text: string): SignedEntry | undefined {
  try {
    const { key, action, signature } = decodeJournal<SignedEntry>(text)
    const signed = recoverAddress(digestOf(domain, key, action), signature, 'signature') === domain.verifyingContract
    return signed ? { key, action, signature } : undefined
  } catch {
    return undefined
  }
}

function headOf({ book, position, hash }: Replay, job: Bytes32): LocalHead {
  const known = book.jobs.get(job)
  if (!known)
    throw new PictorError('ledger-refused', `unknown-job: this log has no job ${job}`, { details: { reason: 'unknown-job' } })
  const { deposited, locked, pending, released, refunded, head } = ledgerRules.moneyOf(book, job)
  const money = { deposited, locked, pending, released, refunded }
  return { job, terms: hashTerms(known.terms), setRoot: known.setRoot, head, ...money, entry: position, entryHash: hash }
}

import { DatabaseSync } from 'node:sqlite'
import { PictorError, type DigestSigner, type LedgerDomain } from '@pictor/core/contract'
import { digestOf, type CheckerMessage, type MessageSigner } from './messages.ts'

/** What a signer refuses to contradict. */
export interface GuardOptions {
  readonly signer: DigestSigner
  /** File of what was promised. Losing it is losing the protection: keep it with the key. */
  readonly log: string
  /** The only ledgers it signs for; left out, any. */
  readonly domains?: readonly Pick<LedgerDomain, 'chainId' | 'verifyingContract'>[]
}

/** A message signer that remembers. */
export interface GuardedSigner extends MessageSigner {
  close(): void
}

/** What a message promises once and for all: `word` under `subject`. */
interface Promised {
  readonly subject: string
  readonly word: string
}

/**
 * Signs a checker's messages, and never two that contradict each other, whatever asks and however often this process dies:
 * - two votes of different verdicts, both checked, on one (job, lease, frame, part, outputHash): the equivocation of PROTOCOL.md, step 6, which costs the stake;
 * - two Ready for one set of a job with different roots: its seeds would no longer be fixed before the farm's commitment.
 *
 * The promise is on disk (SQLite, synchronous full) before the signature exists.
 * @throws store-failed when the log cannot be opened
 */
export function guardedSigner({ signer, log, domains }: GuardOptions): GuardedSigner {
  const db = open(log)
  const find = db.prepare('select word from promised where subject = ?')
  const insert = db.prepare('insert into promised values (?, ?)')

  function promise(all: readonly Promised[]): void {
    db.exec('begin immediate')
    try {
      for (const { subject, word } of all) {
        const known = find.get(subject) as { word: string } | undefined
        if (known === undefined) insert.run(subject, word)
        else if (known.word !== word) throw contradiction(subject, known.word, word)
      }
      db.exec('commit')
    } catch (cause) {
      db.exec('rollback')
      if ((cause as { '~pictor'?: string })['~pictor']) throw cause
      throw new PictorError('store-failed', `the signer's log cannot be written: ${(cause as Error).message}`, { cause })
    }
  }

  return {
    address: signer.address,
    async sign(domain, messages) {
      if (domains && !domains.some((one) => one.chainId === domain.chainId && one.verifyingContract === domain.verifyingContract))
        throw refuse('domain', `this signer does not sign for ${domain.verifyingContract} on chain ${domain.chainId}`)
      // Digests first: they refuse malformed messages before anything is promised.
      const digests = messages.map((one) => digestOf(domain, one))
      promise(messages.flatMap((one) => promisedBy(domain, one)))
      return Promise.all(digests.map((digest) => signer.signDigest(digest)))
    },
    close: () => db.close(),
  }
}

function promisedBy(domain: LedgerDomain, { kind, message }: CheckerMessage): Promised[] {
  if (kind === 'seal-key') return []
  const about = `${domain.chainId} ${domain.verifyingContract} ${message.job}`
  if (kind === 'vote' && message.checked) {
    const { lease, frame, part, outputHash, verdict } = message
    return [{ subject: `vote ${about} ${lease} ${frame} ${part} ${outputHash}`, word: verdict }]
  }
  if (kind === 'ready') {
    const { seq, setRoot, bundleRoot, seedRoot } = message
    return [{ subject: `ready ${about} ${seq}`, word: `${setRoot} ${bundleRoot} ${seedRoot}` }]
  }
  return []
}

function contradiction(subject: string, before: string, now: string): PictorError {
  return refuse('equivocation', `${subject}: ${before} was signed before, ${now} would contradict it`)
}

function refuse(reason: string, message: string): PictorError {
  return new PictorError('checker-refused', message, { details: { reason } })
}

function open(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path)
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    db.exec('create table if not exists promised (subject text primary key, word text not null) strict, without rowid')
    return db
  } catch (cause) {
    throw new PictorError('store-failed', `the signer's log ${path} cannot be opened: ${(cause as Error).message}`, {
      details: { path },
      cause,
    })
  }
}

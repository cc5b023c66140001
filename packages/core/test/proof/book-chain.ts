import { namedSigner, type MakeLedger } from '../../src/conformance/index.ts'
import type { Ledger } from '../../src/contract/index.ts'
import { type BookAction, type BookFact, creditOf, emptyBook, evolve, moneyOf } from '../../src/ledger/book.ts'
import { eventsOfFact } from '../../src/ledger/events.ts'
import { decide } from '../../src/ledger/rules.ts'
import {
  ZERO_ADDRESS,
  escrowCommitment,
  escrowJobSlots,
  fromHex,
  hashTerms,
  headerRlp,
  jobIdOf,
  keccak256,
  sha256Hex,
  toHex,
} from '../../src/proof/index.ts'
import { encodeRlp } from '../../src/proof/rlp.ts'
import { trieOf } from './trie.ts'

const ESCROW = `0x${'e5'.repeat(20)}` as const
const trim = (hex: string): Uint8Array => {
  const digits = hex.slice(2).replace(/^(00)+/, '')
  return fromHex(`0x${digits}`)
}

/** The book's arithmetic behind an escrow's face: evidence is a block header with account and storage proofs, of tries built here. */
export const bookChain: MakeLedger = async () => {
  let nowMs = 1_800_000_000_000
  const domain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: ESCROW } as const
  const book = emptyBook(domain)
  const facts: BookFact[] = []
  const apply = (action: BookAction): void => {
    for (const fact of decide(book, action, nowMs)) {
      evolve(book, fact)
      facts.push(fact)
    }
  }
  const ledger: Ledger = {
    contract: 1,
    supports: { custody: true, disputes: false, claims: false, bonds: false, slashing: false, approveEarly: true },
    domain,
    label: 'a book that looks like an escrow',
    async open(terms, setRoot) {
      apply({ kind: 'open', terms, setRoot })
      return { job: jobIdOf(domain, terms.creator, terms.runId) }
    },
    async send(action) {
      if (action.kind !== 'lease-key') return apply(action)
      // The sender is the creator, whose made-up address has no key.
      const { signature: _signature, ...own } = action
      apply(own)
    },
    async poll({ job, cursor }) {
      const from = Number(cursor ?? 0)
      const events = facts.slice(from).flatMap((fact, i) => eventsOfFact(fact, String(from + i)))
      return { events: events.filter((event) => event.job === job), cursor: String(facts.length), waitMs: 0 }
    },
    money: async (job) => moneyOf(book, job),
    credit: async (token, account) => creditOf(book, token, account),
    async evidence(job) {
      const { terms, setRoot, head, lockedFarm, lockedCheck } = book.jobs.get(job)!
      const packed = toHex(fromHex(`0x${((1n << 192n) | (lockedCheck << 96n) | lockedFarm).toString(16).padStart(64, '0')}`))
      const slots = escrowJobSlots(job)
      const values = [escrowCommitment(hashTerms(terms), setRoot, []), packed, head]
      const noise = Array.from(
        { length: 20 },
        (_, i) => [fromHex(sha256Hex(`slot ${i}`)), encodeRlp(Uint8Array.of(i + 1))] as const,
      )
      const storage = trieOf([...slots.map((slot, i) => [fromHex(slot), encodeRlp(trim(values[i]!))] as const), ...noise])
      const account = encodeRlp([Uint8Array.of(1), new Uint8Array(), fromHex(storage.root), fromHex(keccak256('0x6000'))])
      const others = Array.from(
        { length: 20 },
        (_, i) => [fromHex(sha256Hex(`account ${i}`).slice(0, 42) as '0x'), account] as const,
      )
      const state = trieOf([[fromHex(ESCROW), account], ...others])
      const header = headerRlp({ ...BLOCK, stateRoot: state.root })
      return {
        kind: 'evm',
        chainId: 31337,
        escrow: ESCROW,
        blockHash: keccak256(header),
        header,
        accountProof: state.proof(fromHex(ESCROW)),
        storageProof: slots.map((slot, i) => ({ slot, value: values[i]!, proof: storage.proof(fromHex(slot)) })),
      }
    },
  }
  return {
    ledger,
    creator: namedSigner('app'),
    token: ZERO_ADDRESS,
    terms: { creator: ESCROW },
    nowS: async () => nowMs / 1000,
    advance: async (seconds) => void (nowMs += seconds * 1000),
  }
}

const word = `0x${'ab'.repeat(32)}`
const BLOCK = {
  parentHash: word,
  sha3Uncles: word,
  miner: ESCROW,
  transactionsRoot: word,
  receiptsRoot: word,
  logsBloom: `0x${'00'.repeat(256)}`,
  difficulty: '0x0',
  number: '0x10',
  gasLimit: '0x1c9c380',
  gasUsed: '0x5208',
  timestamp: '0x6b49d200',
  extraData: '0x',
  mixHash: word,
  nonce: '0x0000000000000000',
  baseFeePerGas: '0x7',
}

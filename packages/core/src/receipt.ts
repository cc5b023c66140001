import type { JobMoney } from './contract/ledger.ts'
import { quoteDocument } from './plan/index.ts'
import { buildReceipt, type Receipt } from './proof/index.ts'
import type { ReceiptMaterial } from './run/index.ts'

/** Puts a finished run's receipt together from what was signed in it. @throws invalid-input when the ledger gave no evidence */
export function receiptOf(material: ReceiptMaterial, money: JobMoney): Receipt {
  const { domain, terms, leases } = material
  return buildReceipt({
    domain,
    terms,
    sets: material.sets.map(({ set, leases: members }) => ({ set, leases: members })),
    ready: material.sets.flatMap(({ ready }) => ready),
    accepts: leases.flatMap(({ seq, lease, leaseSignature }) =>
      leaseSignature === undefined ? [] : [{ seq, lease: lease.id, signature: leaseSignature }],
    ),
    commits: leases.flatMap(({ commits }) => commits),
    votes: leases.flatMap(({ votes }) => votes),
    seeds: leases.flatMap(({ seeds }) => seeds),
    batches: material.batches,
    events: material.ledgerEvents,
    money,
    evidence: material.evidence,
    spec: material.spec.render,
    quote: quoteDocument(material.quotes, material.work),
  })
}

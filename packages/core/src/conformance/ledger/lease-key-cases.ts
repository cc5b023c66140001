import assert from 'node:assert/strict'
import type { Address, DigestSigner, LeaseTicket } from '../../contract/messages.ts'
import { followOpenings } from '../../proof/openings.ts'
import {
  leaseProof,
  leaseSetRoot,
  requireLeaseKey,
  sha256Hex,
  signLeaseKeyChange,
  signLeaseSet,
  signReady,
  verifyLeaseTicket,
} from '../../proof/index.ts'
import type { LedgerCase } from './case.ts'
import { type LedgerScenario, ledgerScenario, namedSigner, type SetOfLeases } from './scenario.ts'

/** Set `seq` of lease 7, signed by `key`, with the creator's word for it where `creator` is given. */
async function setBy(s: LedgerScenario, key: DigestSigner, creator?: DigestSigner, seq = 1): Promise<SetOfLeases> {
  const { domain } = s.subject.ledger
  const leases = [s.lease(7)]
  const set = await signLeaseSet(key, domain, { job: s.job, seq, leases })
  return { set: creator ? { ...set, keyChange: await signLeaseKeyChange(creator, domain, s.job, key.address) } : set, leases }
}

async function ticketOf(s: LedgerScenario, { set, leases }: SetOfLeases): Promise<LeaseTicket> {
  const { domain } = s.subject.ledger
  const { seq } = set
  const message = {
    job: s.job,
    seq,
    setRoot: leaseSetRoot(leases),
    bundleRoot: s.terms.bundleRoot,
    seedRoot: sha256Hex('seed root'),
  }
  const ready = await Promise.all(s.checkers.slice(0, s.terms.quorum).map((one) => signReady(one, domain, message)))
  return { domain, terms: s.terms, job: s.job, lease: leases[0]!, set, proof: leaseProof(leases, leases[0]!.id), ready }
}

export const leaseKeyCases: readonly LedgerCase[] = [
  {
    name: 'a replaced leaseKey is known to farms and checkers by the ledger, and its leases are taken and paid',
    async run(make) {
      const s = await ledgerScenario(make)
      await s.open()
      const { ledger, creator } = s.subject
      const inForce = async (): Promise<Address> => {
        await s.subject.settle?.()
        return openings.leaseKey({ job: s.job, terms: s.terms })
      }
      const openings = followOpenings(ledger, 'farm-refused')
      const nowMs = (await s.subject.nowS()) * 1000
      const taken = async (of: SetOfLeases, leaseKey?: Address): Promise<void> => {
        const ticket = await ticketOf(s, of)
        verifyLeaseTicket(ticket, ticket.lease.farm, nowMs, undefined, leaseKey)
        requireLeaseKey(ledger.domain, s.terms, of.set, leaseKey, 'set')
      }
      const refused = (of: SetOfLeases, path: string, leaseKey?: Address): Promise<void> =>
        assert.rejects(taken(of, leaseKey), (error: { code?: string; details?: { path?: string } }) => {
          assert.equal(error.code, 'signature-invalid')
          assert.equal(error.details?.path, `ticket.set.${path}`)
          return true
        })

      assert.equal(await inForce(), s.terms.leaseKey)
      const old = await setBy(s, s.leaseKey)
      await taken(old, await inForce())

      const next = namedSigner('next lease key')
      const change = await signLeaseKeyChange(creator, ledger.domain, s.job, next.address)
      await s.send({ kind: 'lease-key', ...change })
      assert.equal(await inForce(), next.address)
      await refused(old, 'signature', await inForce())
      const later = await setBy(s, next, creator)
      await taken(later, await inForce())
      await taken(later)
      await refused(await setBy(s, next), 'signature')
      await refused(await setBy(s, namedSigner('thief'), namedSigner('thief')), 'keyChange')

      const last = namedSigner('last lease key')
      await s.send({ kind: 'lease-key', ...(await signLeaseKeyChange(creator, ledger.domain, s.job, last.address)) })
      await refused(later, 'signature', await inForce())
      // The word that brought the key before travels with its sets: whoever has it brings the key back no more.
      await assert.rejects(s.send({ kind: 'lease-key', ...change }), { code: 'ledger-refused' })
      assert.equal(await inForce(), last.address)
      const final = await setBy(s, last, creator)
      await taken(final, await inForce())

      await s.attest([s.result(final.leases[0]!, 'accept', 1)], [final])
      await s.subject.advance(80 * 3600)
      await s.send({ kind: 'release', batch: 1 })
      await s.subject.settle?.()
      assert.ok((await ledger.credit(s.terms.token, final.leases[0]!.payTo, s.ctx())) > 0n)
    },
  },
]

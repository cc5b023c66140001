import { createHash, hash } from 'node:crypto'
import type { Address, Bytes32, DigestSigner, FrameOutput, Signature } from '../contract/messages.ts'
import { canceledDigest, commitDigest } from '../proof/digests.ts'
import { outputRoot } from '../proof/output.ts'
import { signLeaseAccept } from '../proof/sign.ts'
import { verifyLeaseTicket } from '../proof/ticket.ts'
import type { FarmKey } from './farm-options.ts'

/** sha256 of a text as `0x` hex. */
export function textHash(text: string): Bytes32 {
  return `0x${hash('sha256', text)}`
}

/** An address made from a name, for simulations. */
export function simulatedAddress(name: string): Address {
  return `0x${textHash(`address ${name}`).slice(2, 42)}`
}

/** A stand-in for a signature: a hash of signer and message. Anybody could make it; only simulations accept it. */
export function simulatedSignature(address: Address, message: string): Signature {
  const half = textHash(`${address} ${message}`).slice(2)
  return `0x${half}${half}1b`
}

/** Root of outputs in simulations: one hash over the list instead of a tree. */
export function simulatedOutputRoot(outputs: readonly FrameOutput[]): Bytes32 {
  const digest = createHash('sha256')
  for (const o of outputs) digest.update(`${o.frame}.${o.part}.${o.outputHash}.${o.completedAtMs};`)
  return `0x${digest.digest('hex')}`
}

export function simulatedFarmKey(name: string): FarmKey {
  const address = simulatedAddress(name)
  return {
    address,
    outputRoot: simulatedOutputRoot,
    signCommit: async (_domain, m) => simulatedSignature(address, `commit ${m.job} ${m.lease} ${m.index} ${m.outputRoot}`),
    signAccept: async (ticket) => simulatedSignature(address, `accept ${ticket.job} ${ticket.lease.id} ${ticket.set.seq}`),
    signCanceled: async (_domain, m) => simulatedSignature(address, `canceled ${m.job} ${m.lease} ${m.outputRoot}`),
    checkTicket: (ticket) =>
      ticket.lease.farm !== address
        ? 'lease of another farm'
        : ticket.ready.length < ticket.terms.quorum
          ? 'fewer Ready signatures than the quorum'
          : undefined,
  }
}

/** Signs digests without a key, for simulations. */
export function simulatedSigner(name: string): DigestSigner {
  const address = simulatedAddress(name)
  return { address, signDigest: async (digest) => simulatedSignature(address, digest) }
}

/** A simulated farm's real key: EIP-712 signatures as `proof` makes and checks them. */
export function signedFarmKey(signer: DigestSigner): FarmKey {
  return {
    address: signer.address,
    outputRoot,
    signCommit: (domain, message) => signer.signDigest(commitDigest(domain, message)),
    signAccept: (ticket) => signLeaseAccept(signer, ticket.domain, ticket.job, ticket.set.seq, ticket.lease),
    signCanceled: (domain, message) => signer.signDigest(canceledDigest(domain, message)),
    checkTicket: (ticket, nowMs) => {
      try {
        verifyLeaseTicket(ticket, signer.address, nowMs)
        return undefined
      } catch (error) {
        return (error as Error).message
      }
    },
  }
}

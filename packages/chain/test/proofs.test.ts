// TypeScript against Solidity: trees, multiproofs and record leaves of any size.
import type { FrameRecord } from '@pictor/core/contract'
import {
  ZERO_HASH,
  encodeBatch,
  encodeSetProofs,
  encodeSignatures,
  leaseLeaf,
  leaseSetRoot,
  merkleProof,
  merkleRoot,
  privateKeySigner,
  recordLeaf,
  signRate,
  toHex,
} from '@pictor/core/proof'
import { Interface, verifyTypedData } from 'ethers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contracts, devAccounts } from '../src/index.ts'
import { escrowAbi, tokenAbi, wireRef, wireTerms } from '../src/wire.ts'
import { devWorld, type DevWorld } from './dev-world.ts'
import { hashOf, makeScenario } from './scenario.ts'

let world: DevWorld
beforeAll(async () => {
  world = await devWorld()
})
afterAll(() => world.stop())

const verifier = new Interface(contracts.FrameVerifier.abi as never)
const call = (to: string, data: string) =>
  world.rpc.call<string>('eth_call', [{ to, data, from: devAccounts[0]!.address }, 'latest'])

const record = fc.record<FrameRecord>({
  frame: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  part: fc.constant(0),
  outputHash: fc.oneof(
    fc.constant(ZERO_HASH),
    fc.integer().map((n) => hashOf(`output ${n}`)),
  ),
  completedAtMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  verdict: fc.constantFrom('accept' as const, 'refuse' as const, 'unsure' as const),
  checked: fc.boolean(),
  score: fc.integer({ min: 0, max: 1000 }),
})

function wireRecord(lease: number, { frame, outputHash, completedAtMs, verdict, checked, score }: FrameRecord) {
  const flags = (checked ? 128 : 0) + Math.floor(score / 10)
  const time = outputHash === ZERO_HASH ? 0 : completedAtMs
  return { lease, frame, outputHash, completedAtMs: time, verdict: ['accept', 'refuse', 'unsure'].indexOf(verdict), flags }
}

it('a rate of exchange is signed as EIP-712 wallets sign it', async () => {
  const rate = { from: 'USD', to: 'PICTOR', fromAmount: 250_000n, toAmount: 10n ** 18n, quotedAtMs: 1_800_000_000_000 }
  const signer = privateKeySigner(hashOf('quoter'))
  const { quoter, signature, ...values } = await signRate(signer, { ...rate, expiresAtMs: 1_800_000_600_000, source: 'a table' })
  const Rate = [
    ...['from', 'to'].map((name) => ({ name, type: 'string' })),
    ...['fromAmount', 'toAmount'].map((name) => ({ name, type: 'uint256' })),
    ...['quotedAtMs', 'expiresAtMs'].map((name) => ({ name, type: 'uint64' })),
    { name: 'source', type: 'string' },
  ]
  const domain = { name: 'Pictor', version: '1', chainId: 0, verifyingContract: quoter }
  expect(verifyTypedData(domain, { Rate }, values, signature).toLowerCase()).toBe(signer.address)
})

describe('TypeScript and Solidity agree', () => {
  it('on every frame of trees of 1 to 1000 records, and on none that was changed', async () => {
    const job = hashOf('job')
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 1000 }), fc.nat(), async (records, at) => {
        const index = at % records.length
        const leaves = records.map((one) => recordLeaf(job, 7, one))
        const [root, proof] = [merkleRoot(leaves), merkleProof(leaves, index)]
        const ask = async (lease: number) => {
          const data = verifier.encodeFunctionData('verifyFrame', [root, job, wireRecord(lease, records[index]!), proof])
          return verifier.decodeFunctionResult('verifyFrame', await call(world.deployment.frames, data))[0] as boolean
        }
        expect(await ask(7)).toBe(true)
        expect(await ask(8)).toBe(false)
      }),
      { numRuns: 30 },
    )
  })

  it('on every choice of leases out of sets of 1 to 40, and on none out of another set', async () => {
    const { escrow, token } = world.deployment
    const domain = { name: 'Pictor', version: '1', chainId: 31_337, verifyingContract: escrow } as const
    const sender = world.senderOf(devAccounts[0]!.privateKey)
    await world.fund(sender.address)
    await sender.send({ to: token, data: tokenAbi.encodeFunctionData('approve', [escrow, 2n ** 256n - 1n]) })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.bigInt({ min: 1n, max: 2n ** 40n - 1n }), async (tasks, mask) => {
        const nowS = await world.nowS()
        const s = makeScenario({ domain, token, creator: sender.address, nowS, tasks, frames: 2, run: `proofs ${++run}` })
        const setRoot = leaseSetRoot(s.leases)
        await sender.send({
          to: escrow,
          data: escrowAbi.encodeFunctionData('openJob', [wireTerms(s.terms), setRoot, 0, '0x', '0x']),
        })
        const chosen = s.leases.filter((_, i) => (mask >> BigInt(i)) & 1n)
        const some = chosen.length > 0 ? chosen : [s.leases[0]!]
        const batch = s.batch(some.map((lease) => s.result(lease)))
        const rows = encodeSignatures(await s.signBatch(batch), s.terms.checkers)
        const indices = some.map((lease) => s.leases.indexOf(lease))
        const attest = (leaves: readonly `0x${string}`[]) => {
          const proofs = encodeSetProofs([{ seq: 0, setRoot, leaves, indices }])
          const ref = wireRef({ terms: s.terms, setRoot, drawn: [] })
          return call(
            escrow,
            escrowAbi.encodeFunctionData('attest', [ref, toHex(encodeBatch(batch, s.terms)), proofs, batch.validUntilS, rows]),
          )
        }
        const leaves = s.leases.map(leaseLeaf)
        expect(await attest(leaves)).toBe('0x')
        const other = leaves.map((leaf, i) => (indices.includes(i) ? leaf : hashOf(`other ${i}`)))
        if (indices.length < leaves.length) await expect(attest(other)).rejects.toThrow()
      }),
      { numRuns: 30 },
    )
  })
})

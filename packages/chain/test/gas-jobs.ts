// The measured way of a job: open, attest, release; for gas.test.ts and `pnpm bench chain`.
import type { Address, LeaseResult } from '@pictor/core/contract'
import {
  decodeBatch,
  encodeBatch,
  encodeSetProofs,
  encodeSignatures,
  keccak256,
  leaseLeaf,
  leaseSetDigest,
  leaseSetRoot,
  privateKeySigner,
} from '@pictor/core/proof'
import { Interface } from 'ethers'
import { contracts } from '../src/abi.ts'
import { readyRows } from '../src/actions.ts'
import { escrowAbi, pinnedOf, tokenAbi, wireRef, wireTerms, type JobOpening } from '../src/wire.ts'
import type { GasChain } from './gas-chains.ts'
import { keyOf, makeScenario } from './scenario.ts'

export interface GasJob {
  readonly tasks: number
  readonly frames: number
  readonly recordMode: 'full' | 'root'
  /** Registry committee (stake looked up at every signature) and leases of a later set, signed by the leaseKey. */
  readonly everything?: boolean
}

export interface GasUsed {
  readonly open: number
  readonly draw: number
  readonly ready: number
  readonly attest: number
  readonly release: number
  /** open + attest + release: what a job of whole leases costs. */
  readonly total: number
}

export interface GasWorld {
  readonly chain: GasChain
  readonly escrow: Address
  readonly token: Address
  readonly registry: Address
  measure(job: GasJob): Promise<GasUsed>
}

const registryAbi = new Interface(contracts.CheckerRegistry.abi as never)
const CHECKERS = 5
const DELAY_S = 90 * 86_400

/** Deploys on the chain; the first measured job is a warm-up, so that all payees hold credit already. */
export async function gasWorld(chain: GasChain): Promise<GasWorld> {
  const token = await chain.create('DevUsd', [])
  const registry = await chain.create('CheckerRegistry', [chain.sender, token, 1_000_000n, DELAY_S, chain.sender])
  const court = await chain.create('EscrowCourt', [registry, 60])
  const escrow = await chain.create('PictorEscrow', [chain.sender, court, `0x${'0'.repeat(40)}`])
  await chain.send(escrow, escrowAbi.encodeFunctionData('setAsset', [token, true, 1_000_000n]))
  await chain.send(token, tokenAbi.encodeFunctionData('mint', [chain.sender, 10n ** 15n]))
  await chain.send(token, tokenAbi.encodeFunctionData('approve', [escrow, 2n ** 256n - 1n]))
  let run = 0
  const world: GasWorld = { chain, escrow, token, registry, measure: (job) => measureJob(world, job, `${++run}`) }
  await world.measure({ tasks: 3, frames: 2, recordMode: 'root' })
  return world
}

async function measureJob(world: GasWorld, job: GasJob, run: string): Promise<GasUsed> {
  const { chain, escrow, token } = world
  const domain = { name: 'Pictor', version: '1', chainId: chain.chainId, verifyingContract: escrow } as const
  const nowS = await chain.nowS()
  const terms = job.everything ? { checkers: [], registryDraw: CHECKERS } : {}
  const s = makeScenario({ domain, token, creator: chain.sender, nowS, ...job, run, terms })
  const seq = job.everything ? 1 : 0
  const setRoot = leaseSetRoot(s.leases)
  const gas = { open: 0, draw: 0, ready: 0, attest: 0, release: 0 }
  const send = async (data: string): Promise<number> => Number(await chain.send(escrow, data))
  gas.open = await send(escrowAbi.encodeFunctionData('openJob', [wireTerms(s.terms), setRoot, 0, '0x', '0x']))
  let opening: JobOpening = { terms: s.terms, setRoot, drawn: [] }
  if (job.everything) {
    await chain.advance(36)
    const data = escrowAbi.encodeFunctionData('drawCommittee', [wireRef(opening)])
    const [drawn] = escrowAbi.decodeFunctionResult('drawCommittee', await chain.call(escrow, data)) as unknown as [string[]]
    gas.draw = await send(data)
    opening = { ...opening, drawn: [...drawn].map((one) => one.toLowerCase() as Address) }
  }
  if (!job.everything) {
    const rows = readyRows({ ready: await s.ready() }, opening, s.job)
    gas.ready = await send(escrowAbi.encodeFunctionData('ready', [wireRef(opening), rows]))
  }
  const committee = job.everything ? opening.drawn : s.terms.checkers
  const voters = committee.slice(0, s.terms.quorum)
  const results = s.leases.map((lease): LeaseResult => ({
    ...s.result(lease),
    seq,
    votes: voters.map((checker) => ({ checker, count: lease.frames.length })),
  }))
  const blob = encodeBatch({ job: s.job, results }, s.terms, committee)
  const batch = { job: s.job, results, batchHash: keccak256(blob), validUntilS: nowS + 86_400 }
  const rows = encodeSignatures(
    await s.signBatch(batch, CHECKERS).then((all) => all.filter(({ checker }) => voters.includes(checker))),
    committee,
  )
  const signature = await s.leaseKey.signDigest(leaseSetDigest(domain, { job: s.job, seq, setRoot }))
  const proofs = encodeSetProofs([
    { seq, setRoot, ...(seq > 0 ? { signature } : {}), leaves: s.leases.map(leaseLeaf), indices: s.leases.map((_, i) => i) },
  ])
  gas.attest = await send(escrowAbi.encodeFunctionData('attest', [wireRef(opening), blob, proofs, batch.validUntilS, rows]))
  const releaseAt = (await chain.nowS()) + s.terms.disputeWindowS
  await chain.advance(s.terms.disputeWindowS)
  const pinned = pinnedOf(opening, decodeBatch(blob), releaseAt)
  gas.release = await send(escrowAbi.encodeFunctionData('release', [s.job, 1, pinned]))
  return { ...gas, total: gas.open + gas.attest + gas.release }
}

/** Puts the scenario's five checkers into the registry, so that every draw of five is those five. Needs a chain with many accounts. */
export async function stakeCheckers({ chain, token, registry }: GasWorld): Promise<void> {
  for (let i = 0; i < CHECKERS; i++) {
    const key = keyOf('checker', i)
    await chain.send(token, tokenAbi.encodeFunctionData('mint', [privateKeySigner(key).address, 1_000_000n]))
    await chain.sendAs!(key, token, tokenAbi.encodeFunctionData('approve', [registry, 1_000_000n]))
    await chain.sendAs!(key, registry, registryAbi.encodeFunctionData('stake', []))
  }
}

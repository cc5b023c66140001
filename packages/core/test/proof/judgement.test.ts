import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { namedSigner } from '../../src/conformance/index.ts'
import type { Bytes32, Commit, Lease, LeaseTicket, LedgerDomain, Terms, Verdict, Vote } from '../../src/contract/index.ts'
import {
  ZERO_ADDRESS,
  ZERO_HASH,
  draw,
  findEquivocation,
  jobIdOf,
  leaseProof,
  leaseResultOf,
  leaseSetRoot,
  mergeVotes,
  outputRoot,
  payOf,
  seedOf,
  seedProof,
  seedRootOf,
  seedsOf,
  sha256Hex,
  signLeaseSet,
  signReady,
  verifyLeaseTicket,
  verifySeed,
} from '../../src/proof/index.ts'

const checkers = ['a', 'b', 'c'].map(namedSigner).sort((a, b) => (a.address < b.address ? -1 : 1))
const [a, b, c] = checkers.map(({ address }) => address) as [`0x${string}`, `0x${string}`, `0x${string}`]
const job = sha256Hex('job')
const outputs = [1, 2, 3].map((frame) => ({
  frame,
  part: 0,
  outputHash: sha256Hex(`frame ${frame}`),
  completedAtMs: 1000 + frame,
}))
const commits: Commit[] = [{ job, lease: 5, index: 0, outputs, outputRoot: outputRoot(outputs), signature: '0x' }]
const vote = (checker: `0x${string}`, frame: number, verdict: Verdict, more: Partial<Vote> = {}): Vote => ({
  job,
  lease: 5,
  frame,
  part: 0,
  outputHash: sha256Hex(`frame ${frame}`),
  checked: true,
  verdict,
  score: 900,
  cropsHash: ZERO_HASH,
  checker,
  signature: '0x',
  ...more,
})
/** A refusal after a full render of the checker's own. */
const refusal = (checker: `0x${string}`, replica: string) => vote(checker, 1, 'refuse', { cropsHash: sha256Hex(replica) })

// Computed with node:crypto's hkdfSync, word by word.
const SEED_VECTOR: Bytes32 = '0x84169262e18799ab318fdf00d2c297779eec7ad67cb303e57c76a2e8d48dd839'
const CROP = { width: 64, height: 48 }
const DRAW_VECTOR = {
  sampled: false,
  region: { x: 356, y: 489, ...CROP },
  regions: [
    { x: 356, y: 489, ...CROP },
    { x: 68, y: 158, ...CROP },
  ],
  renderSeed: 1078287816,
}

describe('merging votes', () => {
  const verdictOf = (votes: Vote[], quorum = 2): Verdict => mergeVotes(votes, quorum, commits)[0]!.verdict
  it('accepts and refuses by quorum, otherwise is unsure', () => {
    expect(verdictOf([vote(a, 1, 'accept'), vote(b, 1, 'accept'), vote(c, 1, 'refuse')])).toBe('accept')
    expect(verdictOf([vote(a, 1, 'refuse'), vote(b, 1, 'refuse'), vote(c, 1, 'accept')])).toBe('refuse')
    expect(verdictOf([vote(a, 1, 'refuse'), vote(b, 1, 'accept'), vote(c, 1, 'unsure')])).toBe('unsure')
    expect(verdictOf([vote(a, 1, 'accept')])).toBe('unsure')
    expect(verdictOf([])).toBe('unsure')
  })
  it('refuses by renders only where two of them agree', () => {
    expect(verdictOf([refusal(a, 'same'), refusal(b, 'same')])).toBe('refuse')
    expect(verdictOf([refusal(a, 'one'), refusal(b, 'other')])).toBe('unsure')
    expect(verdictOf([refusal(a, 'one'), refusal(b, 'other'), refusal(c, 'one')])).toBe('refuse')
    expect(verdictOf([refusal(a, 'alone'), vote(b, 1, 'refuse')])).toBe('unsure')
    expect(verdictOf([vote(a, 1, 'refuse'), vote(b, 1, 'refuse')])).toBe('refuse')
    expect(verdictOf([refusal(a, 'own')], 1)).toBe('refuse')
  })
  it('counts votes on the committed bytes only, one a checker', () => {
    const other = { outputHash: sha256Hex('other bytes') }
    expect(verdictOf([vote(a, 1, 'accept'), vote(b, 1, 'accept', other)])).toBe('unsure')
    expect(verdictOf([vote(a, 1, 'accept'), vote(b, 1, 'accept', { lease: 6 })])).toBe('unsure')
    expect(() => verdictOf([vote(a, 1, 'accept'), vote(a, 1, 'accept')])).toThrow(/one vote a checker/)
  })
  it('takes the lowest score, and hash and time from the commitment', () => {
    const votes = [vote(a, 1, 'accept', { checked: false }), vote(b, 1, 'accept', { score: 412 })]
    const [first, second] = mergeVotes(votes, 2, commits)
    expect(first).toEqual({ ...outputs[0]!, verdict: 'accept', checked: true, score: 412 })
    expect(second).toMatchObject({ frame: 2, verdict: 'unsure', score: 0, checked: false })
  })
  it('records frames that nobody delivered as refused, and counts each checker', () => {
    const lease: Lease = {
      id: 5,
      farm: a,
      payTo: a,
      price: 10n,
      frames: [1, 2, 3, 4],
      weights: [1, 2, 3, 4],
      part: 0,
      checkClass: 'crop',
      commitByS: 1,
      hedgeOf: 0,
    }
    const votes = [a, b].flatMap((checker) => [vote(checker, 1, 'accept'), vote(checker, 2, 'refuse')])
    const result = leaseResultOf({ lease, seq: 0, commits, votes, quorum: 2 })
    expect(result.records.map(({ verdict }) => verdict)).toEqual(['accept', 'refuse', 'unsure', 'refuse'])
    expect(result.records[3]!.outputHash).toBe(ZERO_HASH)
    expect(result.acceptedWeight).toBe(4)
    expect(result.votes).toEqual([a, b].map((checker) => ({ checker, count: 2 })))
    expect(() =>
      leaseResultOf({ lease: { ...lease, frames: [1, 2], weights: [1, 1] }, seq: 0, commits, votes, quorum: 2 }),
    ).toThrow(/frame 3/)
  })
  it('finds a checker that contradicts itself', () => {
    expect(findEquivocation([vote(a, 1, 'accept'), vote(b, 1, 'refuse'), vote(a, 2, 'refuse')])).toBeUndefined()
    expect(findEquivocation([vote(a, 1, 'accept'), vote(a, 1, 'refuse', { checked: false })])).toBeUndefined()
    expect(findEquivocation([vote(a, 1, 'accept'), vote(a, 1, 'refuse', { outputHash: job })])).toBeUndefined()
    expect(findEquivocation([vote(b, 1, 'accept'), vote(a, 1, 'accept'), vote(a, 1, 'refuse')])).toMatchObject({
      checker: a,
      second: { verdict: 'refuse' },
    })
  })
})

describe('pay', () => {
  it('never makes or loses money, whatever the weights and votes', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(
        weights,
        fc.bigInt(0n, 10n ** 20n),
        fc.bigInt(0n, 10n ** 6n),
        fc.integer({ min: 0, max: 3000 }),
        fc.nat(),
        fc.array(fc.nat(20), { maxLength: 3 }),
        (weights, price, checkFee, platformFeeBps, pick, counts) => {
          const frames = weights.map((_, i) => i)
          const lease: Lease = {
            id: 1,
            farm: a,
            payTo: b,
            price,
            frames,
            weights,
            part: 0,
            checkClass: 'crop',
            commitByS: 1,
            hedgeOf: 0,
          }
          const sum = weights.reduce((x, y) => x + y, 0)
          const acceptedWeight = pick % (sum + 1)
          const votes = counts.map((count, i) => ({ checker: [a, b, c][i]!, count }))
          const pay = payOf(
            { lease, seq: 0, records: [], acceptedWeight, votes },
            { checkFee, platformFeeBps, checkers: [a, b, c] },
          )
          const [farm] = pay.farms
          const toCheckers = pay.checkers.reduce((total, { amount }) => total + amount, 0n)
          expect(farm!.net + farm!.platform + toCheckers + pay.refund).toBe(price + checkFee * BigInt(frames.length))
          if (acceptedWeight === sum) expect(farm!.gross).toBe(price)
          if (acceptedWeight === 0) expect(farm!.gross).toBe(0n)
          expect(farm!.gross * BigInt(sum) <= price * BigInt(acceptedWeight)).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('seeds and draws', () => {
  const secret = sha256Hex('secret')
  const options = { width: 1920, height: 1080, cropWidth: 64, cropHeight: 48, samplingPerMille: 250 }
  it('reveal exactly the committed seed', () => {
    const seeds = seedsOf(secret, job, [4, 9, 2])
    const root = seedRootOf(seeds)
    const reveal = { lease: 9, seed: seedOf(secret, job, 9), proof: seedProof(seeds, 9), checker: a }
    expect(verifySeed(root, reveal)).toBe(true)
    expect(verifySeed(root, { ...reveal, lease: 4 })).toBe(false)
    expect(verifySeed(root, { ...reveal, seed: seedOf(secret, job, 4) })).toBe(false)
    expect(() => seedOf('0x1234', job, 1)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
  })
  it('are the same everywhere (fixed vector)', () => {
    expect(seedOf(secret, job, 9)).toBe(SEED_VECTOR)
    expect(draw(SEED_VECTOR, sha256Hex('root'), -7, { ...options, crops: 2 })).toEqual(DRAW_VECTOR)
  })
  it('throw away words that would favour small results (found by search: the third word of this frame is too large)', () => {
    const { region } = draw(SEED_VECTOR, sha256Hex('root'), 7668, { ...options, width: 1_047_553 + 63 })
    expect(region).toEqual({ x: 799_428, y: 907_943_607 % 1033, ...CROP })
  })
  it('differ by seed, root and frame, and fit the picture', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (frame, width, height) => {
        const one = draw(SEED_VECTOR, job, frame, { ...options, width, height })
        expect(one.region.x + one.region.width).toBeLessThanOrEqual(width)
        expect(one.region.y + one.region.height).toBeLessThanOrEqual(height)
        expect(draw(SEED_VECTOR, job, frame + 1, { ...options, width, height }).renderSeed).not.toBe(one.renderSeed)
        expect(draw(job, job, frame, { ...options, width, height }).renderSeed).not.toBe(one.renderSeed)
        expect(draw(SEED_VECTOR, secret, frame, { ...options, width, height }).renderSeed).not.toBe(one.renderSeed)
      }),
      { numRuns: 50 },
    )
    expect(draw(SEED_VECTOR, job, 1, { ...options, width: 10, height: 10 }).region).toEqual({ x: 0, y: 0, width: 10, height: 10 })
  })
  it('sample the asked share and spread crops evenly (chi-squared, 15 degrees of freedom, p = 10^-6)', () => {
    const counts = Array.from({ length: 16 }, () => 0)
    let sampled = 0
    const frames = 4000
    for (let frame = 0; frame < frames; frame++) {
      const one = draw(SEED_VECTOR, job, frame, { ...options, width: 63 + 16, cropWidth: 64 })
      counts[one.region.x]!++
      if (one.sampled) sampled++
    }
    const expected = frames / 16
    expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(56.5)
    expect(Math.abs(sampled - frames / 4)).toBeLessThan(5 * Math.sqrt(frames * 0.25 * 0.75))
    expect(draw(SEED_VECTOR, job, 1, { ...options, samplingPerMille: 1000 }).sampled).toBe(true)
    expect(draw(SEED_VECTOR, job, 1, { ...options, samplingPerMille: 0 }).sampled).toBe(false)
  })
})

describe('a lease ticket', () => {
  const farm = namedSigner('farm')
  const leaseKey = namedSigner('lease key')
  const domain: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'77'.repeat(20)}` }
  const nowMs = 1_800_000_000_000
  const terms = {
    creator: a,
    runId: sha256Hex('run'),
    token: ZERO_ADDRESS,
    farmBudget: 1000n,
    checkBudget: 10n,
    frameCap: 100n,
    checkFee: 1n,
    specHash: job,
    bundleRoot: sha256Hex('bundle'),
    quoteHash: job,
    checkers: [a, b, c],
    registryDraw: 0,
    quorum: 2,
    arbiter: ZERO_ADDRESS,
    leaseKey: leaseKey.address,
    platform: a,
    platformFeeBps: 0,
    recordMode: 'full',
    deadlineAtS: 1_800_010_000,
    attestByS: 1_800_020_000,
    claimTimeS: 100,
    refundAfterS: 1_800_900_000,
    disputeWindowS: 0,
    resolveByS: 100,
  } satisfies Terms
  const lease: Lease = {
    id: 1,
    farm: farm.address,
    payTo: farm.address,
    price: 250n,
    frames: [1, 2, 3],
    weights: [1, 1, 1],
    part: 0,
    checkClass: 'crop',
    commitByS: 1_800_005_000,
    hedgeOf: 0,
  }
  let good: LeaseTicket
  const ticketFor = async (changed: Partial<Lease>, seq = 3): Promise<LeaseTicket> => {
    const leases = [
      { ...lease, ...changed },
      { ...lease, id: 2 },
    ]
    const id = jobIdOf(domain, terms.creator, terms.runId)
    const set = await signLeaseSet(leaseKey, domain, { job: id, seq, leases })
    const ready = await Promise.all(
      checkers.slice(0, 2).map((checker) =>
        signReady(checker, domain, {
          job: id,
          seq,
          setRoot: leaseSetRoot(leases),
          bundleRoot: terms.bundleRoot,
          seedRoot: job,
        }),
      ),
    )
    return { domain, terms, job: id, lease: leases[0]!, set, proof: leaseProof(leases, 1), ready }
  }
  beforeAll(async () => {
    good = await ticketFor({})
  })
  it('that holds is taken, by farm and by checker', async () => {
    expect(() => verifyLeaseTicket(good, farm.address, nowMs)).not.toThrow()
    const { signature: _none, ...set } = (await ticketFor({}, 0)).set
    expect(() => verifyLeaseTicket(good, good.lease.farm, nowMs)).not.toThrow()
    const zero = await ticketFor({}, 0)
    expect(() => verifyLeaseTicket({ ...zero, set }, farm.address, nowMs)).not.toThrow()
  })
  it.each<[string, string, (ticket: LeaseTicket) => LeaseTicket | Promise<LeaseTicket>]>([
    ['another farm', 'ticket.lease.farm', () => ticketFor({ farm: a })],
    ['no payee', 'ticket.lease.payTo', () => ticketFor({ payTo: ZERO_ADDRESS })],
    ['a price above the frame cap', 'ticket.lease.price', () => ticketFor({ price: 301n })],
    ['a price above the budget', 'ticket.lease.price', (ticket) => ({ ...ticket, terms: { ...terms, farmBudget: 249n } })],
    ['a time that is over', 'ticket.lease.commitByS', () => ticketFor({ commitByS: nowMs / 1000 })],
    ['a time after the deadline', 'ticket.lease.commitByS', () => ticketFor({ commitByS: terms.deadlineAtS + 1 })],
    ['another job', 'ticket.job', (ticket) => ({ ...ticket, job: sha256Hex('x') })],
    ["another job's set", 'ticket.set.job', (ticket) => ({ ...ticket, set: { ...ticket.set, job: sha256Hex('x') } })],
    ['a changed lease', 'ticket.proof', (ticket) => ({ ...ticket, lease: { ...ticket.lease, price: 251n } })],
    ['another path', 'ticket.proof', (ticket) => ({ ...ticket, proof: [] })],
    [
      'an unsigned later set',
      'ticket.set.signature',
      ({ set: { job: id, seq, setRoot }, ...ticket }) => ({ ...ticket, set: { job: id, seq, setRoot } }),
    ],
    ['a set signed by another key', 'ticket.set.signature', (ticket) => ({ ...ticket, terms: { ...terms, leaseKey: a } })],
    ['too few Readies', 'ticket.ready', (ticket) => ({ ...ticket, ready: ticket.ready.slice(1) })],
    ['a Ready twice', 'ticket.ready[1].checker', (ticket) => ({ ...ticket, ready: [ticket.ready[0]!, ticket.ready[0]!] })],
    [
      'a Ready for another set',
      'ticket.ready[0]',
      (ticket) => ({ ...ticket, ready: ticket.ready.map((one) => ({ ...one, seq: 4 })) }),
    ],
    ['a Ready for another bundle', 'ticket.ready[0]', (ticket) => ({ ...ticket, terms: { ...terms, bundleRoot: job } })],
    [
      'a Ready with a changed seed root',
      'ticket.ready[0]',
      (ticket) => ({ ...ticket, ready: ticket.ready.map((one) => ({ ...one, seedRoot: ZERO_HASH })) }),
    ],
    [
      "a stranger's Ready",
      'ticket.ready[0].checker',
      (ticket) => ({ ...ticket, ready: ticket.ready.map((one) => ({ ...one, checker: `0x${'99'.repeat(20)}` as const })) }),
    ],
    ['a quorum that is no majority', 'ticket.terms.quorum', (ticket) => ({ ...ticket, terms: { ...terms, quorum: 1 } })],
  ])('with %s is refused at %s', async (_name, path, change) => {
    const ticket = await change(good)
    expect(() => verifyLeaseTicket(ticket, farm.address, nowMs)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(farm-refused|signature-invalid)$/),
        details: expect.objectContaining({ path }),
      }),
    )
  })
})

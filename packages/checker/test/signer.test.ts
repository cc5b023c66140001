import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { privateKeySigner, requireSigner, voteDigest, ZERO_HASH } from '@pictor/core/proof'
import { isPictorError, VERDICTS, type LedgerDomain, type Vote } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { createChecker, guardedSigner, socketSigner, type CheckerMessage } from '../src/index.ts'
import { checkLease, makeJob } from './job.ts'
import { noiseFarm, renderNoise } from './noise-renderer.ts'

const DOMAIN: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'22'.repeat(20)}` }
const HASH = `0x${'ab'.repeat(32)}` as const
const vote = (fields: Partial<Vote> = {}): Extract<CheckerMessage, { kind: 'vote' }> => ({
  kind: 'vote',
  message: {
    job: HASH,
    lease: 1,
    frame: 7,
    part: 0,
    outputHash: HASH,
    checked: true,
    verdict: 'accept',
    score: 900,
    cropsHash: ZERO_HASH,
    ...fields,
  },
})
const ready = (seedRoot: `0x${string}`): CheckerMessage => ({
  kind: 'ready',
  message: { job: HASH, seq: 0, setRoot: HASH, bundleRoot: HASH, seedRoot },
})
const reasonOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return isPictorError(error) ? (error.details['reason'] ?? error.code) : error
}

const folders: string[] = []
const children: ChildProcess[] = []
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})
function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'signer-'))
  folders.push(folder)
  return folder
}

async function startSigner(key: string, folder: string): Promise<{ child: ChildProcess; socket: string }> {
  const socket = join(folder, 'signer.sock')
  const script = fileURLToPath(new URL('signer-child.ts', import.meta.url))
  const node = ['--conditions=source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...node, script, key, socket, join(folder, 'signer.log')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  children.push(child)
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`the signer ended with ${code}`)))
  })
  return { child, socket }
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

test('of two contradicting messages only the first is ever signed, in any order of any requests', async () => {
  const words = fc.record({
    lease: fc.integer({ min: 1, max: 2 }),
    frame: fc.integer({ min: 1, max: 2 }),
    checked: fc.boolean(),
    verdict: fc.constantFrom(...VERDICTS),
    outputHash: fc.constantFrom(HASH, ZERO_HASH),
    score: fc.integer({ min: 0, max: 1000 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(words, { minLength: 1, maxLength: 4 }), { maxLength: 20 }), async (requests) => {
      const signer = guardedSigner({ signer: privateKeySigner(drawnKey()), log: ':memory:' })
      const signed: Vote[] = []
      for (const request of requests) {
        const messages = request.map((fields) => vote(fields))
        const signatures = await signer.sign(DOMAIN, messages).catch(() => undefined)
        if (!signatures) continue
        for (const [i, { message }] of messages.entries())
          signed.push({ ...message, checker: signer.address, signature: signatures[i]! })
      }
      // The oracle of PROTOCOL.md, step 6, over everything that left the signer.
      for (const a of signed)
        for (const b of signed) {
          const same = a.lease === b.lease && a.frame === b.frame && a.part === b.part && a.outputHash === b.outputHash
          expect(same && a.checked && b.checked && a.verdict !== b.verdict).toBe(false)
        }
      signer.close()
    }),
    { numRuns: 100 },
  )
})

test('a request that holds one contradiction leaves no promise of the others behind', async () => {
  const signer = guardedSigner({ signer: privateKeySigner(drawnKey()), log: ':memory:' })
  await signer.sign(DOMAIN, [vote()])
  expect(await reasonOf(signer.sign(DOMAIN, [vote({ frame: 8 }), vote({ verdict: 'refuse' })]))).toBe('equivocation')
  expect(await signer.sign(DOMAIN, [vote({ frame: 8, verdict: 'refuse' })])).toHaveLength(1)
})

test('a second Ready with other seeds, another ledger, a kind it does not know and a malformed message are refused', async () => {
  const signer = guardedSigner({ signer: privateKeySigner(drawnKey()), log: ':memory:', domains: [DOMAIN] })
  await signer.sign(DOMAIN, [ready(HASH)])
  await signer.sign(DOMAIN, [ready(HASH)])
  expect(await reasonOf(signer.sign(DOMAIN, [ready(ZERO_HASH)]))).toBe('equivocation')
  expect(await reasonOf(signer.sign({ ...DOMAIN, chainId: 1 }, [vote()]))).toBe('domain')
  expect(await reasonOf(signer.sign(DOMAIN, [{ kind: 'transfer', message: { job: HASH } } as never]))).toBe('kind')
  expect(await reasonOf(signer.sign(DOMAIN, [vote({ outputHash: '0x12' })]))).toBe('invalid-input')
})

test('a signer process killed with -9 after any promise still refuses its contradiction', async () => {
  const folder = temporary()
  const key = drawnKey()
  for (let round = 0; round < 3; round++) {
    const { child, socket } = await startSigner(key, folder)
    const signer = await socketSigner(socket)
    expect(signer.address).toBe(privateKeySigner(key).address)
    for (let earlier = 0; earlier < round; earlier++)
      expect(await reasonOf(signer.sign(DOMAIN, [vote({ frame: earlier, verdict: 'refuse' })]))).toBe('equivocation')
    const [signature] = await signer.sign(DOMAIN, [vote({ frame: round })])
    requireSigner(voteDigest(DOMAIN, vote({ frame: round }).message), signature!, signer.address, 'signature')
    await killed(child)
    signer.close()
  }
})

test('a signer that restarts is waited for; its socket is nobody else’s; a second one does not take its place', async () => {
  const folder = temporary()
  const key = drawnKey()
  const first = await startSigner(key, folder)
  expect(statSync(first.socket).mode & 0o777).toBe(0o600)
  await expect(startSigner(key, folder)).rejects.toThrow('ended with')
  const signer = await socketSigner(first.socket)
  closing.push(() => signer.close())
  await killed(first.child)
  const asked = signer.sign(DOMAIN, [vote()])
  await startSigner(key, folder)
  expect(await asked).toHaveLength(1)
})

test('what is no question ends in an error or a closed connection, and the signer goes on', async () => {
  const folder = temporary()
  const { socket } = await startSigner(drawnKey(), folder)
  const told = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const line = connect(socket)
      let said = ''
      line.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        line.destroy()
      })
      line.on('error', () => {})
      line.on('close', () => resolve(said))
      line.write(text)
    })
  expect(await told('no json\n')).toBe('')
  expect(await told('{"id":1,"op":"key"}\n')).toContain('invalid-input')
  expect(await told('{"id":1,"op":"sign","domain":{},"messages":[{"kind":"vote"}]}\n')).toContain('error')
  expect(await told('null\n')).not.toContain('signature')
  expect((await socketSigner(socket)).address).toMatch(/^0x/)
})

test('a checker votes through a signer process, and its votes verify', async () => {
  const folder = temporary()
  const scene = { width: 160, height: 96, samples: 8, seed: 1 }
  const { socket } = await startSigner(drawnKey(), folder)
  const signer = await socketSigner(socket)
  const checker = createChecker({ signer, secret: drawnKey(), renderer: noiseFarm(scene), sampling: { full: 0 } })
  closing.push(() => checker.close?.())
  const job = await makeJob([signer])
  const { votes } = await checkLease(checker, job, job.lease(1, [1, 2]), new Map([1, 2].map((n) => [n, renderNoise(n, scene)])))
  for (const one of votes) requireSigner(voteDigest(job.job.domain, one), one.signature, signer.address, 'vote')
  expect(votes.map((one) => one.verdict)).toEqual(['accept', 'accept'])
})

import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { downloadsOf, isPictorError, type LedgerDomain, type Output } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { fileKeyOf, readLeaseSecret, unseal } from '@pictor/core/sealing'
import { buildSync } from 'esbuild'
import { afterAll, expect, test } from 'vitest'
import { drawnKey } from '../../../scripts/draws.ts'
import { smallJob, smallTask } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm } from '../src/index.ts'
import { dressed, sealSecretOf } from './lease.ts'

const CHAIN: LedgerDomain = { name: 'Pictor', version: '1', chainId: 31337, verifyingContract: `0x${'33'.repeat(20)}` }
const folder = mkdtempSync(join(tmpdir(), 'farm-kill-sealed-'))
const CHILD = join(folder, 'child.mjs')
let over = false
let child: ChildProcess | undefined
let deaths = 0
afterAll(() => {
  over = true
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** What keeps services running: starts it again whenever it died. */
function keepRunning(port: number, key: string): void {
  const args = ['--disable-warning=ExperimentalWarning', CHILD, folder, String(port), key]
  child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  child.once('exit', (_code, signal) => {
    if (over) return
    if (signal === 'SIGKILL') deaths++
    keepRunning(port, key)
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Tries until it works; a server that is away comes back. */
async function patiently<T>(call: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 6_000; i++) {
    const found = await call().catch((error: unknown) => {
      if (!isPictorError(error) || !error.retryable) throw error
      return undefined
    })
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('the server never came back')
}

const sha256 = (bytes: Uint8Array): string => `0x${createHash('sha256').update(bytes).digest('hex')}`

test('killed with -9 while it seals and serves, a farm goes on with the same bytes, and writes no picture to its disk', async () => {
  buildSync({
    entryPoints: [fileURLToPath(new URL('kill-sealed-child.ts', import.meta.url))],
    outfile: CHILD,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
  })
  const key = drawnKey()
  const signer = privateKeySigner(key)
  const port = await freePort()
  keepRunning(port, key)
  const farm = remoteFarm({ url: `http://127.0.0.1:${port}`, token: 'a-token-for-tests', key: signer.address })
  const { job, files } = await smallJob()
  const stage = await patiently(() => farm.stage(job.bundle, files, { key: 'stage' }))
  const task = await dressed(signer, smallTask(job, stage, [1, 2]), CHAIN)
  await patiently(() => farm.submit(task, { key: 'order' }))
  const outputs = await patiently(async () => {
    const { events } = await farm.poll({}, { key: 'poll' })
    const found = events.flatMap((event) => (event.type === 'output' ? [event.output] : []))
    return found.length === 2 ? found : undefined
  })

  const fetched = async (output: Output): Promise<Buffer> => {
    let got = Buffer.alloc(0)
    const [file] = downloadsOf(output)
    return patiently(async () => {
      const body = await farm.open(file!, { offset: got.length }, { key: `open ${output.name}` })
      if ('unavailable' in body) return undefined
      for await (const part of body.stream) got = Buffer.concat([got, part])
      return got.length === file!.bytes ? got : undefined
    })
  }
  const pictures: Buffer[] = []
  for (const output of outputs) {
    const sealed = await fetched(output)
    expect(sha256(sealed)).toBe(output.sealed!.hash)
    for (const checker of task.lease!.terms.checkers) {
      const about = { job: task.lease!.job, lease: task.lease!.lease.id, checker }
      const keyOf = (head: Buffer) => fileKeyOf(readLeaseSecret(head, about, sealSecretOf(checker)), output.hash)
      const chunks: Buffer[] = []
      async function* whole(): AsyncGenerator<Uint8Array> {
        yield sealed
      }
      for await (const chunk of unseal(whole(), keyOf, output.hash)) chunks.push(chunk)
      expect(sha256(Buffer.concat(chunks))).toBe(output.hash)
      pictures.push(Buffer.concat(chunks))
    }
  }
  over = true
  child!.kill('SIGKILL')

  const boundaries = readFileSync(join(folder, 'deaths.txt'), 'utf8').trim().split('\n')
  expect(deaths).toBe(boundaries.length)
  for (const where of [
    'after an order',
    'after an order was remembered',
    'sealing: before piece 0',
    'sealing: before piece 3',
    'sealing: after the last piece',
    'after sealing',
    'serving: before piece 0',
    'serving: after the last piece',
  ])
    expect(boundaries).toContain(where)
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name)
    if (!statSync(path).isFile()) continue
    const bytes = readFileSync(path)
    expect(
      pictures.some((picture) => bytes.includes(picture.subarray(0, 64)) || bytes.includes(picture.subarray(-64))),
      name,
    ).toBe(false)
  }
}, 300_000)

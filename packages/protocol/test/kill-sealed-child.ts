import { createHash } from 'node:crypto'
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Farm, FarmEvent, Output, TaskRef } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { folderArtifacts } from '../../core/src/artifacts/index.ts'
import { smallFarm } from '../../core/test/conformance/small-farm.ts'
import { Network } from '../../core/src/conformance/index.ts'
import { sealedFarm, serveFarm, signedFarm } from '../src/index.ts'

// A sealing farm's server that kills itself (-9) the first time that it comes to each boundary: around orders, in each piece that it reads to seal or to serve, after each seal.
// The renderer beneath is simulated: its pictures follow from the frame, its orders are in tasks.json, and it keeps no picture on the disk.
const [folder, port, key] = process.argv.slice(2) as [string, string, `0x${string}`]
const PIECE = 100_000
const pictureOf = (frame: number): Buffer => createHash('shake256', { outputLength: 350_000 }).update(`frame ${frame}`).digest()

function boundary(name: string): void {
  const file = join(folder, 'deaths.txt')
  const known = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  if (known.includes(name)) return
  appendFileSync(file, `${name}\n`)
  const opened = openSync(file, 'r')
  fsyncSync(opened)
  closeSync(opened)
  process.kill(process.pid, 'SIGKILL')
}

interface Order {
  readonly key: string
  readonly ref: string
  readonly frames: readonly number[]
}
const tasksFile = join(folder, 'tasks.json')
const orders = (): Order[] => (existsSync(tasksFile) ? (JSON.parse(readFileSync(tasksFile, 'utf8')) as Order[]) : [])

let doing = ''
async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    boundary(`${doing}: before piece ${at / PIECE}`)
    yield bytes.subarray(at, at + PIECE)
  }
  boundary(`${doing}: after the last piece`)
}

function outputOf(task: TaskRef, frame: number): Output {
  const bytes = pictureOf(frame)
  const hash = `0x${createHash('sha256').update(bytes).digest('hex')}` as const
  return { task, frame, part: 0, layer: 'V', name: `${task.ref}/${frame}.png`, bytes: bytes.length, hash, completedAtMs: 1 }
}

const { farm: small } = await smallFarm({ scenario: 'plain', network: new Network() })
const inner: Farm = {
  ...small,
  async submit(task, ctx) {
    const known = orders().find((one) => one.key === ctx.key)
    const frames = task.work.kind === 'frames' ? task.work.frames : []
    const order = known ?? { key: ctx.key, ref: `order-${orders().length}`, frames }
    boundary('before an order')
    if (!known) {
      writeFileSync(`${tasksFile}.new`, JSON.stringify([...orders(), order]))
      renameSync(`${tasksFile}.new`, tasksFile)
    }
    boundary('after an order')
    return { farm: small.id, ref: order.ref }
  },
  async poll() {
    const events = orders().flatMap(({ ref, frames }) =>
      frames.map((frame): FarmEvent => ({ type: 'output', output: outputOf({ farm: small.id, ref }, frame), atMs: 1 })),
    )
    return { events, cursor: 'all', waitMs: 1 }
  },
  open: async (output, { offset }) => {
    const bytes = pictureOf(output.frame).subarray(offset)
    return { bytes: bytes.length, stream: piecesOf(bytes) }
  },
}
const sealed = sealedFarm(signedFarm(inner, { signer: privateKeySigner(key) }), {
  secret: Buffer.alloc(32, 3),
  book: join(folder, 'book.db'),
})
const farm: Farm = {
  ...sealed,
  async submit(task, ctx) {
    const ref = await sealed.submit(task, ctx)
    boundary('after an order was remembered')
    return ref
  },
  async poll(query, ctx) {
    doing = 'sealing'
    const page = await sealed.poll(query, ctx)
    boundary('after sealing')
    return page
  },
  open(output, at, ctx) {
    doing = 'serving'
    return sealed.open(output, at, ctx)
  },
}
await serveFarm(farm, {
  tokens: [{ token: 'a-token-for-tests' }],
  rate: { perSecond: 10_000, burst: 10_000 },
  files: folderArtifacts(join(folder, 'files')),
  uploads: join(folder, 'uploads'),
  port: Number(port),
})

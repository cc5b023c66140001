import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderArtifacts } from '@pictor/core'
import type { Artifacts, Checker, Farm, Ledger, LedgerEvent } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { serveChecker } from '@pictor/farm-protocol/checker'
import { createChecker, guardedSigner, type MessageSigner } from '../src/index.ts'
import { noiseFarm } from './noise-renderer.ts'

// A checker service that kills itself (-9) the first time that it comes to each boundary: before and after every question, render, signature and commit. Its renderer is simulated.
// With a fourth argument it keeps files of its own and follows a ledger, the events in ledger.json (simulated), so that it can open what is sealed, and dies while it does.
const [folder, port, key, sealing] = process.argv.slice(2) as [string, string, `0x${string}`, string | undefined]
const file = join(folder, 'deaths.txt')

/** With sealing, those that files and Held have: the others are passed without it. */
const SEALING = /chunk|keeping|hold|held/

function boundary(name: string): void {
  if (sealing && !SEALING.test(name)) return
  const known = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  if (known.includes(name)) return
  appendFileSync(file, `${name}\n`)
  const opened = openSync(file, 'r')
  fsyncSync(opened)
  closeSync(opened)
  process.kill(process.pid, 'SIGKILL')
}

function dying(signer: MessageSigner): MessageSigner {
  return {
    address: signer.address,
    async sign(domain, messages) {
      boundary(`before signing ${messages[0]!.kind}`)
      const signatures = await signer.sign(domain, messages)
      boundary(`after signing ${messages[0]!.kind}`)
      return signatures
    },
  }
}

function dyingFarm(farm: Farm): Farm {
  return {
    ...farm,
    async submit(task, ctx) {
      const what = task.window?.region ? 'a crop' : 'a frame'
      boundary(`before rendering ${what}`)
      const ref = await farm.submit(task, ctx)
      boundary(`after rendering ${what}`)
      return ref
    },
  }
}

/** Dies where a download is kept, where a sealed file is opened, chunk by chunk, and where what was in it is kept. */
function dyingFiles(files: Artifacts): Artifacts {
  async function* dyingIn(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let count = 0
    for await (const chunk of chunks) {
      yield chunk
      boundary(`after opening chunk ${count++}`)
    }
    boundary('after opening the last chunk')
  }
  return {
    ...files,
    async put(source) {
      if (source instanceof Uint8Array) return files.put(source)
      boundary('before keeping a download')
      const kept = await files.put(source)
      boundary('after keeping a download')
      return kept
    },
    async write(chunks) {
      const kept = await files.write!(dyingIn(chunks))
      boundary('after keeping what was sealed')
      return kept
    },
  }
}

function simulatedLedger(): Pick<Ledger, 'domain' | 'poll'> {
  const { domain } = JSON.parse(readFileSync(join(folder, 'ledger.json'), 'utf8')) as Pick<Ledger, 'domain'>
  return {
    domain,
    async poll({ cursor }) {
      const { events } = JSON.parse(readFileSync(join(folder, 'ledger.json'), 'utf8')) as { events: LedgerEvent[] }
      return { events: events.slice(Number(cursor ?? 0)), cursor: String(events.length), waitMs: 100 }
    },
  }
}

const files = dyingFiles(folderArtifacts(join(folder, 'files')))
const size = sealing ? { width: 320, height: 240 } : { width: 160, height: 96 }
const checker = createChecker({
  signer: dying(guardedSigner({ signer: privateKeySigner(key), log: join(folder, 'signed.db') })),
  secret: key,
  renderer: dyingFarm(noiseFarm({ ...size, samples: 8, seed: 1 })),
  store: join(folder, 'checker.db'),
  sampling: { full: 0 },
  ...(sealing ? { artifacts: files, ledger: simulatedLedger() } : {}),
  onEvent(_job, event) {
    if (event.type === 'lease-progress') return
    boundary(`after committing ${event.type}`)
  },
})
const asked: Checker = {
  ...checker,
  async send(action, ctx) {
    boundary(`before asking ${action.kind}`)
    await checker.send(action, ctx)
    boundary(`after asking ${action.kind}`)
  },
}
await serveChecker(asked, {
  tokens: [{ token: 'a-token-for-tests' }],
  files: sealing ? files : folderArtifacts(join(folder, 'files')),
  partial: join(folder, 'partial'),
  inbox: join(folder, 'inbox.db'),
  port: Number(port),
})

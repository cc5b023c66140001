import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderArtifacts } from '@pictor/core'
import type { Checker, Farm } from '@pictor/core/contract'
import { privateKeySigner } from '@pictor/core/proof'
import { serveChecker } from '@pictor/farm-protocol/checker'
import { createChecker, guardedSigner, type MessageSigner } from '../src/index.ts'
import { noiseFarm } from './noise-renderer.ts'

// A checker service that kills itself (-9) the first time that it comes to each boundary: before and after every question, render, signature and commit. Its renderer is simulated.
const [folder, port, key] = process.argv.slice(2) as [string, string, `0x${string}`]
const file = join(folder, 'deaths.txt')

function boundary(name: string): void {
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

const checker = createChecker({
  signer: dying(guardedSigner({ signer: privateKeySigner(key), log: join(folder, 'signed.db') })),
  renderer: dyingFarm(noiseFarm({ width: 160, height: 96, samples: 8, seed: 1 })),
  store: join(folder, 'checker.db'),
  sampling: { full: 0 },
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
  files: folderArtifacts(join(folder, 'files')),
  partial: join(folder, 'partial'),
  inbox: join(folder, 'inbox.db'),
  port: Number(port),
})

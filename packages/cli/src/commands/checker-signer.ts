import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { guardedSigner, serveSigner } from '@pictor/checker'
import { PictorError, type Address } from '@pictor/core'
import { privateKeySigner } from '@pictor/core/proof'
import { openKeystore, stateDirOf } from '../compose.ts'
import { EXIT } from '../terminal/failure.ts'
import type { CommandContext } from './context.ts'
import { interrupted } from './interrupted.ts'

export interface CheckerSignerOptions {
  readonly keystore: string
  readonly stateDir?: string
  readonly socket?: string
  /** `CHAINID:0xESCROW`, repeated: the only ledgers it signs for. */
  readonly domain?: readonly string[]
  /** Ends when the process that started it does. */
  readonly withParent?: boolean
  readonly env: CommandContext['env']
}

/** `pictor checker signer`: holds the checker's key and signs its messages over a Unix socket, never two that contradict each other. Opens no scene and no picture. */
export async function checkerSigner(options: CheckerSignerOptions, context: CommandContext): Promise<number> {
  const dir = join(stateDirOf(options), 'signer')
  const domains = options.domain?.map(domainOf)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const wallet = await openKeystore(options.keystore, options.env.PICTOR_KEYSTORE_PASSWORD)
  const signer = guardedSigner({
    signer: privateKeySigner(wallet.privateKey as `0x${string}`),
    log: join(dir, 'signed.db'),
    ...(domains ? { domains } : {}),
  })
  const socket = options.socket ?? join(dir, 'signer.sock')
  const server = await serveSigner(signer, socket)
  context.emit({ type: 'signing', address: signer.address, socket })
  context.screen.log(`signs for ${context.style.bold(signer.address)} at ${socket}`)
  if (options.withParent) parentGone()
  await interrupted()
  await server.close()
  signer.close()
  return EXIT.ok
}

function domainOf(text: string, i: number): { chainId: number; verifyingContract: Address } {
  const [, chainId, address] = /^(\d{1,15}):(0x[0-9a-fA-F]{40})$/.exec(text) ?? []
  if (chainId === undefined || address === undefined)
    throw new PictorError('invalid-input', `--domain: expected CHAINID:0xESCROW, found ${text}`, {
      details: { path: `domain[${i}]` },
    })
  return { chainId: Number(chainId), verifyingContract: address.toLowerCase() as Address }
}

/** Standard input is a pipe from the parent: it ends when the parent does, even by kill -9. */
function parentGone(): void {
  const end = (): void => void process.kill(process.pid, 'SIGTERM')
  process.stdin.on('end', end).on('error', end).resume()
}

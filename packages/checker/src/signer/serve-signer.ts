import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { isPictorError, PictorError, type LedgerDomain } from '@pictor/core/contract'
import { jsonLines } from './lines.ts'
import type { CheckerMessage, MessageSigner } from './messages.ts'

/** A signer that listens. */
export interface SignerServer {
  close(): Promise<void>
}

/** What a client may ask. */
interface Question {
  readonly id: number
  readonly op: 'address' | 'sign'
  readonly domain?: LedgerDomain
  readonly messages?: readonly CheckerMessage[]
}

/**
 * Serves a signer over a Unix socket that only this user can open: one JSON object a line, `{ id, op: 'address' }` or `{ id, op: 'sign', domain, messages }`,
 * answered by `{ id, address }`, `{ id, signatures }` or `{ id, error }`. The process around it holds the key and nothing else: it opens no scene and no picture.
 * @throws conflict when a signer listens there already
 */
export async function serveSigner(signer: MessageSigner, socketPath: string): Promise<SignerServer> {
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 })
  if (await answers(socketPath))
    throw new PictorError('conflict', `a signer listens at ${socketPath} already`, { details: { path: 'socket' } })
  rmSync(socketPath, { force: true })
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
    const say = jsonLines(socket, (value) => {
      const { id } = value as Question
      answer(signer, value as Question).then(
        (found) => say({ id, ...found }),
        (error: unknown) => say({ id, error: told(error) }),
      )
    })
  })
  const umask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socketPath, resolve)
    })
  } finally {
    process.umask(umask)
  }
  chmodSync(socketPath, 0o600)
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

async function answer(signer: MessageSigner, question: Question): Promise<object> {
  if (question?.op === 'address') return { address: signer.address }
  if (question?.op === 'sign' && question.domain && Array.isArray(question.messages))
    return { signatures: await signer.sign(question.domain, question.messages) }
  throw new PictorError('invalid-input', 'expected { id, op: "address" } or { id, op: "sign", domain, messages }')
}

function told(error: unknown): object {
  const message = error instanceof Error ? error.message : String(error)
  return isPictorError(error) ? { code: error.code, message, reason: error.details['reason'] } : { code: 'internal', message }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

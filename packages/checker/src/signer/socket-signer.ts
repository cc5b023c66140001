import { connect, type Socket } from 'node:net'
import { PictorError, type Address, type PictorErrorCode, type Signature } from '@pictor/core/contract'
import { requireSigner } from '@pictor/core/proof'
import { pause } from '../node/pause.ts'
import { jsonLines } from './lines.ts'
import { digestOf, type MessageSigner } from './messages.ts'

/** A signer behind a socket. */
export interface SocketSigner extends MessageSigner {
  /** Resolves when the signer answers. @throws timeout */
  ping(): Promise<void>
  close(): void
}

interface Reply {
  readonly id: number
  readonly address?: Address
  readonly signatures?: readonly Signature[]
  readonly error?: { readonly code: PictorErrorCode; readonly message: string; readonly reason?: string }
}

/**
 * Reaches the signer process at `path`. A signer that is being restarted is waited for, up to `timeoutMs` a request; every signature is verified before it is used.
 * @throws timeout when nobody answers, signature-invalid when the signer signs with another key than it names
 */
export async function socketSigner(path: string, timeoutMs = 60_000): Promise<SocketSigner> {
  const line = signerLine(path, timeoutMs)
  const { address } = await line.ask({ op: 'address' })
  if (!address) throw new PictorError('checker-refused', `${path} is no signer`, { details: { reason: 'signer' } })
  return {
    address,
    async sign(domain, messages) {
      const digests = messages.map((one) => digestOf(domain, one))
      const { signatures = [] } = await line.ask({ op: 'sign', domain, messages })
      for (const [i, digest] of digests.entries()) requireSigner(digest, signatures[i] ?? '0x', address, `signatures[${i}]`)
      return signatures
    },
    ping: async () => void (await line.ask({ op: 'address' }, 2_000)),
    close: () => line.close(),
  }
}

/** Questions over one connection that is made anew when it breaks. Asking twice is harmless: a signer that signed may sign the same again. */
function signerLine(
  path: string,
  timeoutMs: number,
): { ask(question: object, withinMs?: number): Promise<Reply>; close(): void } {
  const waiting = new Map<number, (reply: Reply | undefined) => void>()
  let socket: Socket | undefined
  let say: ((value: unknown) => void) | undefined
  let last = 0

  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const made = connect(path)
      made.once('connect', () => {
        socket = made
        say = jsonLines(made, (value) => waiting.get((value as Reply).id)?.(value as Reply))
        // A socket that waits for nobody keeps no process alive.
        made.unref()
        resolve()
      })
      made.once('error', reject)
      made.once('close', () => {
        socket = say = undefined
        for (const give of waiting.values()) give(undefined)
      })
    })

  async function askOnce(question: object, leftMs: number): Promise<Reply | undefined> {
    if (!socket) await open()
    const id = ++last
    return new Promise((resolve) => {
      const give = (reply: Reply | undefined): void => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(reply)
      }
      const timer = setTimeout(() => give(undefined), leftMs)
      waiting.set(id, give)
      say!({ id, ...question })
    })
  }

  return {
    async ask(question, withinMs = timeoutMs) {
      const giveUpAtMs = Date.now() + withinMs
      let why = 'no answer'
      while (Date.now() < giveUpAtMs) {
        const reply = await askOnce(question, giveUpAtMs - Date.now()).catch((error: Error) => {
          why = error.message
          return undefined
        })
        if (reply?.error)
          throw new PictorError(reply.error.code, `the signer refuses: ${reply.error.message}`, {
            details: reply.error.reason === undefined ? {} : { reason: reply.error.reason },
          })
        if (reply) return reply
        await pause(100)
      }
      throw new PictorError('timeout', `the signer at ${path} does not answer: ${why}`, { details: { path: 'signer' } })
    },
    close: () => socket?.destroy(),
  }
}

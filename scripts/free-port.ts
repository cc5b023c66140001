import { createServer } from 'node:net'

/** Each test process counts from a place of its own, below the ports that systems give to outgoing connections (from 32768 on Linux): nobody takes one before it is listened on. */
let next = 10_000 + (process.pid % 2_000) * 10

/** A port for a server that must be known before it starts, or comes back at the same place. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next++
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}

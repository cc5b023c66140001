import type { Socket } from 'node:net'
import { decodeJournal, encodeJournal } from '@pictor/core/contract'

/** Longest line: the votes of a lease of 1,000 frames take some 600 KB. */
const MAX_LINE = 16 * 2 ** 20

/** One JSON value a line over a socket, bigints kept. A line that is too long or no JSON ends the connection. */
export function jsonLines(socket: Socket, take: (value: unknown) => void): (value: unknown) => void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    rest += chunk
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end)
      rest = rest.slice(end + 1)
      try {
        take(decodeJournal(line))
      } catch (cause) {
        socket.destroy(cause as Error)
        return
      }
    }
    if (rest.length > MAX_LINE) socket.destroy(new Error('a line is too long'))
  })
  return (value) => void (socket.writable && socket.write(`${encodeJournal(value)}\n`))
}

import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/**
 * Calls back for each line of a stream that a stranger may write to. Of a longer line than `most` characters only the beginning is kept, as `onLong` says: a process that never ends
 * its line must not fill this one's memory.
 */
export function eachLine(stream: Readable, most: number, onLine: (line: string) => void, onLong: () => void = () => {}): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let long = false
  const end = (): void => {
    onLine(rest.endsWith('\r') ? rest.slice(0, -1) : rest)
    rest = ''
    long = false
  }
  stream.on('data', (chunk: Buffer) => {
    const [first, ...others] = decoder.write(chunk).split('\n')
    const add = (text: string): void => {
      if (rest.length + text.length > most && !long) {
        long = true
        onLong()
      }
      rest += text.slice(0, Math.max(0, most - rest.length))
    }
    add(first!)
    for (const line of others) {
      end()
      add(line)
    }
  })
  stream.on('end', () => {
    if (rest !== '') end()
  })
}

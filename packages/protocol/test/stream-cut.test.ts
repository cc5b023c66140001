import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Network } from '@pictor/core/conformance'
import type { FarmEvent } from '@pictor/core/contract'
import { smallFarm, smallTask } from '../../core/test/conformance/small-farm.ts'
import { remoteFarm } from '../src/index.ts'
import { served, TOKEN } from './served.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

/** A proxy in front of a server that cuts event streams after so many bytes of an answer, in the middle of an event. */
async function cutting(port: number, after: number) {
  const cuts = { streams: 0, cut: 0 }
  const sockets = new Set<Socket>()
  const proxy: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => (client.destroy(), upstream.destroy()))
    }
    let stream = false
    let left = after
    client.on('data', (chunk: Buffer) => {
      stream = chunk.includes('text/event-stream')
      if (stream) cuts.streams++
      left = after
      upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (!stream || chunk.length < left) {
        left -= stream ? chunk.length : 0
        client.write(chunk)
        return
      }
      cuts.cut++
      client.write(chunk.subarray(0, left), () => client.destroy())
    })
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => proxy.close(resolve))
    },
  })
  return { cuts, url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` }
}

const lasting = (events: readonly FarmEvent[]): string[] =>
  events.filter((event) => event.type !== 'progress').map((event) => JSON.stringify({ ...event, atMs: 0 }))

describe('an event stream that is cut in the middle of an event', () => {
  // In the head of the answer, in the first event, and further on.
  it.each([60, 420, 900, 2000])('falls back to polls and goes on at its cursor, cut after %i bytes', async (after) => {
    const subject = await smallFarm({ scenario: 'plain', network: new Network() })
    const host = await served(subject.farm)
    open.push(host)
    const { url, cuts } = await cutting(host.server.port, after)
    const client = remoteFarm({ url, token: TOKEN, id: 'host', live: true, liveWaitMs: 300 })
    const plain = remoteFarm({ url: host.server.url, token: TOKEN, id: 'host' })
    open.push({ close: () => client.close?.() })
    const stage = await client.stage(subject.job.bundle, subject.files, { key: 's' })
    const first = (await client.poll({}, { key: 'p' })).cursor
    const ref = await client.submit(smallTask(subject.job, stage, [1, 2, 3], 'probe'), { key: 'k' })
    const seen: FarmEvent[] = []
    let cursor = first
    for (let turn = 0; turn < 60 && !seen.some((one) => one.type === 'state' && one.state === 'succeeded'); turn++) {
      await subject.advance!(1)
      const page = await client.poll({ cursor }, { key: 'p' })
      cursor = page.cursor
      seen.push(...page.events)
    }
    expect(cuts.cut).toBeGreaterThan(0)
    // Everything once, in order: what a reader sees who never had a stream.
    const truth: FarmEvent[] = []
    for (let page = await plain.poll({ cursor: first }, { key: 'p' }); page.events.length > 0;) {
      truth.push(...page.events)
      page = await plain.poll({ cursor: page.cursor }, { key: 'p' })
    }
    expect(lasting(seen)).toEqual(lasting(truth))
    expect(seen.filter((event) => event.type === 'output' && event.output.task.ref === ref.ref)).toHaveLength(3)
  })
})

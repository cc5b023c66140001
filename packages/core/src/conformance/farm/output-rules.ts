import assert from 'node:assert/strict'
import type { Output } from '../../contract/farm.ts'
import { downloadsOf } from '../../contract/sealing.ts'
import { failure, isBody, ofType, readAll, sha256, type Bench } from './bench.ts'
import { overHttp, type Rule } from './rule.ts'

async function outputs(bench: Bench): Promise<Output[]> {
  const ref = await bench.submit()
  const watched = await bench.finish(ref)
  const list = ofType(watched, 'output').flatMap((event) => downloadsOf(event.output))
  assert(list.length > 0, 'no output arrived')
  return list
}

const isDownload = (request: Request): boolean => request.method === 'GET'

/** Opening outputs. */
export const outputRules: readonly Rule[] = [
  {
    name: 'the bytes of an output have the size and the sha256 that were reported',
    change: 'report bytes and hash of exactly the file that open() delivers',
    async check(bench) {
      for (const output of await outputs(bench)) {
        const bytes = await bench.download(output)
        assert.equal(bytes.length, output.bytes, `frame ${output.frame}: ${bytes.length} bytes`)
        assert.equal(sha256(bytes), output.hash, `frame ${output.frame}: the hash differs`)
      }
    },
  },
  {
    name: 'an output opens from any offset',
    change: 'honour range.offset: deliver the bytes from there on, nothing at the end, and refuse what lies beyond',
    async check(bench) {
      const output = (await outputs(bench))[0]!
      const whole = await bench.download(output)
      for (const offset of [1, Math.floor(output.bytes / 2), output.bytes - 1, output.bytes])
        assert.deepEqual([...(await bench.download(output, offset))], [...whole.subarray(offset)], `from offset ${offset}`)
      const beyond = async (): Promise<unknown> => {
        const answer = await bench.farm.open(output, { offset: output.bytes + 1 }, bench.ctx('beyond'))
        return isBody(answer) ? readAll(answer) : answer
      }
      await failure(beyond(), ['invalid-input'])
    },
  },
  {
    name: 'outputs behind a payment say so, and open once it is paid',
    change: "return { unavailable: 'payment' } from open(), not an error and not 'gone'",
    scenario: 'payment-gate',
    async check(bench) {
      const output = (await outputs(bench))[0]!
      const locked = await bench.farm.open(output, { offset: 0 }, bench.ctx('open-1'))
      assert(!isBody(locked) && locked.unavailable === 'payment', 'open did not say payment')
      assert(bench.subject.pay, 'FarmSubject.pay is missing')
      await bench.subject.pay()
      assert.equal(sha256(await bench.download(output)), output.hash)
    },
  },
  {
    name: 'deleted outputs say that they have expired',
    change: "return { unavailable: 'expired' } (or 'gone') from open() for files that the farm no longer keeps",
    scenario: 'expired-outputs',
    async check(bench) {
      const output = (await outputs(bench))[0]!
      const answer = await bench.farm.open(output, { offset: 0 }, bench.ctx('open'))
      assert(!isBody(answer) && ['expired', 'gone'].includes(answer.unavailable), 'open did not say expired')
    },
  },
  {
    name: 'an output that does not exist yet is not delivered',
    change: "return { unavailable: 'not-yet' | 'gone' } or throw not-found for outputs that the farm does not have",
    async check(bench) {
      const output = (await outputs(bench))[0]!
      const call = bench.farm.open({ ...output, frame: 99_999, name: 'no-such-file.png' }, { offset: 0 }, bench.ctx('none'))
      const answer = await call.catch((error: unknown) =>
        failure(Promise.reject(error), ['not-found', 'invalid-input', 'farm-refused']),
      )
      assert(!('stream' in answer), 'an output that does not exist was opened')
    },
  },
  {
    name: 'a download that is cut fails loudly and resumes where it stopped',
    change: 'let the error of a broken body through, and throw when a body ends before its length',
    skip: overHttp,
    async check(bench) {
      const output = (await outputs(bench))[0]!
      for (const fault of [
        { kind: 'cut-body', afterBytes: 3 },
        { kind: 'short-body', dropBytes: 2 },
      ] as const) {
        bench.network.spoil(fault, 1, isDownload)
        const got: Uint8Array[] = []
        const broken = await read(bench, output, 0, got).then(
          () => undefined,
          (error: unknown) => error,
        )
        const have = Buffer.concat(got)
        assert(broken !== undefined || have.length === output.bytes, `${fault.kind}: a short file ended as if it were whole`)
        await read(bench, output, have.length, got)
        assert.equal(sha256(Buffer.concat(got)), output.hash, `${fault.kind}: the resumed file differs`)
      }
    },
  },
]

async function read(bench: Bench, output: Output, offset: number, into: Uint8Array[]): Promise<void> {
  const body = await bench.farm.open(output, { offset }, bench.ctx('read'))
  assert(isBody(body), 'open gave no body')
  for await (const chunk of body.stream) into.push(chunk)
}

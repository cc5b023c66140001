import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPictorError, type Farm, type Output, type Task } from '@pictor/core/contract'
import { drawnKey } from '../../../scripts/draws.ts'
import { memoryArtifacts } from '../../core/src/artifacts/index.ts'
import { smallJob, smallTask } from '../../core/test/conformance/small-farm.ts'
import { privateKeySigner } from '@pictor/core/proof'
import { remoteFarm } from '../src/index.ts'
import { toWire, type Schema } from '../src/schema.ts'
import * as wire from '../src/wire.ts'
import { dressed } from './lease.ts'

const schemas = Object.entries(wire).filter(([name]) => name.endsWith('Schema')) as unknown as [string, Schema<unknown>][]

/** JSON with the words of the protocol in it, so that a fuzz gets past the first field. */
const key = fc.constantFrom(
  'type',
  'kind',
  'task',
  'output',
  'events',
  'cursor',
  'waitMs',
  'farm',
  'ref',
  'bytes',
  'hash',
  'files',
  'state',
  '__proto__',
  'contract',
)
const leaf = fc.oneof(
  fc.constantFrom('state', 'output', 'quote', 'decline', 'frames', '0x', '-1', '1', '../x'),
  fc.string({ maxLength: 5 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
)
const json = fc.letrec((tie) => ({
  node: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('node'), { maxLength: 3 }), fc.dictionary(key, tie('node'), { maxKeys: 6 })),
})).node

describe('values on the wire', () => {
  it('come back as they were, with every amount an exact bigint', async () => {
    const { job } = await smallJob()
    const signer = privateKeySigner(drawnKey())
    const bare: Task = { ...smallTask(job, { farm: 'f', ref: 's' }, [-3, 1, 2]), ext: { amount: '12', nested: [{ price: '7' }] } }
    const task = await dressed(signer, { ...bare, work: { kind: 'frames', frames: [1, 2] } })
    expect(wire.taskSchema.read(JSON.parse(toWire(task)), 'task')).toEqual(task)
    const huge = { ...job, budget: { amount: 10n ** 60n + 1n, currency: 'PICTOR' }, later: { field: ['of', 2] } }
    expect(wire.jobSpecSchema.read(JSON.parse(toWire(huge)), 'spec')).toEqual(huge)
  })

  it.each(schemas)('%s answers rubbish with invalid-input and a path, and never with anything else', (_name, schema) => {
    fc.assert(
      fc.property(json, (value) => {
        try {
          schema.read(JSON.parse(JSON.stringify(value) ?? 'null'), 'value')
        } catch (error) {
          expect(isPictorError(error, 'invalid-input') && error.details.path?.startsWith('value')).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('refuses paths that leave a bundle', () => {
    const read = (path: string) => () =>
      wire.manifestSchema.read(
        { root: `0x${'0'.repeat(64)}`, entry: 'a', files: [{ path, hash: `0x${'0'.repeat(64)}`, bytes: 1 }] },
        'm',
      )
    for (const path of ['../a', 'a/../b', '/a', 'a\\b', 'C:/a', 'C:a', './a', 'a//b', 'a/.', '', 'a\u0000b', 'a\nb'])
      expect(read(path), JSON.stringify(path)).toThrowError(expect.objectContaining({ code: 'invalid-input' }))
    for (const path of ['a', 'a/b.png', 'ä ö/..hidden', '...', 'a..b/c', '.hidden']) expect(read(path), path).not.toThrow()
  })
})

describe('a hostile farm', () => {
  it('gets nothing but typed errors or values of the contract out of the client', async () => {
    const { job } = await smallJob()
    const output: Output = {
      task: { farm: 'f', ref: 'r' },
      frame: 1,
      part: 0,
      layer: 'L',
      name: 'n',
      bytes: 4,
      hash: `0x${'0'.repeat(64)}`,
      completedAtMs: 1,
    }
    const ctx = { key: 'k' }
    const task = smallTask(job, { farm: 'f', ref: 's' }, [1], 'probe')
    const verbs: readonly ((farm: Farm) => Promise<unknown>)[] = [
      (farm) => farm.describe(ctx),
      (farm) => farm.stage(job.bundle, memoryArtifacts(), ctx),
      (farm) => farm.submit(task, ctx),
      (farm) => farm.poll({}, ctx).then((page) => page.events.map((event) => event.type)),
      (farm) => farm.set(output.task, { desired: 'cancel' }, ctx),
      (farm) => farm.open(output, { offset: 0 }, ctx),
    ]
    const status = fc.constantFrom(200, 200, 200, 206, 301, 400, 402, 404, 409, 418, 425, 429, 500, 503)
    await fc.assert(
      fc.asyncProperty(fc.nat(verbs.length - 1), status, json, async (verb, code, body) => {
        const fetch = async () => new Response(JSON.stringify(body), { status: code, headers: { 'retry-after': 'soon' } })
        const farm = remoteFarm({ url: 'https://hostile.example', token: 'token-0123456789ab', fetch })
        await verbs[verb]!(farm).catch((error: unknown) => expect(isPictorError(error), String(error)).toBe(true))
      }),
      { numRuns: 600 },
    )
  })
})

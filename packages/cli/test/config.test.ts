import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { simulatedSigner } from '@pictor/core/simulate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config.ts'
import { temporaryFolder } from './cli.ts'

/** A package of the user's: farms that show what they were given, and one that refuses. */
const FARMS = `
const verbs = Object.fromEntries(['describe', 'quote', 'stage', 'submit', 'poll', 'set', 'open'].map((verb) => [verb, async () => {}]))
export const plain = (options) => ({ contract: 1, id: 'plain', ...verbs, ...options })
export const picky = () => { throw new Error('lane: expected partner') }
export const notAFarm = () => 5
globalThis.loadedByPictorConfig = (globalThis.loadedByPictorConfig ?? 0) + 1
`

let folder: ReturnType<typeof temporaryFolder>
beforeAll(() => {
  folder = temporaryFolder()
  writeFileSync(join(folder.path, 'farms.mjs'), FARMS)
})
afterAll(() => folder.remove())

const context = { stateDir: '/state', signer: (name: string) => simulatedSigner(name) }
let count = 0

async function load(content: unknown, extension = 'json') {
  const file = join(folder.path, `config-${count++}.${extension}`)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return loadConfig(file, context, { TOKEN: 'secret', EMPTY: '' })
}

const farm = (options: object, factory = 'plain') => ({ farms: [{ use: './farms.mjs', factory, options }] })

describe('pictor.config.json', () => {
  it('makes the farms that it names and loads nothing else', async () => {
    const config = await load({ $schema: './x.json', ...farm({ slots: 2 }) })
    expect(config!.farms).toEqual([expect.objectContaining({ id: 'plain', slots: 2 })])
    expect((globalThis as { loadedByPictorConfig?: number }).loadedByPictorConfig).toBe(1)
  })
  it('puts environment variables, keys and amounts in their places, at any depth', async () => {
    const config = await load(
      farm({ a: [{ token: { $env: 'TOKEN' } }], signer: { $key: 'farm:a' }, price: { perHostHour: { $usd: '0.25' } } }),
    )
    expect(config!.farms![0]).toMatchObject({
      a: [{ token: 'secret' }],
      signer: { address: simulatedSigner('farm:a').address },
      price: { perHostHour: 250_000n },
    })
  })
  it.each([
    ['{', 'config', /no JSON/],
    [[], 'config', /expected an object/],
    [{}, 'farms', /expected a list/],
    [{ farms: [] }, 'farms', /at least one/],
    [{ farms: 'x' }, 'farms', /expected a list/],
    [{ farms: [], farm: 1 }, 'farm', /no such field/],
    [{ checkers: {} }, 'checkers', /expected a list/],
    [{ checkers: [{ url: 'https://c.example', address: `0x${'11'.repeat(20)}` }] }, 'checkers[0].token', /expected a text/],
    [{ checkers: [{ url: 'x', token: 'a-token-long-enough', address: `0x${'11'.repeat(20)}` }] }, 'checkers', /url: expected/],
    [
      { checkers: [{ url: 'https://c.example', token: 'a-token-long-enough', address: '0x12' }] },
      'checkers',
      /address: expected/,
    ],
    [{ rates: { from: 'r.json' } }, 'rates.quoter', /expected the address/],
    [{ rates: { from: 'r.json', quoter: '0x12' } }, 'quoter', /whose rates you trust/],
    [{ rates: { quoter: `0x${'11'.repeat(20)}` } }, 'rates.from', /expected a URL or a file/],
    [{ farms: [5] }, 'farms[0]', /expected an object/],
    [{ farms: [{ use: './farms.mjs' }] }, 'farms[0].factory', /expected a name/],
    [{ farms: [{ factory: 'plain' }] }, 'farms[0].use', /expected a name/],
    [{ farms: [{ use: './farms.mjs', factory: 'plain', optoins: {} }] }, 'farms[0].optoins', /no such field/],
    [{ farms: [{ use: './farms.mjs', factory: 'plain', options: [] }] }, 'farms[0].options', /expected an object/],
    [{ farms: [{ use: 'pictor-adapter-absent', factory: 'x' }] }, 'farms[0].use', /cannot be loaded/],
    [farm({}, 'absent'), 'farms[0].factory', /exports no function absent/],
    [farm({}, 'picky'), 'farms[0].options', /lane: expected partner/],
    [farm({}, 'notAFarm'), 'farms[0]', /expected a farm/],
    [farm({ a: { $env: 'ABSENT' } }), 'farms[0].options.a', /ABSENT is not set/],
    [farm({ a: { $env: 'EMPTY' } }), 'farms[0].options.a', /EMPTY is not set/],
    [farm({ a: { $env: 5 } }), 'farms[0].options.a.$env', /expected a text/],
    [farm({ a: [{ $file: 'x' }] }), 'farms[0].options.a[0].$file', /no such word/],
    [farm({ a: { $usd: '1,5' } }), 'farms[0].options.a.$usd', /./],
    [{ farms: [farm({}).farms[0], farm({}).farms[0]] }, 'farms[1].id', /name of another one/],
  ])('refuses %j at %s', async (content, path, message) => {
    await expect(load(content)).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(message),
      details: { path },
    })
  })
  it('refuses a farm of another contract by its version', async () => {
    await expect(load(farm({ contract: 2 }))).rejects.toMatchObject({
      code: 'unsupported',
      details: { path: 'farms[0].contract' },
    })
  })
})

describe('pictor.config.js', () => {
  const farms = () => `import { plain } from '${pathToFileURL(join(folder.path, 'farms.mjs')).href}'\n`
  it('may be a function of the state folder and its keys', async () => {
    const text = `export const config = ({ stateDir, signer }) => ({ farms: [plain({ stateDir, address: signer('farm:b').address })] })`
    const config = await load(farms() + text, 'mjs')
    expect(config!.farms![0]).toMatchObject({ stateDir: '/state', address: simulatedSigner('farm:b').address })
  })
  it.each([
    ['export const farms = []', 'config', /exports no `config`/],
    ['export const config = 5', 'config', /expected \{ farms, checkers, rates \}/],
    ['export const config = { farms: [plain] }', 'farms[0]', /expected a farm/],
    ['export const config = { farms: [plain({ poll: 1 })] }', 'farms[0].poll', /expected a function/],
    ['export const config = { checkers: [{ contract: 1, id: "c", send() {} }] }', 'checkers[0].poll', /expected a function/],
    ['export const config = { farm: [] }', 'farm', /no such field/],
    ['throw new Error("vault is closed")', 'config', /vault is closed/],
  ])('refuses %s at %s', async (text, path, message) => {
    await expect(load(farms() + text, 'mjs')).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(message),
      details: { path },
    })
  })
})

describe('config.schema.json', () => {
  interface Node {
    readonly properties: Readonly<Record<string, Node>>
    readonly required: readonly string[]
    readonly items: Node
    readonly additionalProperties: boolean
  }
  it('knows the same fields as the reader', () => {
    const schema = JSON.parse(readFileSync(new URL('../config.schema.json', import.meta.url), 'utf8')) as Node
    const entry = schema.properties.farms!.items
    expect(Object.keys(schema.properties)).toEqual(['$schema', 'checkers', 'files', 'rates', 'farms'])
    expect(schema.additionalProperties).toBe(false)
    expect([Object.keys(entry.properties), entry.required, entry.additionalProperties]).toEqual([
      ['use', 'factory', 'options'],
      ['use', 'factory'],
      false,
    ])
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { farmConformance, Network, runCases } from '@pictor/core/conformance'
import { bundleRoot } from '@pictor/core/proof'
import { supports as small } from '../../core/test/conformance/small-farm.ts'
import { farmProtocolDocument, OPERATIONS, SCOPES } from '../src/index.ts'
import { CHECKER_OPERATIONS, checkerProtocolDocument } from '../src/checker/index.ts'
import { check, resolve } from './json-schema.ts'
import { remoteSubject } from './served.ts'

type Node = Parameters<typeof check>[0]
const read = (file: string): Node => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')) as Node
const document = read('openapi.json')

function* nodes(value: unknown, path = '#'): Generator<[string, Node]> {
  if (typeof value !== 'object' || value === null) return
  yield [path, value as Node]
  for (const [key, item] of Object.entries(value)) yield* nodes(item, `${path}/${key}`)
}

describe.each([
  ['openapi.json', farmProtocolDocument, OPERATIONS],
  ['openapi-checker.json', checkerProtocolDocument, CHECKER_OPERATIONS],
] as const)('%s', (file, make, operations) => {
  const document = read(file)
  it('is what the table of operations says (node --conditions=source packages/protocol/scripts/write-openapi.ts)', () => {
    expect(document).toEqual(JSON.parse(JSON.stringify(make())))
  })

  it('is OpenAPI 3.1: every reference resolves, every operation is named once, every path parameter is declared', () => {
    expect(document['openapi']).toMatch(/^3\.1\./)
    for (const [path, node] of nodes(document))
      if (typeof node['$ref'] === 'string') expect(() => resolve(document, node['$ref'] as string), path).not.toThrow()
    const ids = operations.map((operation) => operation.id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, method, id } of operations) {
      const operation = resolve(document, '#/paths')[path] as unknown as Record<string, Node>
      expect(operation[method]).toMatchObject({ operationId: id })
      const declared = ((operation[method]!['parameters'] ?? []) as Node[])
        .filter((item) => item['in'] === 'path')
        .map((item) => item['name'])
      expect(declared).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))
      expect(Object.keys(operation[method]!['responses'] as object).length).toBeGreaterThan(0)
    }
  })

  it('asks for a known scope everywhere but for health', () => {
    for (const { id, scope } of operations) {
      if (id === 'health') expect(scope).toBeUndefined()
      else expect(SCOPES).toContain(scope)
    }
  })
})

describe('openapi.json', () => {
  it('describes every exchange of the conformance kit', async () => {
    const problems: string[] = []
    const seen = new Set<string>()
    const supports = { ...small, http: false }
    const make: Parameters<typeof farmConformance>[0]['make'] = async (wish) => {
      const spy = async (input: string | URL | Request, init?: RequestInit) => {
        const request = new Request(input, init)
        const copy = request.clone()
        const response = await fetch(request)
        const found = await problemsOf(copy, response.clone())
        problems.push(...found.problems)
        seen.add(found.id)
        return response
      }
      const network = { fetch: () => spy } as unknown as typeof wish.network
      return remoteSubject({ ...wish, network })
    }
    const results = await runCases(farmConformance({ supports, make }))
    // Small files of the kit go in packs; one by itself goes as it is.
    const alone = await make({ scenario: 'plain', network: new Network() })
    const one = await alone.files.put(Buffer.from('a file by itself'))
    const files = [{ path: 'one.blend', ...one }]
    await alone.farm.stage({ root: bundleRoot(files), entry: 'one.blend', files }, alone.files, { key: 'alone' })
    await alone.close?.()
    expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(problems).toEqual([])
    expect([...seen].sort()).toEqual(
      OPERATIONS.map(({ id }) => id)
        .filter((id) => id !== 'health' && id !== 'metrics')
        .sort(),
    )
  })
})

async function problemsOf(request: Request, response: Response): Promise<{ id: string; problems: string[] }> {
  const path = new URL(request.url).pathname
  const operation = OPERATIONS.find(
    (item) =>
      item.method === request.method.toLowerCase() && new RegExp(`^${item.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  if (!operation) return { id: '?', problems: [`${request.method} ${path} is not in the document`] }
  const described = (resolve(document, '#/paths')[operation.path] as unknown as Record<string, Node>)[operation.method]!
  const problems: string[] = []
  const answers = described['responses'] as unknown as Record<string, Node>
  const answer = answers[String(response.status)]
  if (!answer) problems.push(`${operation.id}: status ${response.status} is not in the document`)
  const bodySchema = (described['requestBody'] as Node | undefined)?.['content'] as unknown as
    | Record<string, { schema: Node }>
    | undefined
  const body = bodySchema?.['application/json']
  // The kit sends broken input on purpose; only what the server took must fit.
  if (body && response.ok) problems.push(...check(document, body.schema, await request.json()))
  const content = (answer?.['content'] as unknown as Record<string, { schema?: Node }> | undefined)?.['application/json']
  if (content?.schema && request.method !== 'HEAD') problems.push(...check(document, content.schema, await response.json()))
  return { id: operation.id, problems: problems.map((problem) => `${operation.id} ${response.status} ${problem}`) }
}
